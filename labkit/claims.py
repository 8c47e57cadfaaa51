"""Claims about measured numbers, as assertions for a project's own tests.

Each counts with the draw of the test posts: what holds must hold at the end of the 95 % interval that
speaks against it. A claim that fails says what was measured and by how much it misses.
"""

from typing import Protocol

import numpy as np

from labkit.evaluation.intervals import Estimate, paired_difference
from labkit.report.wording import percent, percent_interval


class Measured(Protocol):
    """A method on the test posts, as the stage `evaluations` has them."""

    @property
    def name(self) -> str: ...

    @property
    def hit_rate(self) -> np.ndarray:
        """For each post (posts,) 1 where it is right, else 0."""


def at_least(estimate: Estimate, threshold: float, what: str = "the measured value") -> None:
    """Claim that a value is at least `threshold`: the lower end of its interval is."""
    __tracebackhide__ = True
    if not estimate.low >= threshold:  # also where it is no number
        raise AssertionError(
            f"{what} is not beyond doubt at least {threshold:g}: measured {estimate.value:.4g} "
            f"({estimate.low:.4g} to {estimate.high:.4g})"
        )


def at_most(estimate: Estimate, threshold: float, what: str = "the measured value") -> None:
    """Claim that a value is at most `threshold`: the upper end of its interval is."""
    __tracebackhide__ = True
    if not estimate.high <= threshold:
        raise AssertionError(
            f"{what} is not beyond doubt at most {threshold:g}: measured {estimate.value:.4g} "
            f"({estimate.low:.4g} to {estimate.high:.4g})"
        )


def better(first: Measured, second: Measured, seed: int = 0) -> Estimate:
    """Claim that a method is right more often than another on the same posts (paired bootstrap).

    Returns the difference of their accuracies.
    """
    __tracebackhide__ = True
    return no_worse(first, second, margin=0.0, seed=seed)


def no_worse(first: Measured, second: Measured, margin: float, seed: int = 0) -> Estimate:
    """Claim that a method is at most `margin` (of the posts) less often right than another.

    A test of non-inferiority: the lower end of the paired difference lies above `-margin`. The margin is
    to be chosen before the numbers are seen. A negative one asks for that much more.
    """
    __tracebackhide__ = True
    difference = paired_difference(first.hit_rate, second.hit_rate, seed)
    least = (
        "no more often right" if margin == 0 else f"perhaps worse by more than {percent(margin)}"
    )
    if not difference.low > -margin:
        raise AssertionError(
            f"{first.name} is {least} than {second.name}, as far as these posts tell: "
            f"a difference of {percent_interval(difference)}"
        )
    return difference
