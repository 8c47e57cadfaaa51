"""How long-running stages tell what they are doing, without knowing who listens."""

from collections.abc import Callable
from typing import Protocol

Report = Callable[..., None]  # takes the share that is done, from 0 to 1, and perhaps a note


class Progress(Protocol):
    """A listener for stages: `begin` and `end` bracket one, `advance` moves it along."""

    def begin(self, stage: str) -> None: ...

    def advance(self, done: float, note: str = "") -> None:
        """`done` is the finished share of the stage, from 0 to 1."""

    def end(self, note: str = "") -> None: ...

    def say(self, line: str) -> None:
        """A remark that must be seen: a damaged file, a wait for another run."""


class Tracker(Protocol):
    """An experiment tracker that can follow a training while it runs."""

    def follow(self) -> str:
        """What the Trainer's `report_to` takes for it."""


def ignore(done: float, note: str = "") -> None:
    """A report of progress that goes nowhere."""


class Silent:
    """Listens and says nothing; the default outside pytest."""

    def begin(self, stage: str) -> None: ...

    def advance(self, done: float, note: str = "") -> None: ...

    def end(self, note: str = "") -> None: ...

    def say(self, line: str) -> None: ...


def duration(seconds: float) -> str:
    """A duration as a person reads it: `0.4 s`, `41 s`, `2 min 5 s`."""
    if seconds < 59.5:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"
