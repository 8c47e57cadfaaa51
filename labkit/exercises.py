"""The six exercises of the lab: what each is called, and the question that it answers."""

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TABLE: dict[str, Any] = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))


@dataclass(frozen=True)
class Exercise:
    """One exercise: a stable `id` for files, markers and `-k`, and the words a learner sees.

    `answer` measures the answer: a function whose parameters are stages and settings of the lab, or
    where to find it, as `module:function`. `number` is its place among all.
    """

    id: str
    number: int
    title: str
    question: str
    answer: Callable[..., Any] | str = ""


EXERCISES = tuple(
    Exercise(
        entry["id"],
        number,
        entry["title"],
        entry["question"],
        answer=f"labkit.answers.{entry['id']}:answer",
    )
    for number, entry in enumerate(TABLE["exercise"], start=1)
)
BY_ID = {exercise.id: exercise for exercise in EXERCISES}
