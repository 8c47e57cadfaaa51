"""How sure a measured number is: intervals and paired comparisons.

All resampling is over posts, vectorised and seeded; 95 % intervals throughout.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import stats
from scipy.sparse import csr_array

CONFIDENCE = 0.95
RESAMPLES = 2000
CELLS = 2_000_000  # resampled rows held in memory at once


@dataclass(frozen=True)
class Estimate:
    """A measured value between the ends of its 95 % interval."""

    value: float
    low: float
    high: float


def accuracy(correct: np.ndarray) -> Estimate:
    """Share of true entries of `correct` (posts,) with its Wilson score interval.

    Wilson 1927; for small samples and shares near 1 it keeps its promise where the normal
    approximation does not (Brown, Cai and DasGupta 2001, https://doi.org/10.1214/ss/1009213286).
    """
    if len(correct) == 0:
        raise ValueError("the accuracy of no posts is not a number")
    hits = int(np.count_nonzero(correct))
    interval = stats.binomtest(hits, len(correct)).proportion_ci(CONFIDENCE, method="wilson")
    return Estimate(hits / len(correct), float(interval.low), float(interval.high))


def bootstrap(
    statistic: Callable[[np.ndarray], np.ndarray], size: int, seed: int, resamples: int = RESAMPLES
) -> Estimate:
    """Percentile bootstrap of a statistic of `size` posts (Efron 1979).

    `statistic` takes row indices (resamples, size) and returns one value for each resample; a
    resample on which it is not defined (NaN) is left out.
    """
    if size == 0:
        raise ValueError("there are no posts to resample")
    rng = np.random.default_rng(seed)
    block = max(1, CELLS // size)
    values = np.concatenate(
        [
            statistic(rng.integers(0, size, (min(block, resamples - start), size)))
            for start in range(0, resamples, block)
        ]
    )
    tail = (1 - CONFIDENCE) / 2
    low, high = np.nanquantile(values, (tail, 1 - tail))
    point = float(statistic(np.arange(size)[None])[0])
    return Estimate(point, float(low), float(high))


def paired_difference(better: np.ndarray, worse: np.ndarray, seed: int) -> Estimate:
    """Accuracy of `better` minus accuracy of `worse` on the same posts, paired bootstrap.

    Both are (posts,) arrays of correctness: booleans, or means over several runs in [0, 1]. With
    them exchanged, it is the same interval with the other sign.
    """
    difference = np.asarray(better, dtype=float) - worse
    if len(difference) == 0:
        raise ValueError("there are no posts to resample")
    differing = difference[difference != 0]
    if differing.sum() < 0 or (differing.sum() == 0 and len(differing) and differing[0] < 0):
        turned = paired_difference(worse, better, seed)
        return Estimate(-turned.value, -turned.high, -turned.low)
    values, counts = np.unique(difference, return_counts=True)
    return drawn_counts(lambda drawn: drawn @ values / drawn.sum(axis=1), counts, seed)


def drawn_counts(
    statistic: Callable[[np.ndarray], np.ndarray], counts: np.ndarray, seed: int
) -> Estimate:
    """The same bootstrap of a statistic that depends only on how many posts are of each kind.

    Of posts drawn with replacement these counts are multinomial, so they are drawn themselves, from
    `counts` (kinds,): that takes the same for many posts as for few. `statistic` takes counts
    (resamples, kinds) and returns one value for each resample.
    """
    rng = np.random.default_rng(seed)
    posts, block = counts.sum(), max(1, CELLS // len(counts))
    values = np.concatenate(
        [
            statistic(rng.multinomial(posts, counts / posts, min(block, RESAMPLES - start)))
            for start in range(0, RESAMPLES, block)
        ]
    )
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(values, (tail, 1 - tail))
    return Estimate(float(statistic(counts[None])[0]), float(low), float(high))


def over_trainings(kept: Estimate, values: np.ndarray, lowest: float = 0.0) -> Estimate:
    """The interval of `kept` widened by the draw of the training; its value stays.

    `values` (trainings,) are the same number for trainings that differ in the seed alone, that of
    `kept` among them. What is covered is their mean over all seeds there could be, on posts like
    these: the distances of two intervals are added in quadrature (MOVER, Zou and Donner 2008,
    https://doi.org/10.1002/sim.3095), that of the posts and Student's for the mean of so few
    trainings. The two draws are independent (Bouthillier et al. 2021,
    https://arxiv.org/abs/2103.03098). One training says nothing of others: `kept` as it is.
    """
    if len(values) < 2:
        return kept
    middle, error = values.mean(), stats.sem(values)
    trainings = error * stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1)
    low = middle - np.hypot(kept.value - kept.low, trainings)
    high = middle + np.hypot(kept.high - kept.value, trainings)
    return Estimate(kept.value, max(float(low), lowest), min(float(high), 1.0))


def mcnemar(first: np.ndarray, second: np.ndarray) -> float:
    """Exact two-sided p-value that two classifiers err equally often on the same posts.

    McNemar 1947: among the posts that only one of them got right, a fair coin decides which.
    """
    only_first = int(np.count_nonzero(first & ~second))
    only_second = int(np.count_nonzero(second & ~first))
    if only_first + only_second == 0:
        return 1.0
    return float(stats.binomtest(only_first, only_first + only_second).pvalue)


def cochran_q(correct: np.ndarray) -> float:
    """P-value that several classifiers are right equally often on the same posts.

    `correct` is (classifiers, posts), boolean. Cochran 1950, https://doi.org/10.2307/2332378:
    McNemar's test for more than two; posts that all got right, or all wrong, say nothing. The
    chi-square approximation wants some dozens of posts on which they differ.
    """
    classifiers = len(correct)
    by_post = correct.sum(axis=0)
    spread = np.sum(by_post * (classifiers - by_post))
    if spread == 0:
        return 1.0
    between = np.sum((correct.sum(axis=1) - correct.sum() / classifiers) ** 2)
    q = classifiers * (classifiers - 1) * between / spread
    return float(stats.chi2.sf(q, classifiers - 1))


def confusion(truth: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Counts (..., classes, classes), true class by row, over the last axis of the inputs."""
    cells = truth * classes + predicted
    flat = cells.reshape(-1, cells.shape[-1])
    offset = np.arange(len(flat))[:, None] * classes**2
    counts = np.bincount((flat + offset).ravel(), minlength=len(flat) * classes**2)
    return counts.reshape(*cells.shape[:-1], classes, classes)


def macro_f1_of(counts: np.ndarray) -> np.ndarray:
    """Unweighted mean of the classes' F1 from confusion counts (..., classes, classes).

    A class that is neither true nor predicted anywhere counts 0, as in scikit-learn with
    `zero_division=0` and all labels given.
    """
    hits = np.diagonal(counts, axis1=-2, axis2=-1)
    total = counts.sum(axis=-1) + counts.sum(axis=-2)
    f1 = np.divide(2.0 * hits, total, out=np.zeros(hits.shape), where=total > 0)
    return f1.mean(axis=-1)


def macro_f1(truth: np.ndarray, predicted: np.ndarray, classes: int, seed: int) -> Estimate:
    """Macro F1 of predicted class indices (posts,) with its percentile bootstrap interval.

    It depends on how many posts are in each cell of the confusion matrix and on nothing else.
    """
    if len(truth) == 0:
        raise ValueError("there are no posts to resample")
    cells, counts = np.unique(truth * classes + predicted, return_counts=True)
    rows, columns = np.divmod(cells, classes)
    shape, order = (len(cells), classes), np.arange(len(cells))
    is_of = csr_array((np.ones(len(cells)), (order, rows)), shape)
    said = csr_array((np.ones(len(cells)), (order, columns)), shape)
    right = csr_array(((rows == columns).astype(float), (order, rows)), shape)

    def f1(drawn: np.ndarray) -> np.ndarray:
        total = drawn @ is_of + drawn @ said
        each = np.divide(2 * (drawn @ right), total, out=np.zeros(total.shape), where=total > 0)
        return np.asarray(each.mean(axis=1))

    return drawn_counts(f1, counts, seed)
