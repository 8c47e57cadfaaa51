"""The gates: every threshold that a run must hold, each written once.

A gate compares one measured number with a threshold. A number that is missing or NaN fails.
`labkit/exercises.toml` has the thresholds; the user's own come on top. Thresholds are not part of a run's fingerprint: changing one computes nothing anew.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from labkit.errors import LabError
from labkit.exercises import BY_ID, TABLE, Exercise


@dataclass(frozen=True)
class Gate:
    """A threshold on the measured value `name` of an exercise.

    `at_least` gives the direction; `claim` says in words what holds when it passes, `hint` what a
    failure may mean and where to look. The measured number can lie between `low` and `high`; a
    threshold outside would always hold or always fail.
    """

    name: str
    exercise: str
    at_least: bool
    threshold: float
    unit: str
    claim: str
    hint: str
    low: float = -math.inf
    high: float = math.inf
    of_training: bool = False  # says nothing about a model that was trained elsewhere
    question: str = ""  # of its exercise

    @property
    def sign(self) -> str:
        return ">=" if self.at_least else "<="


@dataclass(frozen=True)
class GateResult:
    """A gate with the number that was measured for it; None where there is none."""

    gate: Gate
    measured: float | None

    @property
    def holds(self) -> bool:
        if self.measured is None or not math.isfinite(self.measured):
            return False
        if self.gate.at_least:
            return self.measured >= self.gate.threshold
        return self.measured <= self.gate.threshold

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
    direction = "at_least" if "at_least" in entry else "at_most"
    rest = {name: value for name, value in entry.items() if name != direction}
    at_least, threshold = direction == "at_least", entry[direction]
    return Gate(exercise=exercise, at_least=at_least, threshold=threshold, **rest)


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
    profile: str, overrides: Mapping[str, float], trains: bool = True, gates: Sequence[Gate] = GATES
) -> dict[str, float]:
    """Every gate's threshold by name: the user's, else the profile's, else the gate's own.

    A run that does not train has no gates of training; settings that it shares with others may.
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
        if trains or not gate.of_training
    }


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
