"""Whether a classifier is as often right as it is sure, and in which direction it is not.

The binned error (Guo et al. 2017, https://arxiv.org/abs/1706.04599, equation 3) has no direction
and is above 0 even for a perfect model, since a bin of few posts is right by luck more or less
often than it is sure. So it stands beside what a perfect model would show on as many posts, and
beside the signed difference, which is a plain mean and has an interval that is right.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from labkit.evaluation.intervals import CELLS, Estimate, bootstrap

BINS = 10
SIMULATIONS = 1000
COLDEST, HOTTEST = 0.05, 20.0  # temperatures that are tried


@dataclass(frozen=True)
class Calibration:
    """Reliability of confidences: per bin the posts, their mean confidence and their accuracy.

    `sureness` is the mean confidence, `gap` that less the accuracy: above 0 the model is surer than
    it is right. Its interval covers the draw of the test posts. `error` is the binned error.
    """

    sureness: float
    gap: Estimate
    error: float
    counts: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray


@dataclass(frozen=True)
class Perfect:
    """The binned error of a model whose confidences are right: its mean, and what 95 % stay below.

    `p_value` is the share of such models that come to the observed error or more.
    """

    mean: float
    high: float
    p_value: float


def calibration(probabilities: np.ndarray, truth: np.ndarray, seed: int) -> Calibration:
    """Of probabilities (posts, classes) and class indices (posts,), over equal-width bins.

    Empty bins have NaN confidence and accuracy.
    """
    confidence = probabilities.max(axis=1)
    correct = (probabilities.argmax(axis=1) == truth).astype(float)
    bin_of = bins_of(confidence)
    counts = np.bincount(bin_of, minlength=BINS)
    with np.errstate(invalid="ignore"):
        means = [np.bincount(bin_of, values, BINS) / counts for values in (confidence, correct)]
    apart = confidence - correct
    gap = bootstrap(lambda rows: apart[rows].mean(axis=1), len(apart), seed)
    error = float(binned_error(confidence, correct[np.newaxis])[0])
    return Calibration(float(confidence.mean()), gap, error, counts, *means)


def bins_of(confidence: np.ndarray) -> np.ndarray:
    """The bin of each post (posts,), the last of which holds certainty."""
    return np.minimum((confidence * BINS).astype(int), BINS - 1)


def binned_error(confidence: np.ndarray, correct: np.ndarray) -> np.ndarray:
    """The binned error of each row of `correct` (rows, posts) for confidences (posts,)."""
    members = np.eye(BINS)[bins_of(confidence)]
    return np.abs((confidence - correct) @ members).sum(axis=1) / len(confidence)


def perfect(probabilities: np.ndarray, observed: float, seed: int) -> Perfect:
    """What models show that are right exactly as often as these probabilities say."""
    confidence = probabilities.max(axis=1)
    rng = np.random.default_rng(seed)
    block = max(1, CELLS // len(confidence))
    errors = np.concatenate(
        [
            binned_error(
                confidence,
                (
                    rng.random((min(block, SIMULATIONS - start), len(confidence))) < confidence
                ).astype(float),
            )
            for start in range(0, SIMULATIONS, block)
        ]
    )
    reached = int(np.count_nonzero(errors >= observed))
    p_value = (reached + 1) / (SIMULATIONS + 1)
    return Perfect(float(errors.mean()), float(np.quantile(errors, 0.95)), p_value)


def temperature(logits: np.ndarray, truth: np.ndarray) -> float:
    """The temperature by which logits (posts, classes) have the lowest mean loss.

    Guo et al. 2017, section 4.2: below 1 it makes a model surer. To be fitted on validation posts.
    """
    rows = np.arange(len(truth))
    wide = logits.astype(np.float64)

    def loss(log_temperature: float) -> float:
        scaled = log_softmax(wide / np.exp(log_temperature), axis=1)
        return -float(scaled[rows, truth].mean())

    limits = np.log([COLDEST, HOTTEST])
    return float(np.exp(minimize_scalar(loss, bounds=limits, method="bounded").x))
