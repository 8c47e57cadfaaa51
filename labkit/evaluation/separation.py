"""How clearly the classes stand apart in embedding space.

Measured with the silhouette in the full space (Rousseeuw 1987,
https://doi.org/10.1016/0377-0427(87)90125-7) against a permutation null; t-SNE only draws, since
distances in its plane mean little (Wattenberg et al. 2016, https://doi.org/10.23915/distill.00002).
"""

from dataclasses import dataclass

import numpy as np
from sklearn.manifold import TSNE
from sklearn.metrics import pairwise_distances

SAMPLE = 1000  # posts at most; silhouette is quadratic in them
PERMUTATIONS = 200


@dataclass(frozen=True)
class Separation:
    """Mean silhouette in [-1, 1], and its largest value over shuffled labels."""

    silhouette: float
    null_high: float
    p_value: float


@dataclass(frozen=True)
class Separations:
    """The classes before and after the fine-tune, and the t-SNE planes (rows, 2) of both.

    All on the test posts with these row numbers.
    """

    before: Separation
    after: Separation
    rows: np.ndarray
    plane_before: np.ndarray
    plane_after: np.ndarray


def compare(before: np.ndarray, after: np.ndarray, labels: np.ndarray, seed: int) -> Separations:
    """Measure and draw two embeddings (posts, dim) of the same posts with their class indices."""
    rows = subsample(labels, seed)
    spaces = before[rows], after[rows]
    measured = [separation(space, labels[rows], seed) for space in spaces]
    planes = [tsne(space, seed) for space in spaces]
    return Separations(measured[0], measured[1], rows, planes[0], planes[1])


def subsample(labels: np.ndarray, seed: int, size: int = SAMPLE) -> np.ndarray:
    """Sorted row numbers of a random subsample, or all rows where there are no more than `size`."""
    if len(labels) <= size:
        return np.arange(len(labels))
    return np.sort(np.random.default_rng(seed).permutation(len(labels))[:size])


def silhouette(distances: np.ndarray, labels: np.ndarray) -> float:
    """Mean silhouette from a distance matrix (posts, posts) and class indices (posts,).

    The same as scikit-learn's `silhouette_score(metric="precomputed")`, but as two matrix
    products, so that hundreds of permutations of the labels cost little. Classes of one post
    count 0, as there.
    """
    classes, index = np.unique(labels, return_inverse=True)
    members = np.eye(len(classes))[index]
    counts = members.sum(axis=0)
    sums = distances @ members
    own_count = counts[index]
    rows = np.arange(len(labels))
    own = sums[rows, index] / np.maximum(own_count - 1, 1)
    means = sums / counts
    means[rows, index] = np.inf
    other = means.min(axis=1)
    scores = (other - own) / np.maximum(np.maximum(own, other), np.finfo(float).tiny)
    return float(np.where(own_count > 1, scores, 0.0).mean())


def separation(
    embeddings: np.ndarray, labels: np.ndarray, seed: int, permutations: int = PERMUTATIONS
) -> Separation:
    """Silhouette of `embeddings` (posts, dim) by Euclidean distance, with a permutation null."""
    distances = pairwise_distances(embeddings.astype(np.float64))
    rng = np.random.default_rng(seed)
    observed = silhouette(distances, labels)
    null = [silhouette(distances, rng.permutation(labels)) for _ in range(permutations)]
    exceeding = sum(value >= observed for value in null)
    return Separation(observed, max(null), (exceeding + 1) / (permutations + 1))


def tsne(embeddings: np.ndarray, seed: int) -> np.ndarray:
    """The t-SNE plane (posts, 2) of van der Maaten and Hinton 2008; perplexity fits few posts."""
    perplexity = min(30.0, (len(embeddings) - 1) / 3)
    plane = TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(embeddings)
    return np.asarray(plane, dtype=np.float32)
