"""The gates: every threshold that a run must hold, each written once.

A gate compares one measured number with a threshold. A number that is missing or NaN fails.
`labkit/exercises.toml` has the thresholds; the user's own come on top. Thresholds are not part of a run's fingerprint: changing one computes nothing anew.
"""

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from labkit.errors import LabError
from labkit.exercises import BY_ID, TABLE, Exercise

DIRECTIONS: Mapping[str, tuple[str, Callable[[float, float], bool]]] = {
    "at_least": (">=", operator.ge),
    "above": (">", operator.gt),
    "at_most": ("<=", operator.le),
}


@dataclass(frozen=True)
class Gate:
    """A threshold on the measured value `name` of an exercise.

    `direction` is `at_least`, `above` (a tie fails) or `at_most`; `claim` says in words what holds
    when it passes, `hint` what a failure may mean and where to look. The measured number can lie
    between `low` and `high`; a threshold outside would always hold or always fail.
    """

    name: str
    exercise: str
    direction: str
    threshold: float
    unit: str
    claim: str
    hint: str
    low: float = -math.inf
    high: float = math.inf
    of_training: bool = False  # says nothing about a model that was trained elsewhere
    of_labs_posts: bool = False  # its threshold was made for them; on others the user's applies
    question: str = ""  # of its exercise

    @property
    def sign(self) -> str:
        return DIRECTIONS[self.direction][0]

    @property
    def higher_is_better(self) -> bool:
        return self.direction != "at_most"

    def allows(self, measured: float) -> bool:
        """Whether a measured number is on the right side of the threshold."""
        return DIRECTIONS[self.direction][1](measured, self.threshold)


@dataclass(frozen=True)
class GateResult:
    """A gate with the number that was measured for it; None where there is none."""

    gate: Gate
    measured: float | None

    @property
    def holds(self) -> bool:
        if self.measured is None or not math.isfinite(self.measured):
            return False
        return self.gate.allows(self.measured)

    @property
    def shown(self) -> str:
        """The measured number with four digits, or with all where four would hide a failure."""
        if self.measured is None:
            return "nothing"
        short = f"{self.measured:.4g}"
        hides = not self.holds and float(short) == self.gate.threshold
        return f"{self.measured!r}" if hides else short

    def explain(self) -> str:
        """The claim, its question, measured against threshold, what it may mean, where to look."""
        return (
            f"{self.gate.claim}\n"
            f"  question: {self.gate.question}\n"
            f"  measured: {self.shown} {self.gate.unit}\n"
            f"  gate:     {self.gate.name} {self.gate.sign} "
            f"{self.gate.threshold:g} {self.gate.unit}\n"
            f"  hint:     {self.gate.hint}"
        )


def gate_of(exercise: str, entry: Mapping[str, Any]) -> Gate:
    """The gate that a table of `labkit/exercises.toml` describes."""
    (direction,) = DIRECTIONS.keys() & entry.keys()
    rest = {name: value for name, value in entry.items() if name != direction}
    return Gate(exercise=exercise, direction=direction, threshold=entry[direction], **rest)


GATES = tuple(
    gate_of(part["id"], {**entry, "question": part["question"]})
    for part in TABLE["exercise"]
    for entry in part["gate"]
)
PROFILE_THRESHOLDS: dict[str, dict[str, float]] = TABLE["thresholds"]


def gates_of(exercise: str, gates: Sequence[Gate] = GATES) -> tuple[Gate, ...]:
    """The gates that belong to an exercise, in order."""
    return tuple(gate for gate in gates if gate.exercise == exercise)


def thresholds(
    profile: str,
    overrides: Mapping[str, float],
    trains: bool = True,
    labs_posts: bool = True,
    gates: Sequence[Gate] = GATES,
) -> dict[str, float]:
    """Every gate's threshold by name: the user's, else the profile's, else the gate's own.

    A run that does not train has no gates of training; settings that it shares with others may.
    One on other posts than the profile's own has no threshold that was made for those.
    Raises LabError for a name that is no gate and for a number that its gate cannot measure.
    """
    table = {gate.name: gate for gate in gates}
    for name, value in overrides.items():
        if name not in table:
            raise LabError(f"gate {name}: there is no such gate; there are {', '.join(table)}")
        check_threshold(table[name], value)
    profiles_own = PROFILE_THRESHOLDS.get(profile, {})
    return {
        name: overrides.get(name, profiles_own.get(name, gate.threshold))
        for name, gate in table.items()
        if (trains or not gate.of_training)
        and (labs_posts or not gate.of_labs_posts or name in overrides)
    }


def why_without(name: str, gates: Sequence[Gate] = GATES) -> str:
    """Why a run may have no threshold for a gate."""
    (gate,) = (gate for gate in gates if gate.name == name)
    if gate.of_training:
        return "a gate of training; this model was trained elsewhere"
    return "a threshold for the lab's own posts; on others it applies where --lab-gate sets it"


def check_threshold(gate: Gate, value: float) -> None:
    """Raise LabError unless `value` lies where the gate's number can lie."""
    if gate.low <= value <= gate.high and math.isfinite(value):
        return
    limits = f"{gate.low:g} or more" if math.isinf(gate.high) else f"{gate.low:g} to {gate.high:g}"
    raise LabError(f"gate {gate.name}: {value:g} is out of range, it takes {limits}")


def judge(
    exercise: str,
    values: Mapping[str, Any],
    limits: Mapping[str, float],
    gates: Sequence[Gate] = GATES,
) -> tuple[GateResult, ...]:
    """Each gate of an exercise that has a threshold in `limits`, with the value measured for it."""
    results = []
    for gate in gates_of(exercise, gates):
        if gate.name in limits:
            measured = values.get(gate.name)
            gate = replace(gate, threshold=limits[gate.name])
            results.append(GateResult(gate, None if measured is None else float(measured)))
    return tuple(results)


def table_lines(
    limits: Mapping[str, float],
    gates: Sequence[Gate] = GATES,
    exercises: Mapping[str, Exercise] = BY_ID,
) -> list[str]:
    """The gates as a table in plain text, by question."""
    lines: list[str] = []
    question = ""
    for gate in gates:
        if gate.name not in limits:
            continue
        if gate.question != question:
            question = gate.question
            lines += ["", f"{exercises[gate.exercise].number}. {question}"]
        lines.append(f"   {gate.name:<27} {gate.sign} {limits[gate.name]:<8g} {gate.unit}")
    return lines[1:]
