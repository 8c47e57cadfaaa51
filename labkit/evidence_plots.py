"""Plots of the evidence: confidence against accuracy, learning rates, behaviours.

In the style of `labkit.plots`; each returns a `Figure` with its text alternative.
"""

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.figure import Figure as Canvas

from labkit.answers.model import Figure
from labkit.behaviour import Outcome
from labkit.plots import BLUE, INK, MUTED, PALETTE, STYLE, VERMILION, _figure
from labkit.statistics import Calibration
from labkit.sweep import Sweep

RATE_COLOURS = (PALETTE[5], BLUE, VERMILION)  # smallest, default, largest


@matplotlib.rc_context(STYLE)
def reliability(measured: Calibration, method: str) -> Figure:
    """Accuracy against confidence by bin, and below it how many posts each bin holds."""
    canvas = Canvas(figsize=(4.8, 4.8))
    top, below = canvas.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    filled = measured.counts > 0
    x, y = 100 * measured.confidence[filled], 100 * measured.accuracy[filled]
    top.plot([0, 100], [0, 100], color=MUTED, lw=1, ls="--")
    top.text(4, 8, "as sure as it is right", color=MUTED, rotation=45, rotation_mode="anchor")
    top.vlines(x, x, y, color=VERMILION, lw=2)
    top.plot(x, y, "o", color=BLUE)
    top.set(ylabel="right (%)", ylim=(-3, 103), xlim=(0, 101))
    error = measured.error
    top.set_title(
        f"calibration error {100 * error.value:.1f} points "
        f"({100 * error.low:.1f} to {100 * error.high:.1f})"
    )
    edges = np.linspace(0, 100, len(measured.counts) + 1)
    below.bar(edges[:-1], measured.counts, np.diff(edges), align="edge", color=BLUE, ec="white")
    below.set(ylabel="posts", xlabel="confidence (%)")
    bins = "; ".join(
        f"{count} posts {sure:.0f} % sure, {right:.0f} % right"
        for count, sure, right in zip(measured.counts[filled], x, y, strict=True)
    )
    return _figure(canvas, f"How sure and how right: {method}", f"Reliability plot. {bins}.")


@matplotlib.rc_context(STYLE)
def learning_rates(sweep: Sweep) -> Figure:
    """Loss curves by learning rate, and the accuracy of every rate after every epoch."""
    canvas = Canvas(figsize=(7.6, 3.4))
    left, right = canvas.subplots(1, 2, width_ratios=(1.2, 1))
    guessing = np.log(sweep.classes)
    top = 3 * guessing
    for (rate, history), colour in zip(sweep.by_rate, RATE_COLOURS, strict=True):
        steps = np.array(history.step_losses)
        epochs = np.array([epoch.epoch for epoch in history.epochs])
        left.plot(steps[:, 0] / history.steps * len(epochs), steps[:, 1], color=colour, lw=1.2)
        end = min(float(np.nan_to_num(steps[-1, 1], nan=top)), top)  # what diverged leaves the plot
        left.text(len(epochs) * 1.02, end, f"{rate:.2g}", color=colour, va="center")
    left.axhline(guessing, color=MUTED, lw=1, ls="--")
    left.set(title="Training loss by learning rate", xlabel="epoch", ylabel="cross-entropy (nats)")
    left.set(ylim=(0, top), xlim=(0, len(epochs) * 1.25), xticks=epochs)
    right.imshow(sweep.accuracies, cmap="viridis", vmin=0, vmax=1, aspect="auto")
    for (row, column), value in np.ndenumerate(sweep.accuracies):
        colour = INK if value > 0.6 else "white"
        right.text(column, row, f"{100 * value:.1f}", ha="center", va="center", color=colour)
    right.set_xticks(epochs - 1, epochs)
    right.set_yticks(range(len(sweep.rates)), [f"{rate:.2g}" for rate in sweep.rates])
    right.set(title="Accuracy (%)", xlabel="epochs", ylabel="learning rate")
    right.tick_params(length=0)
    right.spines[:].set_visible(False)
    cells = "; ".join(
        f"{rate:.2g}: {', '.join(f'{100 * value:.1f} %' for value in row)}"
        for rate, row in zip(sweep.rates, sweep.accuracies, strict=True)
    )
    return _figure(
        canvas,
        "Learning rate and epochs",
        f"Loss curves of three learning rates on {sweep.posts} posts, and a heat map of the "
        f"validation accuracy after each epoch. {cells}.",
    )


@matplotlib.rc_context(STYLE)
def failure_rates(outcomes: Sequence[Outcome]) -> Figure:
    """The failure rate of every behaviour with its 95 % interval."""
    canvas = Canvas(figsize=(7.6, 0.36 * len(outcomes) + 1.1))
    axes = canvas.subplots()
    for row, outcome in enumerate(reversed(outcomes)):
        rate = outcome.rate
        colour = VERMILION if outcome.counter_example else BLUE
        axes.plot([100 * rate.low, 100 * rate.high], [row, row], color=colour, lw=2)
        axes.plot(100 * rate.value, row, "o", color=colour)
    names = [f"{outcome.kind}: {outcome.name.replace('_', ' ')}" for outcome in outcomes]
    axes.set_yticks(range(len(outcomes)), names[::-1])
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.set(xlim=(-0.5, None), ylim=(-0.6, len(outcomes) - 0.4))
    axes.set_xlabel("cases that fail (%), 95 % interval")
    axes.grid(axis="x", color="#dddddd", lw=0.6)
    axes.set_axisbelow(True)
    words = "; ".join(f"{o.name} {100 * o.rate.value:.1f} % of {o.cases}" for o in outcomes)
    return _figure(canvas, "How often a behaviour fails", f"Failure rates: {words}.")
