"""Plots of a training: its losses and accuracies by epoch."""

import matplotlib
import numpy as np
from matplotlib.figure import Figure as Canvas

from labkit.report.blocks import Figure, Panels
from labkit.report.plots.style import BLUE, COLUMN, STYLE, VERMILION, figure_of, legend_below
from labkit.training.history import History


@matplotlib.rc_context(STYLE)
def training_curves(history: History) -> Panels:
    """Training and validation loss, and validation accuracy, over the epochs."""
    return Panels("Loss and accuracy by epoch", (_losses(history), _accuracies(history)))


def _losses(history: History) -> Figure:
    epochs = [epoch.epoch for epoch in history.epochs]
    validation = [epoch.validation_loss for epoch in history.epochs]
    steps = np.array(history.step_losses)
    canvas = Canvas(figsize=(COLUMN, 3.0))
    axes = canvas.subplots()
    at = steps[:, 0] / history.steps * len(epochs)
    axes.plot(at, steps[:, 1], color=BLUE, alpha=0.25, lw=1, label="each step")
    smooth = _running_mean(steps[:, 1], max(1, len(steps) // 20))
    axes.plot(at, smooth, color=BLUE, lw=2, label="training, mean")
    axes.plot(epochs, validation, color=VERMILION, marker="o", lw=2, label="validation")
    axes.set(xlabel="epoch", ylabel="cross-entropy (nats)", ylim=(0, None), xticks=epochs)
    axes.set_xlim(0, len(epochs) * 1.03)
    legend_below(canvas, axes)
    return figure_of(
        canvas,
        "Loss: each step, its running mean, and validation",
        f"Loss over {len(epochs)} epochs. Training falls from {smooth[0]:.2f} to {smooth[-1]:.2f}; "
        f"validation after each epoch: {', '.join(f'{loss:.3f}' for loss in validation)}.",
        "The loss is how surprised the model is by the true labels; lower is better. Where "
        "validation rises while training falls, the model learns its train posts by heart.",
    )


def _accuracies(history: History) -> Figure:
    epochs = [epoch.epoch for epoch in history.epochs]
    accuracy = [100 * epoch.validation_accuracy for epoch in history.epochs]
    canvas = Canvas(figsize=(COLUMN, 3.0))
    axes = canvas.subplots()
    axes.plot(epochs, accuracy, color=VERMILION, marker="o", lw=2)
    for x, y in zip(epochs, accuracy, strict=True):
        axes.annotate(f"{y:.1f} %", (x, y), (0, 8), textcoords="offset points", ha="center")
    low = min(*accuracy, 90.0)
    axes.set(xlabel="epoch", ylabel="validation accuracy (%)", xticks=epochs)
    bottom = max(low - 0.1 * (100 - low) - 1, 0)
    axes.set_ylim(bottom, 100 + 0.12 * (100 - low) + 0.5)
    axes.set_yticks([tick for tick in axes.get_yticks() if bottom <= tick <= 100])
    axes.set_xlim(0.6, len(epochs) + 0.4)
    return figure_of(
        canvas,
        "Accuracy on the validation posts",
        f"Validation accuracy by epoch: {', '.join(f'{value:.1f} %' for value in accuracy)}.",
        "The share of validation posts that are right after each epoch."
        + (" The axis does not start at 0." if bottom else ""),
    )


def _running_mean(values: np.ndarray, width: int) -> np.ndarray:
    """Mean over `width` values on either side, over fewer at the ends."""
    kernel = np.ones(2 * width + 1)
    total, count = (np.convolve(each, kernel) for each in (values, np.ones_like(values)))
    return (total / count)[
        width : width + len(values)
    ]  # not "same", which is as long as the longer
