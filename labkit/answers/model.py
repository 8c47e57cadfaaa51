"""What an answer is made of: a sentence, measured values, gates, and blocks for the report.

Plain data, so that it travels from a pytest-xdist worker to the controller and into JSON. Text in
blocks is raw; whoever renders it escapes it.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

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
class Table:
    """Rows of text under a header; `best` is the row to mark."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    best: int | None = None


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
class Listing:
    """Text to be shown as it is, in fixed width."""

    title: str
    text: str


Block = Figure | Table | Mistakes | Listing


@dataclass(frozen=True)
class Answer:
    """The answer to one exercise.

    `values` are the measured numbers by name; an interval adds `<name>_low` and `<name>_high`.
    """

    exercise: str
    sentence: str
    values: Mapping[str, Any]
    blocks: tuple[Block, ...] = ()

    @property
    def gates(self) -> tuple[gates.GateResult, ...]:
        """The exercise's gates with the values measured for them."""
        return gates.check(self.exercise, self.values)

    @property
    def holds(self) -> bool:
        return all(result.holds for result in self.gates)

    def check(self, name: str) -> None:
        """Raise AssertionError with the claim, the numbers and a hint where a gate fails."""
        (result,) = (result for result in self.gates if result.gate.name == name)
        assert result.holds, result.explain()

    def to_dict(self) -> dict[str, Any]:
        """The entry of `answers.json`: everything but the blocks."""
        exercise = BY_ID[self.exercise]
        return {
            "id": self.exercise,
            "number": exercise.number,
            "question": exercise.question,
            "answer": self.sentence,
            "values": dict(self.values),
            "gates": [
                {
                    "name": result.gate.name,
                    "direction": result.gate.sign,
                    "threshold": result.gate.threshold,
                    "unit": result.gate.unit,
                    "measured": result.measured,
                    "holds": result.holds,
                }
                for result in self.gates
            ],
        }

    def pack(self) -> dict[str, Any]:
        """Builtin types only, for the way from a worker to the controller."""
        packed = asdict(self)
        packed["values"] = dict(self.values)
        packed["blocks"] = [
            {"kind": type(block).__name__, **asdict(block)} for block in self.blocks
        ]
        return packed

    @classmethod
    def unpack(cls, packed: Mapping[str, Any]) -> "Answer":
        """The inverse of `pack`."""
        return cls(
            packed["exercise"],
            packed["sentence"],
            dict(packed["values"]),
            tuple(_unpack_block(dict(block)) for block in packed["blocks"]),
        )


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


def _unpack_block(block: dict[str, Any]) -> Block:
    kind = block.pop("kind")
    if kind == "Mistakes":
        return Mistakes(block["title"], tuple(Mistake(**row) for row in block["rows"]))
    if kind == "Table":
        rows = tuple(tuple(row) for row in block["rows"])
        return Table(block["title"], tuple(block["header"]), rows, block["best"])
    return {"Figure": Figure, "Listing": Listing}[kind](**block)
