"""The lab's plots, all in one style, each returned as a `Figure` with its text alternative.

Colours are those of Okabe and Ito (https://jfly.uni-koeln.de/color/), told apart with every kind
of colour vision; a class keeps its colour in all plots.
"""

import base64
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import matplotlib

matplotlib.use("Agg")  # no screen; pyplot's windows are never opened

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from labkit.answers.model import Figure
from labkit.evaluation import Evaluation

if TYPE_CHECKING:
    from labkit.fine_tune import History

INK, MUTED = "#222222", "#666666"
BLUE, VERMILION = "#0072B2", "#D55E00"
PALETTE = (
    BLUE,
    VERMILION,
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#8C6D31",
    "#5B4B8A",
    "#B0A400",
    "#000000",
)
MARKERS = "os^DvP*X<>"
STYLE: Any = {
    "figure.dpi": 200,
    "figure.facecolor": "white",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
}


def class_colour(index: int) -> str:
    """The colour of a class, the same in every plot; beyond ten classes they repeat."""
    return PALETTE[index % len(PALETTE)]


@matplotlib.rc_context(STYLE)
def similarity_heat_map(
    similarity: np.ndarray, topics: Sequence[int], labels: Sequence[str]
) -> Figure:
    """Cosine similarities (sentences, sentences) of the probes, grouped by topic."""
    canvas = Canvas(figsize=(5.6, 4.8))
    axes = canvas.subplots()
    image = axes.imshow(similarity, cmap="viridis", vmin=min(0.0, similarity.min()), vmax=1)
    edges = np.flatnonzero(np.diff(topics)) + 0.5
    for edge in edges:
        axes.axhline(edge, color="white", lw=2)
        axes.axvline(edge, color="white", lw=2)
    middles = [float(np.mean(np.flatnonzero(np.equal(topics, i)))) for i in range(len(labels))]
    axes.set_xticks(middles, labels)
    axes.set_yticks(middles, labels, rotation=90, va="center")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    canvas.colorbar(image, label="cosine similarity", shrink=0.85)
    same = np.equal.outer(topics, topics)
    off_diagonal = ~np.eye(len(topics), dtype=bool)
    return _figure(
        canvas,
        "Similarity of every pair of sentences",
        f"Heat map of the cosine similarity of {len(topics)} sentences, grouped by topic. Mean "
        f"{similarity[same & off_diagonal].mean():.2f} within a topic, "
        f"{similarity[~same].mean():.2f} between topics.",
    )


@matplotlib.rc_context(STYLE)
def token_histogram(lengths: Sequence[int], limit: int) -> Figure:
    """Tokens per post before truncation, on a logarithmic axis, with the limit."""
    canvas = Canvas(figsize=(6.4, 3.4))
    axes = canvas.subplots()
    bins = np.geomspace(max(1, min(lengths)), max(max(lengths), limit) * 1.05, 40)
    axes.hist(lengths, bins=list(bins), color=BLUE)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    median = float(np.median(lengths))
    top = axes.get_ylim()[1]
    for x, text in ((median, f"median {median:.0f}"), (limit, f"limit {limit}")):
        axes.axvline(x, color=INK, lw=1, ls="--" if x == limit else "-")
        axes.text(x * 1.04, top * 0.99, text, va="top")
    axes.set_xlabel("tokens per post (log scale)")
    axes.set_ylabel("posts")
    return _figure(
        canvas,
        "Tokens per post",
        f"Histogram of the tokens per post: median {median:.0f}, longest {max(lengths)}; "
        f"posts beyond {limit} tokens are cut off there.",
    )


