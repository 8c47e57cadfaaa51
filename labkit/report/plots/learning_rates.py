"""Plots of the small trainings by learning rate."""

import matplotlib
import numpy as np
from matplotlib.figure import Figure as Canvas

from labkit.report.blocks import Figure, Panels
from labkit.report.plots.style import (
    BLUE,
    COLUMN,
    GREY,
    MUTED,
    ON_DARK,
    ON_LIGHT,
    STYLE,
    VERMILION,
    figure_of,
)
from labkit.training.history import Sweep

RATE_COLOURS = (GREY, BLUE, VERMILION)  # smallest, the recipe's own, largest


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
    return figure_of(
        canvas,
        "Training loss by learning rate",
        f"Training loss of three learning rates; mean of the last epoch: {ends}.",
        "One line for each learning rate. A line that stays at the dashed one has learned nothing: "
        "that is the loss of guessing.",
    )


def _accuracies(sweep: Sweep) -> Figure:
    canvas = Canvas(figsize=(COLUMN, 3.0))
    axes = canvas.subplots()
    axes.imshow(sweep.accuracies, cmap="viridis", vmin=0, vmax=1, aspect="auto")
    for (row, column), value in np.ndenumerate(sweep.accuracies):
        colour = ON_LIGHT if value > 0.6 else ON_DARK
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
    return figure_of(
        canvas,
        f"Accuracy on {sweep.validation} validation posts",
        f"Heat map of the validation accuracy after each epoch, by learning rate. {cells}.",
        "Each cell is the share of validation posts that are right, after so many epochs (column) "
        "at that learning rate (row). Bright is better.",
    )
