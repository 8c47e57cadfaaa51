"""Plots of methods: how accurate they are, what they confuse, how sure they are."""

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.figure import Figure as Canvas

from labkit.evaluation.calibration import Calibration
from labkit.evaluation.metrics import Draws, Evaluation
from labkit.report.blocks import Figure, Matrix, Table
from labkit.report.plots.style import (
    BLUE,
    COLUMN,
    GRID,
    MUTED,
    PAPER,
    STYLE,
    VERMILION,
    figure_of,
    legend_below,
)

MOST_CLASSES = 8  # of which every cell is shown
SHOWN_CONFUSIONS = 10


@matplotlib.rc_context(STYLE)
def comparison(evaluations: Sequence[Evaluation | Draws]) -> Figure:
    """The accuracy of every method with its 95 % interval, best on top."""
    ranked = sorted(evaluations, key=lambda evaluation: evaluation.accuracy.value)
    canvas = Canvas(figsize=(COLUMN, 0.42 * len(ranked) + 0.7))
    axes = canvas.subplots()
    for row, evaluation in enumerate(ranked):
        estimate = evaluation.accuracy
        colour = VERMILION if evaluation.method == "fine_tuned" else BLUE
        ends = [100 * estimate.low, 100 * estimate.high]
        if isinstance(evaluation, Draws):  # not an interval: its draws
            draws = 100 * evaluation.accuracies
            axes.plot(draws, np.full(len(draws), row), "|", color=colour, ms=9)
        else:
            axes.plot(ends, [row, row], color=colour, lw=2.5)
        axes.plot(100 * estimate.value, row, "o", color=colour)
        axes.text(0, row + 0.22, evaluation.name, color=colour, va="bottom")
        axes.text(103, row, f"{100 * estimate.value:.1f} %", va="center", color=colour)
    axes.set(xlim=(0, 101), ylim=(-0.5, len(ranked) - 0.2), yticks=[])
    axes.spines.left.set_visible(False)
    axes.set_xlabel("accuracy (%)")
    axes.grid(axis="x", color=GRID, lw=0.6)
    axes.set_axisbelow(True)
    words = ", ".join(f"{e.name} {100 * e.accuracy.value:.1f} %" for e in reversed(ranked))
    return figure_of(
        canvas,
        "Every method on the same posts",
        f"Accuracy by method: {words}.",
        "A dot is the share of test posts that a method gets right, the line its 95 % interval: of 100 "
        "such intervals about 95 hold the true value. Short strokes are single draws.",
    )


@matplotlib.rc_context(STYLE)
def random_heads(accuracies: np.ndarray, reference: float) -> Figure:
    """The accuracy of every randomly drawn head, with the best zero-shot method's for reference."""
    canvas = Canvas(figsize=(COLUMN, 2.0))
    axes = canvas.subplots()
    height = np.random.default_rng(0).uniform(-0.3, 0.3, len(accuracies))
    axes.scatter(100 * accuracies, height, color=BLUE, alpha=0.7)
    mean = 100 * float(accuracies.mean())
    ground = {"facecolor": PAPER, "edgecolor": "none", "pad": 1.5}  # over the other one's line
    for x, y, text, colour in (
        (mean, 0.95, f"mean of the heads {mean:.0f} %", BLUE),
        (100 * reference, 0.6, f"label similarity {100 * reference:.0f} %", VERMILION),
    ):
        axes.plot([x, x], [-0.6, y], color=colour, lw=1.5)
        side = "right" if x > 50 else "left"
        apart = (-6 if side == "right" else 6, 0)
        axes.annotate(
            text,
            (x, y),
            apart,
            textcoords="offset points",
            color=colour,
            ha=side,
            va="top",
            bbox=ground,
        )
    axes.set(yticks=[], ylim=(-0.6, 1.0), xlim=(0, 100))
    axes.spines.left.set_visible(False)
    axes.set_xlabel("accuracy of one untrained head (%)")
    return figure_of(
        canvas,
        f"{len(accuracies)} random heads: accuracy of each",
        f"Accuracy of {len(accuracies)} untrained heads: from {100 * accuracies.min():.0f} % to "
        f"{100 * accuracies.max():.0f} %, mean {mean:.0f} %.",
        "Each dot is one untrained head; its height has no meaning. How far the dots lie apart is "
        "how much of one such accuracy is luck.",
    )


def confusion_matrix(title: str, matrix: np.ndarray, labels: Sequence[str]) -> Matrix | Table:
    """Posts by true class (row) and predicted class (column).

    Of many classes the most frequent confusions, since nobody reads hundreds of cells.
    """
    wrong, total = int(matrix.sum() - np.trace(matrix)), int(matrix.sum())
    heading = f"{title[:1].upper()}{title[1:]}: {wrong} of {total} wrong"
    if len(labels) > MOST_CLASSES:
        return confusions(heading, matrix, labels)
    return Matrix(
        heading,
        tuple(labels),
        tuple(tuple(int(count) for count in row) for row in matrix),
        "A row is a true class, a column what the method said, so the diagonal is right. The stronger "
        "the colour, the larger the share of the row.",
    )


def confusions(title: str, matrix: np.ndarray, labels: Sequence[str]) -> Table:
    """The most frequent confusions, with their share of the true class."""
    wrong = matrix * (1 - np.eye(len(labels), dtype=int))
    ranked = np.argsort(-wrong, axis=None, kind="stable")[:SHOWN_CONFUSIONS]
    pairs = [divmod(int(cell), len(labels)) for cell in ranked]
    return Table(
        title,
        ("is", "taken for", "posts", "of its class"),
        tuple(
            (labels[i], labels[j], str(wrong[i, j]), f"{100 * wrong[i, j] / matrix[i].sum():.0f} %")
            for i, j in pairs
            if wrong[i, j]
        ),
        how=f"The {SHOWN_CONFUSIONS} most frequent confusions of {len(labels)} classes.",
    )


@matplotlib.rc_context(STYLE)
def reliability(measured: Calibration, method: str) -> Figure:
    """Accuracy against confidence by bin, and below it how many posts each bin holds."""
    canvas = Canvas(figsize=(COLUMN, 3.3))
    top, below = canvas.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    filled = measured.counts > 0
    x, y = 100 * measured.confidence[filled], 100 * measured.accuracy[filled]
    top.plot([0, 100], [0, 100], color=MUTED, lw=1, ls="--", label="as sure as it is right")
    top.vlines(x, x, y, color=VERMILION, lw=2)
    top.plot(x, y, "o", color=BLUE, label="posts by confidence")
    legend_below(canvas, top)
    top.set(ylabel="right (%)", ylim=(-3, 103), xlim=(0, 101))
    edges = np.linspace(0, 100, len(measured.counts) + 1)
    below.bar(edges[:-1], measured.counts, np.diff(edges), align="edge", color=BLUE, ec=PAPER)
    below.set(ylabel="posts", xlabel="confidence (%)")
    bins = "; ".join(
        f"{count} posts {sure:.0f} % sure, {right:.0f} % right"
        for count, sure, right in zip(measured.counts[filled], x, y, strict=True)
    )
    return figure_of(
        canvas,
        f"How sure and how right, {method}: {100 * measured.sureness:.1f} % sure, "
        f"{100 * (measured.sureness - measured.gap.value):.1f} % right",
        f"Reliability plot. {bins}.",
        "Posts are grouped by how sure the model is. On the dashed line it is right as often as it "
        "says; above the line it is right more often (under-confident), below it less often "
        "(over-confident). The bars count the posts of each group.",
    )