@matplotlib.rc_context(STYLE)
def training_curves(history: "History") -> Figure:
    """Training and validation loss, and validation accuracy, over the epochs."""
    epochs = [epoch.epoch for epoch in history.epochs]
    validation = [epoch.validation_loss for epoch in history.epochs]
    accuracy = [100 * epoch.validation_accuracy for epoch in history.epochs]
    steps = np.array(history.step_losses)
    canvas = Canvas(figsize=(7.6, 3.4))
    left, right = canvas.subplots(1, 2)
    at = steps[:, 0] / history.steps * len(epochs)
    left.plot(at, steps[:, 1], color=BLUE, alpha=0.25, lw=1)
    smooth = _running_mean(steps[:, 1], max(1, len(steps) // 20))
    left.plot(at, smooth, color=BLUE, lw=2)
    left.plot(epochs, validation, color=VERMILION, marker="o", lw=2)
    left.text(at[-1], smooth[-1], " training", color=BLUE, va="top")
    left.text(epochs[-1], validation[-1], " validation", color=VERMILION, va="bottom")
    left.set(title="Loss", xlabel="epoch", ylabel="cross-entropy (nats)", ylim=(0, None))
    left.set_xlim(0, len(epochs) * 1.28)
    right.plot(epochs, accuracy, color=VERMILION, marker="o", lw=2)
    for x, y in zip(epochs, accuracy, strict=True):
        right.annotate(f"{y:.1f} %", (x, y), (0, 7), textcoords="offset points", ha="center")
    right.set(title="Validation accuracy", xlabel="epoch", ylabel="accuracy (%)")
    right.set_ylim(min(*accuracy, 90) - 3, 102)
    right.set_xlim(0.6, len(epochs) + 0.4)
    for axes in (left, right):
        axes.set_xticks(epochs)
    return _figure(
        canvas,
        "Loss and accuracy by epoch",
        f"Training curves over {len(epochs)} epochs: validation loss "
        f"{', '.join(f'{loss:.3f}' for loss in validation)}; validation accuracy "
        f"{', '.join(f'{value:.1f} %' for value in accuracy)}.",
    )


@matplotlib.rc_context(STYLE)
def random_heads(accuracies: np.ndarray, reference: float) -> Figure:
    """The accuracy of every randomly drawn head, with the best zero-shot method's for reference."""
    canvas = Canvas(figsize=(6.4, 2.2))
    axes = canvas.subplots()
    height = np.random.default_rng(0).uniform(-0.3, 0.3, len(accuracies))
    axes.scatter(100 * accuracies, height, color=BLUE, alpha=0.7)
    mean = 100 * float(accuracies.mean())
    for x, text, colour in (
        (mean, f"mean {mean:.0f} %", BLUE),
        (100 * reference, f"label similarity {100 * reference:.0f} %", VERMILION),
    ):
        axes.axvline(x, color=colour, lw=1.5)
        axes.text(x, 0.62, text, color=colour, ha="center")
    axes.set(yticks=[], ylim=(-0.6, 0.8), xlim=(0, 100))
    axes.spines.left.set_visible(False)
    axes.set_xlabel("accuracy of one untrained head (%)")
    return _figure(
        canvas,
        "One random head after the other",
        f"Accuracy of {len(accuracies)} untrained heads: from {100 * accuracies.min():.0f} % to "
        f"{100 * accuracies.max():.0f} %, mean {mean:.0f} %.",
    )


@matplotlib.rc_context(STYLE)
def confusion_pair(counts: Mapping[str, np.ndarray], labels: Sequence[str]) -> Figure:
    """Confusion matrices side by side on one colour scale, true class by row."""
    size = max(3.6, 0.75 * len(labels) + 1.6)
    canvas = Canvas(figsize=(size * len(counts), size))
    for axes, (title, matrix) in zip(
        np.atleast_1d(canvas.subplots(1, len(counts))), counts.items(), strict=True
    ):
        shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for (row, column), count in np.ndenumerate(matrix):
            dark = shares[row, column] > 0.5
            axes.text(
                column,
                row,
                f"{count}\n{100 * shares[row, column]:.0f} %",
                ha="center",
                va="center",
                color="white" if dark else INK,
            )
        ticks = range(len(labels))
        axes.set_xticks(ticks, labels, rotation=30 if len(labels) > 2 else 0)
        axes.set_yticks(ticks, labels, rotation=90, va="center")
        axes.set(title=title, xlabel="predicted", ylabel="true")
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
    wrong = "; ".join(
        f"{title}: {int(matrix.sum() - np.trace(matrix))} of {int(matrix.sum())} wrong"
        for title, matrix in counts.items()
    )
    return _figure(canvas, "Confusion matrices", f"Confusion matrices, true by row. {wrong}.")


@matplotlib.rc_context(STYLE)
def comparison(evaluations: Sequence[Evaluation]) -> Figure:
    """The accuracy of every method with its 95 % interval, best on top."""
    ranked = sorted(evaluations, key=lambda evaluation: evaluation.accuracy.value)
    canvas = Canvas(figsize=(7.6, 0.45 * len(ranked) + 1.1))
    axes = canvas.subplots()
    for row, evaluation in enumerate(ranked):
        estimate = evaluation.accuracy
        colour = VERMILION if evaluation.method == "fine_tuned" else BLUE
        axes.plot([100 * estimate.low, 100 * estimate.high], [row, row], color=colour, lw=2)
        axes.plot(100 * estimate.value, row, "o", color=colour)
        axes.text(102, row, f"{100 * estimate.value:.1f} %", va="center", color=colour)
    axes.set_yticks(range(len(ranked)), [evaluation.name for evaluation in ranked])
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.set(xlim=(0, 101), ylim=(-0.6, len(ranked) - 0.4))
    axes.set_xlabel("accuracy on the test posts (%), 95 % interval")
    axes.grid(axis="x", color="#dddddd", lw=0.6)
    axes.set_axisbelow(True)
    words = ", ".join(f"{e.name} {100 * e.accuracy.value:.1f} %" for e in reversed(ranked))
    return _figure(canvas, "Every method on the same posts", f"Accuracy by method: {words}.")


@matplotlib.rc_context(STYLE)
def embedding_planes(
    planes: Mapping[str, np.ndarray],
    silhouettes: Mapping[str, float],
    truth: np.ndarray,
    labels: Sequence[str],
) -> Figure:
    """t-SNE planes (posts, 2) side by side, coloured by the true class."""
    canvas = Canvas(figsize=(7.6, 4.0))
    panels = canvas.subplots(1, len(planes))
    for axes, (title, plane) in zip(panels, planes.items(), strict=True):
        for index, label in enumerate(labels):
            members = plane[truth == index]
            axes.scatter(
                *members.T,
                s=12,
                alpha=0.6,
                lw=0,
                color=class_colour(index),
                marker=MARKERS[index % len(MARKERS)],
                label=label,
            )
        axes.set_title(f"{title}\nsilhouette {silhouettes[title]:.2f}")
        _square(axes, plane)
    handles, names = panels[0].get_legend_handles_labels()
    canvas.legend(handles, names, loc="outside lower center", ncols=min(len(labels), 4))
    values = ", ".join(f"{title} {value:.2f}" for title, value in silhouettes.items())
    return _figure(
        canvas,
        "The test posts in the t-SNE plane",
        f"t-SNE of the test posts by class, side by side. Silhouette in the full space: {values}.",
    )


def _square(axes: Axes, plane: np.ndarray) -> None:
    """Equal scales and no ticks: distances and directions of a t-SNE plane have no unit."""
    axes.set_aspect("equal", adjustable="datalim")
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def _running_mean(values: np.ndarray, width: int) -> np.ndarray:
    """Mean over `width` values on either side, over fewer at the ends."""
    kernel = np.ones(2 * width + 1)
    total = np.convolve(values, kernel, mode="same")
    return total / np.convolve(np.ones_like(values), kernel, mode="same")


def _figure(canvas: Canvas, title: str, alt: str) -> Figure:
    buffer = io.BytesIO()
    # No software version or date inside, so that the same run draws the same bytes.
    canvas.savefig(buffer, format="png", metadata={"Software": None})
    return Figure(title, alt, base64.b64encode(buffer.getvalue()).decode("ascii"))
