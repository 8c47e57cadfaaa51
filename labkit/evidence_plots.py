"""Plots of the evidence: confidence against accuracy, learning rates, behaviours.

In the style of `labkit.plots`; each is returned with its text alternative.
"""

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.figure import Figure as Canvas

from labkit.answers.model import Figure, Panels
from labkit.behaviour import Outcome
from labkit.plots import BLUE, COLUMN, GREY, INK, MUTED, STYLE, VERMILION, _figure
from labkit.statistics import Calibration
from labkit.sweep import Sweep

RATE_COLOURS = (GREY, BLUE, VERMILION)  # smallest, the recipe's own, largest


@matplotlib.rc_context(STYLE)
def reliability(measured: Calibration, method: str) -> Figure:
    """Accuracy against confidence by bin, and below it how many posts each bin holds."""
    canvas = Canvas(figsize=(COLUMN, 4.4))
    top, below = canvas.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    filled = measured.counts > 0
    x, y = 100 * measured.confidence[filled], 100 * measured.accuracy[filled]
    top.plot([0, 100], [0, 100], color=MUTED, lw=1, ls="--")
    top.text(4, 9, "as sure as it is right", color=MUTED, rotation=40, rotation_mode="anchor")
    top.vlines(x, x, y, color=VERMILION, lw=2)
    top.plot(x, y, "o", color=BLUE)
    top.set(ylabel="right (%)", ylim=(-3, 103), xlim=(0, 101))
    edges = np.linspace(0, 100, len(measured.counts) + 1)
    below.bar(edges[:-1], measured.counts, np.diff(edges), align="edge", color=BLUE, ec="white")
    below.set(ylabel="posts", xlabel="confidence (%)")
    error = measured.error
    bins = "; ".join(
        f"{count} posts {sure:.0f} % sure, {right:.0f} % right"
        for count, sure, right in zip(measured.counts[filled], x, y, strict=True)
    )
    return _figure(
        canvas,
        f"How sure and how right, {method}: {100 * error.value:.1f} points apart "
        f"({100 * error.low:.1f} to {100 * error.high:.1f})",
        f"Reliability plot. {bins}.",
    )


@matplotlib.rc_context(STYLE)
def learning_rates(sweep: Sweep) -> Panels:
    """Loss curves by learning rate, and the accuracy of every rate after every epoch."""
    return Panels(
        f"Learning rate and epochs, on {sweep.posts} posts", (_losses(sweep), _accuracies(sweep))
    )


def _losses(sweep: Sweep) -> Figure:
    canvas = Canvas(figsize=(COLUMN, 3.0))
    axes = canvas.subplots()
    guessing = sweep.guessing
    top = 2 * max(guessing, *(history.step_losses[0][1] for _, history in sweep.by_rate))
    for (_, history), colour in zip(sweep.by_rate, RATE_COLOURS, strict=True):
        steps = np.array(history.step_losses)
        epochs = len(history.epochs)
        axes.plot(steps[:, 0] / history.steps * epochs, steps[:, 1], color=colour, lw=1.2)
    axes.axhline(guessing, color=MUTED, lw=1, ls="--")
    axes.text(0, guessing * 0.97, "guessing", color=MUTED, va="top")
    for place, (rate, colour) in enumerate(zip(sweep.rates, RATE_COLOURS, strict=True)):
        axes.annotate(
            f"{rate:.2g}",
            (0.98, 0.97 - 0.09 * place),
            xycoords="axes fraction",
            color=colour,
            ha="right",
            va="top",
        )
    axes.set(xlabel="epoch", ylabel="cross-entropy (nats)", ylim=(0, top), xlim=(0, epochs))
    axes.set_xticks(range(epochs + 1))
    ends = "; ".join(
        f"{rate:.2g}: {history.epochs[-1].train_loss:.2f}" for rate, history in sweep.by_rate
    )
    return _figure(
        canvas,
        "Training loss by learning rate",
        f"Training loss of three learning rates; mean of the last epoch: {ends}.",
    )


def _accuracies(sweep: Sweep) -> Figure:
    canvas = Canvas(figsize=(COLUMN, 3.0))
    axes = canvas.subplots()
    axes.imshow(sweep.accuracies, cmap="viridis", vmin=0, vmax=1, aspect="auto")
    for (row, column), value in np.ndenumerate(sweep.accuracies):
        colour = INK if value > 0.6 else "white"
        axes.text(column, row, f"{100 * value:.1f} %", ha="center", va="center", color=colour)
    epochs = range(sweep.accuracies.shape[1])
    axes.set_xticks(epochs, [str(epoch + 1) for epoch in epochs])
    axes.set_yticks(range(len(sweep.rates)), [f"{rate:.2g}" for rate in sweep.rates])
    axes.set(xlabel="epochs", ylabel="learning rate")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    cells = "; ".join(
        f"{rate:.2g}: {', '.join(f'{100 * value:.1f} %' for value in row)}"
        for rate, row in zip(sweep.rates, sweep.accuracies, strict=True)
    )
    return _figure(
        canvas,
        f"Accuracy on {sweep.validation} validation posts",
        f"Heat map of the validation accuracy after each epoch, by learning rate. {cells}.",
    )


@matplotlib.rc_context(STYLE)
def failure_rates(outcomes: Sequence[Outcome]) -> Figure:
    """The failure rate of every behaviour with its 95 % interval."""
    canvas = Canvas(figsize=(COLUMN, 0.42 * len(outcomes) + 0.8))
    axes = canvas.subplots()
    for row, outcome in enumerate(reversed(outcomes)):
        rate = outcome.rate
        colour = VERMILION if outcome.counter_example else BLUE
        axes.plot([100 * rate.low, 100 * rate.high], [row, row], color=colour, lw=2.5)
        axes.plot(100 * rate.value, row, "o", color=colour)
        axes.text(0, row + 0.2, outcome.name.replace("_", " "), color=colour, va="bottom")
    axes.set(xlim=(-0.5, None), ylim=(-0.5, len(outcomes) - 0.2), yticks=[])
    axes.spines.left.set_visible(False)
    axes.set_xlabel("cases that fail (%), 95 % interval")
    axes.grid(axis="x", color="#e3e3e3", lw=0.6)
    axes.set_axisbelow(True)
    words = "; ".join(f"{o.name} {100 * o.rate.value:.1f} % of {o.cases}" for o in outcomes)
    return _figure(canvas, "How often a behaviour fails", f"Failure rates: {words}.")
