"""How clearly the classes stand apart in embedding space.

Measured with the silhouette in the full space (Rousseeuw 1987,
https://doi.org/10.1016/0377-0427(87)90125-7) against a permutation null; t-SNE only draws, since
distances in its plane mean little (Wattenberg et al. 2016, https://doi.org/10.23915/distill.00002).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sklearn.manifold import TSNE
from sklearn.metrics import pairwise_distances

from labkit.evaluation.finite import check_finite
from labkit.evaluation.intervals import Estimate, bootstrap

Draw = Callable[[np.ndarray, int], np.ndarray]  # (posts, dim) and a seed to a plane (posts, 2)
SAMPLE = 1000  # posts at most; silhouette is quadratic in them
PERMUTATIONS = 200


@dataclass(frozen=True)
class Separation:
    """Mean silhouette in [-1, 1], and what shuffled labels of the same posts come to.

    95 % of the shuffles stay below `null_95`; `p_value` is the share that reach the silhouette,
    the observed labels counted as one of them (Phipson and Smyth 2010,
    https://doi.org/10.2202/1544-6115.1585).
    """

    silhouette: float
    null_95: float
    p_value: float


@dataclass(frozen=True)
class Separations:
    """The classes before and after the fine-tune, and the t-SNE planes (rows, 2) of both.

    All on the test posts with these row numbers. `gain` is how much larger the silhouette is after;
    its interval covers the draw of the test posts.
    """

    before: Separation
    after: Separation
    gain: Estimate
    rows: np.ndarray
    plane_before: np.ndarray
    plane_after: np.ndarray

    @property
    def gain_beyond_null(self) -> float:
        """The lower end of the gain, less what 95 % of shuffled labels stay below after."""
        return self.gain.low - max(0.0, self.after.null_95)


def tsne(embeddings: np.ndarray, seed: int) -> np.ndarray:
    """The t-SNE plane (posts, 2) of van der Maaten and Hinton 2008; perplexity fits few posts."""
    perplexity = min(30.0, (len(embeddings) - 1) / 3)
    plane = TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(embeddings)
    return np.asarray(plane, dtype=np.float32)


def compare(
    before: np.ndarray, after: np.ndarray, labels: np.ndarray, seed: int, draw: Draw = tsne
) -> Separations:
    """Measure and draw two embeddings (posts, dim) of the same posts with their class indices.

    Raises LabError for embeddings that are no numbers.
    """
    check_finite(before, "embeddings before fine-tuning", "base_embeddings")
    check_finite(after, "embeddings after fine-tuning", "predictions")
    rows = subsample(labels, seed)
    own, spaces = labels[rows], (before[rows], after[rows])
    distances = [pairwise_distances(space.astype(np.float64)) for space in spaces]
    measured = [separation(space, own, seed) for space in distances]
    moved = np.subtract(*(silhouettes(space, own) for space in reversed(distances)))
    gain = bootstrap(lambda drawn: moved[drawn].mean(axis=1), len(moved), seed)
    planes = [draw(space, seed) for space in spaces]
    return Separations(measured[0], measured[1], gain, rows, planes[0], planes[1])


def subsample(labels: np.ndarray, seed: int, size: int = SAMPLE) -> np.ndarray:
    """Sorted row numbers of a random subsample, or all rows where there are no more than `size`."""
    if len(labels) <= size:
        return np.arange(len(labels))
    return np.sort(np.random.default_rng(seed).permutation(len(labels))[:size])


def silhouettes(distances: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Silhouette of each post (posts,) from distances (posts, posts) and class indices (posts,).

    The same as scikit-learn's `silhouette_samples(metric="precomputed")`, but as two matrix
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
    return np.where(own_count > 1, scores, 0.0)


def separation(
    distances: np.ndarray, labels: np.ndarray, seed: int, permutations: int = PERMUTATIONS
) -> Separation:
    """Mean silhouette from a distance matrix (posts, posts), with its own permutation null."""
    rng = np.random.default_rng(seed)
    observed = float(silhouettes(distances, labels).mean())
    null = np.array(
        [silhouettes(distances, rng.permutation(labels)).mean() for _ in range(permutations)]
    )
    exceeding = int(np.count_nonzero(null >= observed))
    p_value = (exceeding + 1) / (permutations + 1)
    return Separation(observed, float(np.quantile(null, 0.95)), p_value)
