"""The lab's own exercises, gates and metrics; they come in by the hooks that a project's do."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labkit.evaluation.gates import Gate
    from labkit.exercises import Exercise
    from labkit.runs.history import Metric


def pytest_labkit_exercises() -> "Sequence[Exercise]":
    from labkit.exercises import EXERCISES

    return EXERCISES


def pytest_labkit_gates() -> "Sequence[Gate]":
    from labkit.evaluation.gates import GATES

    return GATES


def pytest_labkit_metrics() -> "Sequence[Metric]":
    from labkit.runs.history import METRICS

    return METRICS
