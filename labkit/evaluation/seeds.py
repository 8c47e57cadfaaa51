"""Comparisons over posts and over seeds at once: both are drawn, so both are resampled."""

import numpy as np

from labkit.evaluation.intervals import CONFIDENCE, RESAMPLES, Estimate
from labkit.training.history import Sweep

NO_NUMBER = 10.0  # nats: more than any class is surprising, exp(-10) being 1 in 22,000


def mean_over_seeds(values: np.ndarray, seed: int) -> Estimate:
    """Mean of `values` (seeds, posts), its interval by resampling seeds and posts (Efron 1979).

    The seeds are few: such an interval is rather too narrow than too wide.
    """
    rng = np.random.default_rng(seed)
    seeds, posts = values.shape
    means = [
        values[rng.integers(0, seeds, seeds)][:, rng.integers(0, posts, posts)].mean()
        for _ in range(RESAMPLES)
    ]
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(means, (tail, 1 - tail))
    return Estimate(float(values.mean()), float(low), float(high))


def gain_of(sweep: Sweep, rate: float, seed: int) -> Estimate:
    """How much less validation loss (nats) another rate has than the recipe's, post by post.

    A loss that is no number counts as `NO_NUMBER`, so that a training that diverged loses to any.
    """
    pairs = zip(sweep.at(sweep.rate), sweep.at(rate), strict=False)  # the recipe has more seeds
    own, other = np.stack([(one.losses, two.losses) for one, two in pairs], axis=1)
    own, other = (np.nan_to_num(one, nan=NO_NUMBER, posinf=NO_NUMBER) for one in (own, other))
    return mean_over_seeds(own - other, seed)


def better_neighbour(sweep: Sweep, seed: int) -> tuple[float, Estimate]:
    """Of the rates beside the recipe's the one that gains most for certain, and its gain."""
    gains = [(rate, gain_of(sweep, rate, seed)) for rate in sweep.neighbours]
    return max(gains, key=lambda found: found[1].low)
