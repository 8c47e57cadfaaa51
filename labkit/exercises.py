"""The six exercises of the lab: what each is called, the question it answers, what to try next."""

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TABLE: dict[str, Any] = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))


@dataclass(frozen=True)
class Try:
    """A command to try: what to predict before it runs, and where to look afterwards.

    `{first}` and `{second}` in it stand for the first two classes, `{model}` for the model's folder.
    """

    command: str
    predict: str
    look: str


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
    tries: tuple[Try, ...] = ()
    answer: Callable[..., Any] | str = ""


EXERCISES = tuple(
    Exercise(
        entry["id"],
        number,
        entry["title"],
        entry["question"],
        tuple(Try(**one) for one in entry.get("try", ())),
        answer=f"labkit.answers.{entry['id']}:answer",
    )
    for number, entry in enumerate(TABLE["exercise"], start=1)
)
BY_ID = {exercise.id: exercise for exercise in EXERCISES}


def stage_words(stage: str) -> str:
    """What a stage is called where a learner reads it."""
    return str(TABLE["stages"].get(stage, stage.replace("_", " ")))
