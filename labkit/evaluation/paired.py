"""Two classifiers on the same posts: is one as good as the other, and what could have been seen?

A difference that is not significant is no proof that there is none. That the two are equivalent is a
claim of its own, with a tolerance: two one-sided tests (Schuirmann 1987,
https://doi.org/10.1007/BF01068419), here of a paired difference of shares, by the score test of
Tango 1998 (https://doi.org/10.1002/(SICI)1097-0258(19980430)17:8<891::AID-SIM780>3.0.CO;2-B).

A test over posts, such as McNemar's, says whether these two models differ. Whether the two ways to
train do is another question, since a second training with another seed differs too (Bouthillier et
al. 2021, "Accounting for variance in machine learning benchmarks", https://arxiv.org/abs/2103.03098).
So what luck explains is the larger of the two: the draw of the posts, and that of the seed.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import binom, norm, t

LEVEL = 0.05  # of a one-sided test of equivalence, and of a two-sided one of difference
POWER = 0.8
FEWEST = 3  # trainings that say how much another seed changes
WITH_SEED = "accuracy_with_seed_"  # then the seed: what a further training of a run got right


@dataclass(frozen=True)
class SeedSpread:
    """Standard deviation of a number over `trainings` that differ in nothing but their seed."""

    deviation: float
    trainings: int

    @property
    def luck(self) -> float:
        """The difference that two such trainings exceed in one of twenty pairs (Student's t)."""
        quantile = t.ppf(1 - LEVEL / 2, self.trainings - 1)
        return float(quantile * math.sqrt(2) * self.deviation)

    @property
    def detectable(self) -> float:
        """The difference of two ways to train that is beyond this luck in four pairs of five."""
        return self.luck + float(norm.ppf(POWER)) * math.sqrt(2) * self.deviation


def seed_spread(values: Sequence[float]) -> SeedSpread | None:
    """The spread of a number over trainings; None where they are too few to tell."""
    if len(values) < FEWEST:
        return None
    return SeedSpread(float(np.std(values, ddof=1)), len(values))


def discordant(before: np.ndarray, after: np.ndarray) -> tuple[int, int]:
    """How many posts were got right only before, and only after; both are (posts,) booleans."""
    return int(np.sum(before & ~after)), int(np.sum(after & ~before))


def not_worse(lost: int, won: int, posts: int, tolerance: float) -> float:
    """P-value of the claim that the share of right answers has not fallen by `tolerance` or more.

    `lost` posts were got right only before, `won` only after. Tango's score statistic at a true
    difference of -tolerance.
    """
    if posts == 0:
        return 1.0
    # The likeliest share of won posts if the difference were just the tolerance (Tango's q21).
    a = 2 * posts
    b = -lost - won + (2 * posts + won - lost) * tolerance
    c = -won * tolerance * (1 - tolerance)
    share = (math.sqrt(max(0.0, b * b - 4 * a * c)) - b) / (2 * a)
    spread = posts * (2 * share + tolerance * (1 - tolerance))
    if spread <= 0:
        return 0.0 if won - lost > -posts * tolerance else 1.0
    return float(norm.sf((won - lost + posts * tolerance) / math.sqrt(spread)))


def equivalence(lost: int, won: int, posts: int, tolerance: float) -> float:
    """P-value of the claim that the shares differ by less than `tolerance`, either way."""
    return max(not_worse(lost, won, posts, tolerance), not_worse(won, lost, posts, tolerance))


def luck(lost: int, won: int, posts: int, spread: SeedSpread | None = None) -> float:
    """The largest difference of two shares of right answers that luck explains, at 5 % two-sided.

    Of the posts by McNemar's test with Edwards' correction, which follows the exact one; of the seed
    by the spread, where it is known. A change is what exceeds both.
    """
    if posts == 0:
        return 1.0
    of_posts = (1 + norm.ppf(1 - LEVEL / 2) * math.sqrt(lost + won)) / posts
    return max(float(of_posts), spread.luck if spread else 0.0)


def detectable(lost: int, won: int, posts: int, spread: SeedSpread | None = None) -> float:
    """The smallest difference that is beyond luck in four runs of five; 1 where none is.

    Over posts by the exact McNemar test at 5 %, where as large a share of the posts as here, or as the
    difference needs, is got right by only one of the two; over seeds by the spread.
    """
    if posts == 0 or power_of(1.0, 1.0, posts) < POWER:
        return 1.0
    flips = (lost + won) / posts
    low, high = 0.0, 1.0
    while high - low > 1e-4:
        middle = (low + high) / 2
        enough = power_of(middle, max(flips, middle), posts) >= POWER
        low, high = (low, middle) if enough else (middle, high)
    return max(high, min(1.0, spread.detectable) if spread else 0.0)


def power_of(difference: float, flips: float, posts: int) -> float:
    """How often McNemar's exact test sees a difference, where a share `flips` of posts turns."""
    low, high = binom.ppf((1e-9, 1 - 1e-9), posts, flips) if flips < 1 else (posts, posts)
    turned = np.arange(max(0, low), high + 1)
    fewest = binom.ppf(LEVEL / 2, turned, 0.5)  # at most so many the rarer way, or one fewer
    fewest -= binom.cdf(fewest, turned, 0.5) > LEVEL / 2
    rarer = (flips - difference) / (2 * flips)
    seen = binom.cdf(fewest, turned, rarer) + binom.cdf(fewest, turned, 1 - rarer)
    return float(np.sum(binom.pmf(turned, posts, flips) * seen))


def holm(p_values: list[float]) -> list[float]:
    """The p-values, corrected for how many they are (Holm 1979)."""
    order = np.argsort(p_values, kind="stable")
    corrected, highest = [0.0] * len(p_values), 0.0
    for rank, at in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[at]))
        corrected[at] = highest
    return corrected
