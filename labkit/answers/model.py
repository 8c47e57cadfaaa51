"""What an answer is made of: a sentence, measured values, gates, and blocks for the report.

Plain data, so that it travels from a pytest-xdist worker to the controller and into JSON. Text in
blocks is raw; whoever renders it escapes it.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, get_args

from labkit import gates
from labkit.exercises import BY_ID
from labkit.statistics import Estimate


@dataclass(frozen=True)
class Figure:
    """A plot: PNG bytes as base64 text, and the same in words."""

    title: str
    alt: str
    png: str


@dataclass(frozen=True)
class Panels:
    """Plots that are compared with each other: side by side where there is room for it."""

    title: str
    figures: tuple[Figure, ...]


@dataclass(frozen=True)
class Table:
    """Rows of text under a header; `best` is the row to mark, and `mark` the word for it."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    best: int | None = None
    mark: str = "best"


@dataclass(frozen=True)
class Mistake:
    """A post that was got wrong: true and predicted label, and how sure the method was."""

    text: str
    truth: str
    predicted: str
    confidence: float


@dataclass(frozen=True)
class Mistakes:
    """The most confident mistakes of a method."""

    title: str
    rows: tuple[Mistake, ...]


@dataclass(frozen=True)
class Tokenized:
    """A post as text, and what the model gets of it: tokens and their ids, one for one."""

    title: str
    text: str
    tokens: tuple[str, ...]
    ids: tuple[int, ...]


@dataclass(frozen=True)
class Listing:
    """Text to be shown as it is, in fixed width, once it is opened."""

    title: str
    text: str


Block = Figure | Panels | Table | Mistakes | Tokenized | Listing
PARTS: dict[str, tuple[str, type]] = {"Panels": ("figures", Figure), "Mistakes": ("rows", Mistake)}


@dataclass(frozen=True)
class Answer:
    """The answer to one exercise.

    `headline` is the answer in at most 60 characters, `sentence` in full. `values` are the
    measured numbers by name; an interval adds `<name>_low` and `<name>_high`.
    `limits` are the run's thresholds by gate name; where there are any, a gate
    without one does not apply. `not_applicable` has a reason for each gate that makes no claim
    about these classes.
    """

    exercise: str
    headline: str
    sentence: str
    values: Mapping[str, Any]
    blocks: tuple[Block, ...] = ()
    limits: Mapping[str, float] = field(default_factory=dict)
    not_applicable: Mapping[str, str] = field(default_factory=dict)

    @property
    def gates(self) -> tuple[gates.GateResult, ...]:
        """The exercise's gates with the values measured for them."""
        results = gates.check(self.exercise, self.values, self.limits)
        return tuple(result for result in results if result.gate.name not in self.not_applicable)

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

    def to_dict(self) -> dict[str, Any]:
        """The entry of `answers.json`: everything but the blocks."""
        exercise = BY_ID[self.exercise]
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
            "not_applicable": dict(self.not_applicable),
        }

    def pack(self) -> dict[str, Any]:
        """Builtin types only, for the way from a worker to the controller."""
        packed = asdict(self)
        packed["values"] = dict(self.values)
        packed["not_applicable"] = dict(self.not_applicable)
        packed["blocks"] = [
            {"kind": type(block).__name__, **asdict(block)} for block in self.blocks
        ]
        return packed

    @classmethod
    def unpack(cls, packed: Mapping[str, Any]) -> "Answer":
        """The inverse of `pack`."""
        return cls(
            packed["exercise"],
            packed["headline"],
            packed["sentence"],
            dict(packed["values"]),
            tuple(_unpack_block(dict(block)) for block in packed["blocks"]),
            dict(packed["limits"]),
            dict(packed["not_applicable"]),
        )


def finite(value: Any) -> Any:
    """The value, or None for a number that is NaN or infinite, which JSON cannot say."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def with_interval(name: str, estimate: Estimate) -> dict[str, float]:
    """The three values that an estimate adds to an answer."""
    return {
        name: estimate.value,
        f"{name}_low": estimate.low,
        f"{name}_high": estimate.high,
    }


def percent(share: float) -> str:
    """A share as a person reads it: 0.9646 becomes `96.5 %`."""
    return f"{100 * share:.1f} %"


def percent_interval(estimate: Estimate) -> str:
    """An estimate with its interval: `96.5 % (95.0 to 97.6)`."""
    return f"{percent(estimate.value)} ({100 * estimate.low:.1f} to {100 * estimate.high:.1f})"


def _unpack_block(packed: dict[str, Any]) -> Block:
    kind = packed.pop("kind")
    if kind in PARTS:
        field, part = PARTS[kind]
        packed[field] = [part(**plain) for plain in packed[field]]
    classes: dict[str, type[Block]] = {block.__name__: block for block in get_args(Block)}
    return classes[kind](**{name: _tuples(value) for name, value in packed.items()})


def _tuples(value: Any) -> Any:
    """The tuples that JSON turned into lists."""
    return tuple(map(_tuples, value)) if isinstance(value, list | tuple) else value
