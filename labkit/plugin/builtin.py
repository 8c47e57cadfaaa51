"""The lab's own exercises, gates, metrics and behaviours; they come in by the hooks that a project's do."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labkit.evaluation.behaviour import Behaviour
    from labkit.evaluation.gates import Gate
    from labkit.evaluation.grammar import Topic
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


def pytest_labkit_behaviours() -> "Sequence[Behaviour]":
    from labkit.evaluation.behaviour import BEHAVIOURS

    return BEHAVIOURS


def pytest_labkit_topics() -> "Mapping[str, Topic]":
    from labkit.evaluation.grammar import TOPICS

    return TOPICS
