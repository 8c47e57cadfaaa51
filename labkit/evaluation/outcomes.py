"""How a model did on the behaviours; apart from the code that finds it out, for a warm run's imports."""

from dataclasses import dataclass

from labkit.evaluation.intervals import Estimate


@dataclass(frozen=True)
class Flip:
    """The smallest failure that was found: a text, what it was made from, and the two answers.

    `before` is empty where the text was made from none. `label` is the class that was asked for, -1
    for none; each answer is a class, -1 for none, with its probability.
    """

    before: str
    after: str
    label: int
    answer_before: tuple[int, float]
    answer_after: tuple[int, float]


@dataclass(frozen=True)
class Outcome:
    """How a model did on one behaviour.

    `rate` is the share of `cases` that failed, one for each post, drawn at random, with its Wilson
    interval. `searched` are the cases that the search for a failure looked at besides; they count
    for no rate. `flip` is what it found.
    """

    name: str
    kind: str
    claim: str
    cases: int
    rate: Estimate
    searched: int
    flip: Flip | None

    @property
    def failures(self) -> int:
        return round(self.rate.value * self.cases)
