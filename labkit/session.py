"""One run of the lab inside pytest: its settings, its stages, its answers.

The plugin's hooks are thin and ask here; nothing below knows of pytest.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labkit.config import LabConfig
from labkit.exercises import EXERCISES
from labkit.progress import Progress

if TYPE_CHECKING:
    from labkit.answers.model import Answer
    from labkit.lab import Lab


@dataclass
class LabSession:
    """State of one run.

    `asked` are the ids of the exercises that tests were run for, `answers` what was measured for
    them; an exercise whose stages failed is asked and not answered.
    """

    config: LabConfig
    why: str
    reports: Path
    cache: Path
    started: float
    fresh: bool
    progress: Progress
    asked: set[str] = field(default_factory=set)
    answers: dict[str, "Answer"] = field(default_factory=dict)

    @cached_property
    def lab(self) -> "Lab":
        """The stages; heavy libraries are imported from here on."""
        from labkit.lab import Lab
        from labkit.store import Store

        store = Store(self.cache, self.fresh, progress=self.progress, started=self.started)
        return Lab(self.config, store, self.reports / "model", self.progress)

    def answer(self, exercise: str) -> "Answer":
        """The answer to an exercise, measured when it is first asked for."""
        from labkit.answers import answer

        if exercise not in self.answers:
            self.answers[exercise] = answer(exercise, self.lab)
        return self.answers[exercise]

    @property
    def unanswered(self) -> list[str]:
        """Exercises that were asked for and have no answer, in order."""
        return [e.id for e in EXERCISES if e.id in self.asked and e.id not in self.answers]

    @property
    def holds(self) -> bool:
        """Whether every exercise asked for is answered and every gate holds."""
        return not self.unanswered and all(answer.holds for answer in self.answers.values())

    def in_order(self) -> list["Answer"]:
        """The answers in the order of the exercises."""
        return [self.answers[e.id] for e in EXERCISES if e.id in self.answers]

    def pack(self) -> dict[str, Any]:
        """What a pytest-xdist worker sends to the controller: builtin types only."""
        return {
            "asked": sorted(self.asked),
            "answers": [answer.pack() for answer in self.answers.values()],
        }

    def absorb(self, packed: Mapping[str, Any]) -> None:
        """Take in what a worker packed."""
        from labkit.answers.model import Answer

        self.asked.update(packed["asked"])
        for plain in packed["answers"]:
            answer = Answer.unpack(plain)
            self.answers[answer.exercise] = answer
