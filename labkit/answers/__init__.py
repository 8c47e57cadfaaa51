"""The measured answers to the lab's questions, one module for each of its own exercises."""

import importlib
import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from labkit.exercises import BY_ID, Exercise

if TYPE_CHECKING:
    from labkit.plumbing.runner import Run
    from labkit.report.answer import Answer


def measure(exercise: Exercise, lab: "Run") -> "Answer":
    """Measure the answer to an exercise; builds the stages that it takes.

    Raises TypeError for a parameter that is neither a stage nor a setting.
    """
    function = function_of(exercise)
    known = {*lab.graph, *lab.settings, "call"}
    if unknown := [name for name in inspect.signature(function).parameters if name not in known]:
        raise TypeError(
            f"the answer to exercise {exercise.id!r} takes {unknown[0]!r}, which is neither a stage "
            f"nor a setting; the stages are {', '.join(lab.graph)}"
        )
    measured: Answer = lab.call(function)
    return measured


def answer(exercise: str, lab: "Run", limits: Mapping[str, float]) -> "Answer":
    """The answer to one of the lab's own exercises, with its gates.

    `limits` are the thresholds of the gates by name.
    """
    return measure(BY_ID[exercise], lab).judged(limits)


def function_of(exercise: Exercise) -> Callable[..., Any]:
    """The function that measures an exercise's answer."""
    if not isinstance(exercise.answer, str):
        return exercise.answer
    module, _, name = exercise.answer.partition(":")
    function: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return function


def stages_of(exercise: Exercise) -> list[str]:
    """The stages that an exercise's answer takes, by name."""
    from labkit.lab import GRAPH

    return [name for name in inspect.signature(function_of(exercise)).parameters if name in GRAPH]
