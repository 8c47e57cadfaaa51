"""Plots of embeddings: similarities, and the t-SNE planes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import matplotlib
import numpy as np
from matplotlib.figure import Figure as Canvas

from labkit.report.blocks import MOST_NAMED, Figure, Planes, Point
from labkit.report.plots.style import (
    BLUE,
    COLUMN,
    INK,
    PAPER,
    STYLE,
    VERMILION,
    figure_of,
    name_classes,
)

HARDLY_APART = 0.1  # a silhouette


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
        axes.axhline(edge, color=PAPER, lw=2)
        axes.axvline(edge, color=PAPER, lw=2)
    present = sorted(set(topics))
    middles = [float(np.mean(np.flatnonzero(np.equal(topics, i)))) for i in present]
    name_classes(axes, [labels[i] for i in present], middles)
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
        "Rows and columns are the same sentences. A bright cell is a pair that the model finds "
        "alike; bright squares along the diagonal mean that it tells the topics apart.",
    )


@matplotlib.rc_context(STYLE)
def pair_histogram(same: np.ndarray, different: np.ndarray) -> Figure:
    """How similar pairs (pairs,) of the same topic are, over pairs of different topics."""
    canvas = Canvas(figsize=(COLUMN, 3.0))
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
        "The further the upper bars lie to the right of the lower ones, the better the model tells "
        "the topics apart. Where they overlap, a cosine alone does not decide.",
    )


def embedding_planes(
    planes: Mapping[str, np.ndarray],
    silhouettes: Mapping[str, float],
    points: Sequence[Point],
    labels: Sequence[str],
) -> Planes:
    """t-SNE planes (posts, 2) side by side, each a square as wide as it needs to be.

    `points` are the posts, in the order of the planes' rows, without their places.
    """
    squares = [_square(plane) for plane in planes.values()]
    placed = tuple(
        replace(point, places=tuple((float(x), float(y)) for x, y in places))
        for point, places in zip(points, np.stack(squares, axis=1).round(4), strict=True)
    )
    wrong = sum(point.predicted != point.truth for point in points)
    coloured = ", coloured by true class" if len(labels) <= MOST_NAMED else ""
    return Planes(
        "The test posts in the t-SNE plane, before and after fine-tuning",
        tuple(
            f"{when.capitalize()}: silhouette {silhouettes[when]:.2f} in the full space"
            for when in planes
        ),
        f"t-SNE of {len(points)} test posts{coloured}; the fine-tuned model is wrong on {wrong} of them.",
        "Each mark is a post; posts that the model finds alike lie together. Sizes of groups, distances "
        "between groups and directions mean little. A ring marks a post that the fine-tuned model "
        f"gets wrong.{looks_better(silhouettes)}",
        tuple(labels),
        placed,
    )


def looks_better(silhouettes: Mapping[str, float]) -> str:
    """That groups may be seen where there hardly are any; empty where there are some."""
    if silhouettes["before"] >= HARDLY_APART:
        return ""
    return (
        f" Before, colours may lean apart although the silhouette is {silhouettes['before']:.2f}: the "
        "picture can look better than the space is."
    )


def _square(plane: np.ndarray) -> np.ndarray:
    """The plane moved and scaled into the unit square, with a margin; t-SNE has no unit."""
    middle = (plane.max(axis=0) + plane.min(axis=0)) / 2
    side = 1.06 * max(float(np.ptp(plane, axis=0).max()), 1e-9)
    return np.asarray((plane - middle) / side + 0.5)
