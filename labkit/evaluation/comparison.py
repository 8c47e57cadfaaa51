"""Two methods on the same test posts, post by post."""

from dataclasses import dataclass

import numpy as np

from labkit.evaluation.intervals import Estimate, mcnemar, over_trainings, paired_difference
from labkit.evaluation.metrics import Draws, Evaluations, Method


@dataclass(frozen=True)
class Paired:
    """How much more often a method is right than another on the same test posts.

    `difference` is in shares of the posts; its interval covers the draw of the test posts and, of
    a method that was trained with several seeds, that of the training. `only_first` and `only_second` are the posts that one of the two alone got
    right, and `p_value` that of McNemar's exact test on them: of a method that was drawn several
    times, the first draw's.
    """

    first: str
    second: str
    posts: int
    difference: Estimate
    only_first: int
    only_second: int
    p_value: float

    @property
    def verdict(self) -> str:
        """`better` or `worse` where all of the interval says so, else `alike`."""
        if self.difference.low > 0:
            return "better"
        return "worse" if self.difference.high < 0 else "alike"


def against(first: Method, second: Method, seed: int) -> Paired:
    """Compare two methods on the test posts that both were asked about."""
    rows = second.rows if first.rows is None else first.rows

    def on_those(method: Method, values: np.ndarray) -> np.ndarray:
        return values if method.rows is not None or rows is None else values[rows]

    right = [on_those(method, method.correct) for method in (first, second)]
    rates = [on_those(method, method.hit_rate) for method in (first, second)]
    difference = paired_difference(rates[0], rates[1], seed)
    for method, sign in ((first, 1), (second, -1)):
        trainings = difference.value + sign * method.changes
        difference = over_trainings(difference, trainings, lowest=-1.0)
    return Paired(
        first.name,
        second.name,
        len(right[0]),
        difference,
        int(np.count_nonzero(right[0] & ~right[1])),
        int(np.count_nonzero(right[1] & ~right[0])),
        mcnemar(right[0], right[1]),
    )


def all_against(evaluations: Evaluations, method: str, seed: int) -> list[Paired]:
    """Every other method against one, best first; a method of several draws is left out."""
    pairs = [
        against(evaluation, evaluations[method], seed)
        for name, evaluation in evaluations.items()
        if name != method and not isinstance(evaluation, Draws)
    ]
    return sorted(pairs, key=lambda pair: -pair.difference.value)
