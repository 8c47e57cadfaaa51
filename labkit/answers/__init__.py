"""The measured answers to the lab's questions, one module for each exercise."""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labkit.answers.model import Answer
    from labkit.lab import Lab


def answer(exercise: str, lab: "Lab") -> "Answer":
    """Measure the answer to an exercise, by its id; builds the stages it needs."""
    module = importlib.import_module(f"labkit.answers.{exercise}")
    measured: Answer = module.answer(lab)
    return measured
