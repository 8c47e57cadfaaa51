"""What an answer is made of: a sentence, measured values, gates, and blocks for the report."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from labkit.evaluation.gates import GATES, Gate, GateResult, judge
from labkit.exercises import BY_ID, Exercise
from labkit.report.blocks import Block


@dataclass(frozen=True)
class Answer:
    """The answer to one exercise.

    `headline` is the answer in at most 60 characters, `sentence` in full: one paragraph or several,
    with a blank line between two, the result first. `values` are the
    measured numbers by name; an interval adds `<name>_low` and `<name>_high`.
    `gates` are those of the run, with the values measured for them.
    """

    exercise: str
    headline: str
    sentence: str
    values: Mapping[str, Any]
    blocks: tuple[Block, ...] = ()
    gates: tuple[GateResult, ...] = ()

    def judged(self, limits: Mapping[str, float], gates: Sequence[Gate] = GATES) -> "Answer":
        """The answer with its gates, whose thresholds are `limits` by name.

        A gate without a threshold does not apply.
        """
        return replace(self, gates=judge(self.exercise, self.values, limits, gates))

    @property
    def holds(self) -> bool:
        return all(result.holds for result in self.gates)

    def check(self, name: str) -> None:
        """Raise AssertionError with the claim, the numbers and a hint where a gate fails."""
        __tracebackhide__ = True  # a failed test shows its own line and this message
        (result,) = (result for result in self.gates if result.gate.name == name)
        if not result.holds:
            raise AssertionError(result.explain())

    def properties(self, name: str) -> list[tuple[str, Any]]:
        """The gate `name` and all measured values as pairs, for JUnit XML."""
        (result,) = (result for result in self.gates if result.gate.name == name)
        gate = result.gate
        return [
            ("gate", name),
            ("measured", result.measured),
            ("direction", gate.sign),
            ("threshold", gate.threshold),
            *((f"value.{value}", measured) for value, measured in self.values.items()),
        ]

    def to_dict(self, exercises: Mapping[str, Exercise] = BY_ID) -> dict[str, Any]:
        """The entry of `answers.json`: everything but the blocks."""
        exercise = exercises[self.exercise]
        return {
            "id": self.exercise,
            "number": exercise.number,
            "question": exercise.question,
            "headline": self.headline,
            "answer": self.sentence,
            "values": {name: finite(value) for name, value in self.values.items()},
            "gates": [
                {
                    "name": result.gate.name,
                    "direction": result.gate.sign,
                    "threshold": result.gate.threshold,
                    "unit": result.gate.unit,
                    "measured": finite(result.measured),
                    "holds": result.holds,
                }
                for result in self.gates
            ],
        }


def finite(value: Any) -> Any:
    """The value, or None for a number that is NaN or infinite, which JSON cannot say."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
