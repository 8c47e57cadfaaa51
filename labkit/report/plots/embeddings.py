"""Plots of embeddings: similarities, and the t-SNE planes."""

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.patheffects import withStroke

from labkit.report.blocks import Figure, Panels
from labkit.report.plots.style import (
    BLUE,
    COLUMN,
    INK,
    STYLE,
    VERMILION,
    class_colour,
    class_marker,
    figure_of,
    name_classes,
    short,
)


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
    name_classes(axes, labels, middles)
    axes.spines[:].set_visible(False)
    bar = canvas.colorbar(image, shrink=0.85)
    bar.set_label("cosine similarity")
    bar.outline.set_visible(False)
    same = np.equal.outer(topics, topics)
    off_diagonal = ~np.eye(len(topics), dtype=bool)
    return figure_of(
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
    return figure_of(
        canvas,
        "Pairs about the same topic and about different ones",
        f"Two histograms of cosine similarity: {len(same)} pairs of the same topic with mean "
        f"{same.mean():.2f}, {len(different)} pairs of different topics with mean "
        f"{different.mean():.2f}.",
    )


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
            x, y, s=16, alpha=0.65, lw=0, color=class_colour(index), marker=class_marker(index)
        )
    _square(axes, plane)
    for index, label in enumerate(labels):
        x, y = np.median(plane[truth == index], axis=0)
        name = axes.text(x, y, short(label), ha="center", va="center", weight="bold")
        name.set_path_effects([withStroke(linewidth=3, foreground="white")])
    return figure_of(
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
