"""The plot of a training: its losses by step and by epoch."""

import matplotlib
import numpy as np
from matplotlib.figure import Figure as Canvas

from labkit.report.blocks import Figure
from labkit.report.plots.style import BLUE, COLUMN, STYLE, VERMILION, figure_of, legend_below
from labkit.training.history import History


@matplotlib.rc_context(STYLE)
def training_curve(history: History) -> Figure:
    """Training and validation loss over the epochs."""
    epochs = [epoch.epoch for epoch in history.epochs]
    validation = [epoch.validation_loss for epoch in history.epochs]
    steps = np.array(history.step_losses)
    canvas = Canvas(figsize=(COLUMN, 2.7))
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


def _running_mean(values: np.ndarray, width: int) -> np.ndarray:
    """Mean over `width` values on either side, over fewer at the ends."""
    kernel = np.ones(2 * width + 1)
    total, count = (np.convolve(each, kernel) for each in (values, np.ones_like(values)))
    return (total / count)[
        width : width + len(values)
    ]  # not "same", which is as long as the longer
