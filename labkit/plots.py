"""The lab's plots, all in one style, each returned as a `Figure` with its text alternative.

Colours are those of Okabe and Ito (https://jfly.uni-koeln.de/color/), told apart with every kind
of colour vision. A class keeps its colour and marker in all plots; what is not a class is blue,
vermilion or grey. A plot is as wide as one of the report's two columns, and fits a phone.
"""

import base64
import io
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import matplotlib

matplotlib.use("Agg")  # no screen; pyplot's windows are never opened

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.patheffects import withStroke

from labkit.answers.model import Figure, Panels
from labkit.evaluation import Evaluation

if TYPE_CHECKING:
    from labkit.training_history import History

INK, MUTED, GREY = "#222222", "#595959", "#8a8a8a"
BLUE, VERMILION = "#0072B2", "#D55E00"
CLASS_COLOURS = ("#5B4B8A", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#8C6D31", "#B0A400")
MARKERS = "os^DvP*"
COLUMN = 4.1  # inches
LABEL_LENGTH = 18  # characters of a class's name; more would leave its plot no room
STYLE: Any = {
    "figure.dpi": 220,
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
    """The colour of a class, the same in every plot; beyond seven classes they repeat."""
    return CLASS_COLOURS[index % len(CLASS_COLOURS)]


def class_marker(index: int) -> str:
    """The marker of a class; past seven classes one meets a colour once more, not both."""
    return MARKERS[(index + index // len(MARKERS)) % len(MARKERS)]


@matplotlib.rc_context(STYLE)
def similarity_heat_map(
    similarity: np.ndarray, topics: Sequence[int], labels: Sequence[str]
) -> Figure:
    """Cosine similarities (sentences, sentences) of the probes, grouped by topic."""
    canvas = Canvas(figsize=(COLUMN, 3.5))
    axes = canvas.subplots()
    image = axes.imshow(similarity, cmap="viridis", vmin=min(0.0, similarity.min()), vmax=1)
    edges = np.flatnonzero(np.diff(topics)) + 0.5
    for edge in edges:
        axes.axhline(edge, color="white", lw=2)
        axes.axvline(edge, color="white", lw=2)
    middles = [float(np.mean(np.flatnonzero(np.equal(topics, i)))) for i in range(len(labels))]
    _name_classes(axes, labels, middles)
    axes.spines[:].set_visible(False)
    bar = canvas.colorbar(image, shrink=0.85)
    bar.set_label("cosine similarity")
    bar.outline.set_visible(False)
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
def pair_histogram(same: np.ndarray, different: np.ndarray) -> Figure:
    """How similar pairs (pairs,) of the same topic are, over pairs of different topics."""
    canvas = Canvas(figsize=(COLUMN, 3.5))
    panels = canvas.subplots(2, 1, sharex=True, sharey=True)
    low, high = min(same.min(), different.min()), max(same.max(), different.max())
    bins = list(np.linspace(low, high, 30))
    for axes, pairs, name, colour in (
        (panels[0], same, "same topic", VERMILION),
        (panels[1], different, "different topics", BLUE),
    ):
        axes.hist(pairs, bins=bins, weights=np.full(len(pairs), 100 / len(pairs)), color=colour)
        axes.axvline(pairs.mean(), color=INK, lw=1)
        axes.set_title(f"{name}: {len(pairs)} pairs, mean {pairs.mean():.2f}", fontsize=10)
        axes.set_ylabel("pairs (%)")
    panels[1].set_xlabel("cosine similarity")
    return _figure(
        canvas,
        "Pairs about the same topic and about different ones",
        f"Two histograms of cosine similarity: {len(same)} pairs of the same topic with mean "
        f"{same.mean():.2f}, {len(different)} pairs of different topics with mean "
        f"{different.mean():.2f}.",
    )


@matplotlib.rc_context(STYLE)
def token_histogram(lengths: Sequence[int], limit: int) -> Figure:
    """Tokens per post before truncation, on a logarithmic axis, with the limit."""
    canvas = Canvas(figsize=(COLUMN, 3.0))
    axes = canvas.subplots()
    bins = np.geomspace(max(1, min(lengths)), max(max(lengths), limit) * 1.05, 40)
    kept = [length for length in lengths if length <= limit]
    cut_off = [length for length in lengths if length > limit]
    counts, _, _ = axes.hist([kept, cut_off], list(bins), stacked=True, color=(BLUE, GREY))
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("")
    median, top = float(np.median(lengths)), float(np.max(counts))
    axes.set_ylim(0, 1.22 * top)
    axes.plot([median, median], [0, 1.05 * top], color=INK, lw=1)
    axes.plot([limit, limit], [0, 1.05 * top], color=INK, lw=1, ls="--")
    left, right = axes.get_xlim()
    axes.set_xticks([x for n in range(6) for x in (10**n, 3 * 10**n) if left <= x <= right])
    early, late = sorted(((median, f"median {median:.0f}"), (limit, f"limit {limit}")))
    for (x, text), outward in ((early, "right"), (late, "left")):
        place = np.log(x / left) / np.log(right / left)  # a name near a side goes inwards
        side = "left" if place < 0.3 else "right" if place > 0.7 else outward
        axes.text(x, 1.08 * top, text, ha=side)
    axes.set_xlabel("tokens per post (log scale)")
    axes.set_ylabel("posts")
    return _figure(
        canvas,
        "Tokens per post; grey: cut off at the limit",
        f"Histogram of the tokens per post: median {median:.0f}, longest {max(lengths)}; "
        f"posts beyond {limit} tokens are cut off there.",
    )


@matplotlib.rc_context(STYLE)
def training_curves(history: "History") -> Panels:
    """Training and validation loss, and validation accuracy, over the epochs."""
    return Panels("Loss and accuracy by epoch", (_losses(history), _accuracies(history)))


def _losses(history: "History") -> Figure:
    epochs = [epoch.epoch for epoch in history.epochs]
    validation = [epoch.validation_loss for epoch in history.epochs]
    steps = np.array(history.step_losses)
    canvas = Canvas(figsize=(COLUMN, 3.0))
    axes = canvas.subplots()
    at = steps[:, 0] / history.steps * len(epochs)
    axes.plot(at, steps[:, 1], color=BLUE, alpha=0.25, lw=1)
    smooth = _running_mean(steps[:, 1], max(1, len(steps) // 20))
    axes.plot(at, smooth, color=BLUE, lw=2)
    axes.plot(epochs, validation, color=VERMILION, marker="o", lw=2)
    above = validation[-1] >= smooth[-1]  # the two names stand on different sides of their ends
    ends = ((validation[-1], "validation", VERMILION), (float(smooth[-1]), "training", BLUE))
    for (y, name, colour), up in zip(ends, (above, not above), strict=True):
        axes.annotate(
            name,
            (len(epochs), y),
            (6, 1 if up else -1),
            textcoords="offset points",
            va="bottom" if up else "top",
            color=colour,
        )
    axes.set(xlabel="epoch", ylabel="cross-entropy (nats)", ylim=(0, None), xticks=epochs)
    axes.set_xlim(0, len(epochs) * 1.28)
    return _figure(
        canvas,
        "Loss: each step, its running mean, and validation",
        f"Loss over {len(epochs)} epochs. Training falls from {smooth[0]:.2f} to {smooth[-1]:.2f}; "
        f"validation after each epoch: {', '.join(f'{loss:.3f}' for loss in validation)}.",
    )


def _accuracies(history: "History") -> Figure:
    epochs = [epoch.epoch for epoch in history.epochs]
    accuracy = [100 * epoch.validation_accuracy for epoch in history.epochs]
    canvas = Canvas(figsize=(COLUMN, 3.0))
    axes = canvas.subplots()
    axes.plot(epochs, accuracy, color=VERMILION, marker="o", lw=2)
    for x, y in zip(epochs, accuracy, strict=True):
        axes.annotate(f"{y:.1f} %", (x, y), (0, 8), textcoords="offset points", ha="center")
    low = min(*accuracy, 90.0)
    axes.set(xlabel="epoch", ylabel="validation accuracy (%)", xticks=epochs)
    axes.set_ylim(low - 0.1 * (100 - low) - 1, 100 + 0.12 * (100 - low) + 0.5)
    axes.set_yticks([tick for tick in axes.get_yticks() if tick <= 100])
    axes.set_xlim(0.6, len(epochs) + 0.4)
    return _figure(
        canvas,
        "Accuracy on the validation posts",
        f"Validation accuracy by epoch: {', '.join(f'{value:.1f} %' for value in accuracy)}.",
    )


@matplotlib.rc_context(STYLE)
def random_heads(accuracies: np.ndarray, reference: float) -> Figure:
    """The accuracy of every randomly drawn head, with the best zero-shot method's for reference."""
    canvas = Canvas(figsize=(COLUMN, 2.6))
    axes = canvas.subplots()
    height = np.random.default_rng(0).uniform(-0.3, 0.3, len(accuracies))
    axes.scatter(100 * accuracies, height, color=BLUE, alpha=0.7)
    mean = 100 * float(accuracies.mean())
    ground = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}  # over the other one's line
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
    return _figure(
        canvas,
        "One random head after the other",
        f"Accuracy of {len(accuracies)} untrained heads: from {100 * accuracies.min():.0f} % to "
        f"{100 * accuracies.max():.0f} %, mean {mean:.0f} %.",
    )


@matplotlib.rc_context(STYLE)
def confusion_pair(counts: Mapping[str, np.ndarray], labels: Sequence[str]) -> Panels:
    """Confusion matrices side by side on one colour scale, true class by row."""
    figures = tuple(confusion_matrix(title, matrix, labels) for title, matrix in counts.items())
    return Panels("Confusion matrices: posts by true and predicted class", figures)


@matplotlib.rc_context(STYLE)
def confusion_matrix(title: str, matrix: np.ndarray, labels: Sequence[str]) -> Figure:
    """Posts by true class (row) and predicted class (column), coloured by the share of the row."""
    side = max(0.0, 0.6 * (len(labels) - 4))  # inches that many classes need on top
    canvas = Canvas(figsize=(COLUMN + side, 3.4 + side))
    axes = canvas.subplots()
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(matrix):
        text = f"{count}\n{100 * shares[row, column]:.0f} %"
        colour = "white" if shares[row, column] > 0.5 else INK
        size = 13 if len(labels) <= 3 else 9
        axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=size)
    _name_classes(axes, labels, list(range(len(labels))))
    axes.set(xlabel="predicted", ylabel="true")
    axes.spines[:].set_visible(False)
    wrong, total = int(matrix.sum() - np.trace(matrix)), int(matrix.sum())
    return _figure(
        canvas,
        f"{title}: {wrong} of {total} wrong",
        f"Confusion matrix of {title}, true class by row: {wrong} of {total} posts wrong.",
    )


@matplotlib.rc_context(STYLE)
def comparison(evaluations: Sequence[Evaluation]) -> Figure:
    """The accuracy of every method with its 95 % interval, best on top."""
    ranked = sorted(evaluations, key=lambda evaluation: evaluation.accuracy.value)
    canvas = Canvas(figsize=(COLUMN, 0.5 * len(ranked) + 0.8))
    axes = canvas.subplots()
    for row, evaluation in enumerate(ranked):
        estimate = evaluation.accuracy
        colour = VERMILION if evaluation.method == "fine_tuned" else BLUE
        axes.plot([100 * estimate.low, 100 * estimate.high], [row, row], color=colour, lw=2.5)
        axes.plot(100 * estimate.value, row, "o", color=colour)
        axes.text(0, row + 0.22, evaluation.name, color=colour, va="bottom")
        axes.text(103, row, f"{100 * estimate.value:.1f} %", va="center", color=colour)
    axes.set(xlim=(0, 101), ylim=(-0.5, len(ranked) - 0.2), yticks=[])
    axes.spines.left.set_visible(False)
    axes.set_xlabel("accuracy on the test posts (%), 95 % interval")
    axes.grid(axis="x", color="#e3e3e3", lw=0.6)
    axes.set_axisbelow(True)
    words = ", ".join(f"{e.name} {100 * e.accuracy.value:.1f} %" for e in reversed(ranked))
    return _figure(canvas, "Every method on the same posts", f"Accuracy by method: {words}.")


@matplotlib.rc_context(STYLE)
def embedding_planes(
    planes: Mapping[str, np.ndarray],
    silhouettes: Mapping[str, float],
    truth: np.ndarray,
    labels: Sequence[str],
) -> Panels:
    """t-SNE planes (posts, 2) side by side on equal terms, coloured by the true class."""
    figures = tuple(
        _plane(when, plane, silhouettes[when], truth, labels) for when, plane in planes.items()
    )
    return Panels("The test posts in the t-SNE plane, before and after fine-tuning", figures)


def _plane(
    when: str, plane: np.ndarray, silhouette: float, truth: np.ndarray, labels: Sequence[str]
) -> Figure:
    canvas = Canvas(figsize=(COLUMN, 3.6))
    axes = canvas.subplots()
    for index in range(len(labels)):
        x, y = plane[truth == index].T
        axes.scatter(
            x,
            y,
            s=16,
            alpha=0.65,
            lw=0,
            color=class_colour(index),
            marker=class_marker(index),
        )
    _square(axes, plane)
    for index, label in enumerate(labels):
        x, y = np.median(plane[truth == index], axis=0)
        name = axes.text(x, y, _short(label), ha="center", va="center", weight="bold")
        name.set_path_effects([withStroke(linewidth=3, foreground="white")])
    return _figure(
        canvas,
        f"{when.capitalize()}: silhouette {silhouette:.2f} in the full space",
        f"t-SNE of {len(plane)} test posts {when} fine-tuning, coloured by class. Silhouette in "
        f"the full space: {silhouette:.2f}.",
    )


def _square(axes: Axes, plane: np.ndarray) -> None:
    """A square around the plane, without ticks: distances and directions of t-SNE have no unit."""
    middle = (plane.max(axis=0) + plane.min(axis=0)) / 2
    half = 0.54 * float(np.ptp(plane, axis=0).max())
    axes.set_aspect("equal")
    axes.set(xlim=(middle[0] - half, middle[0] + half), ylim=(middle[1] - half, middle[1] + half))
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set(visible=True, color="#d0d0d0")


def _name_classes(axes: Axes, labels: Sequence[str], at: Sequence[float]) -> None:
    """The classes as ticks on both axes: upright where they are few and short, else slanted."""
    names = [_short(label) for label in labels]
    axes.set_xticks(at, names, color=INK)
    axes.set_yticks(at, names, color=INK)
    if len(names) > 2 or sum(map(len, names)) > 1.7 * LABEL_LENGTH:
        axes.set_xticks(at, names, rotation=40, ha="right", rotation_mode="anchor")
        axes.tick_params(labelsize=8)
    else:
        axes.set_yticks(at, names, rotation=90, va="center")
    axes.tick_params(length=0)


def _short(label: str) -> str:
    """The label, or its beginning and end: labels that differ late can still be told apart."""
    half = LABEL_LENGTH // 2
    return label if len(label) <= LABEL_LENGTH else f"{label[: half - 1]}…{label[-half:]}"


def _running_mean(values: np.ndarray, width: int) -> np.ndarray:
    """Mean over `width` values on either side, over fewer at the ends."""
    kernel = np.ones(2 * width + 1)
    total = np.convolve(values, kernel, mode="same")
    return total / np.convolve(np.ones_like(values), kernel, mode="same")


def _figure(canvas: Canvas, title: str, alt: str) -> Figure:
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # a box in the plot, text elsewhere
        canvas.draw_without_rendering()  # the layout's first round; it is right after the second
        # No software version or date inside, so that the same run draws the same bytes.
        canvas.savefig(buffer, format="png", metadata={"Software": None})
    return Figure(title, alt, base64.b64encode(buffer.getvalue()).decode("ascii"))
