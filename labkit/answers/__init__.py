"""The measured answers to the lab's questions, one module for each exercise."""

import importlib
import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labkit.plumbing.runner import Run
    from labkit.report.answer import Answer


def answer(exercise: str, lab: "Run", limits: Mapping[str, float]) -> "Answer":
    """Measure the answer to an exercise, by its id; builds the stages that it takes.

    `limits` are the thresholds of the gates by name.
    """
    module = importlib.import_module(f"labkit.answers.{exercise}")
    measured: Answer = lab.call(module.answer)
    return measured.judged(limits)


def stages_of(exercise: str) -> list[str]:
    """The stages that an exercise's answer takes, by name."""
    from labkit.lab import GRAPH

    module = importlib.import_module(f"labkit.answers.{exercise}")
    return [name for name in inspect.signature(module.answer).parameters if name in GRAPH]
