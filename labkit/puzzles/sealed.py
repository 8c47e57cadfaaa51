"""The puzzles as they are sealed: which fault, hints, and why, none of it to be read by accident.

A puzzle knows its fault by a salted hash of the fault's name. What the solver is told is hidden
under a stream that the right name makes.
"""

import base64
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

FILE = Path(__file__).with_name("sealed.json")
SALT = "labkit puzzle"


@dataclass(frozen=True)
class Puzzle:
    """One puzzle: its number, how hard it is, the digest of its answer, hints, and the reason.

    `hints` are in base64, `reason` hidden under its answer.
    """

    number: int
    grade: str
    digest: str
    hints: tuple[str, ...]
    reason: str

    def is_answer(self, name: str) -> bool:
        return digest(self.number, name) == self.digest

    def hint(self, step: int) -> str:
        """The hint of that step, the first of which is 1."""
        return base64.b64decode(self.hints[step - 1]).decode()

    def explain(self, name: str) -> str:
        """What in the report gave the fault away; readable with the right name alone."""
        hidden = base64.b64decode(self.reason)
        return bytes(
            a ^ b for a, b in zip(hidden, stream(self.number, name), strict=False)
        ).decode()


def load() -> tuple[Puzzle, ...]:
    """All puzzles, easy ones first."""
    table = json.loads(FILE.read_text("utf-8"))
    return tuple(Puzzle(**{**one, "hints": tuple(one["hints"])}) for one in table)


def seal(number: int, grade: str, name: str, hints: list[str], reason: str) -> Puzzle:
    """A puzzle from what only its author knows."""
    hidden = bytes(a ^ b for a, b in zip(reason.encode(), stream(number, name), strict=False))
    return Puzzle(
        number,
        grade,
        digest(number, name),
        tuple(base64.b64encode(hint.encode()).decode() for hint in hints),
        base64.b64encode(hidden).decode(),
    )


def digest(number: int, name: str) -> str:
    """The salted hash of an answer."""
    return hashlib.sha256(f"{SALT} {number} {name}".encode()).hexdigest()


def stream(number: int, name: str) -> Iterator[int]:
    """Bytes that only the right name makes, as many as are asked for."""
    for block in count():
        yield from hashlib.sha256(f"{SALT} {number} {name} {block}".encode()).digest()
