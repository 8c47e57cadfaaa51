"""The six exercises of the lab: what each is called, and the question that it answers."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TABLE: dict[str, Any] = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))


@dataclass(frozen=True)
class Exercise:
    """One exercise: a stable `id` for files and `-k`, and the words a learner sees."""

    id: str
    number: int
    title: str
    question: str


EXERCISES = tuple(
    Exercise(entry["id"], number, entry["title"], entry["question"])
    for number, entry in enumerate(TABLE["exercise"], start=1)
)
BY_ID = {exercise.id: exercise for exercise in EXERCISES}
