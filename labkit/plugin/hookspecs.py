"""The lab's hooks: how a project adds exercises, gates, metrics and behaviours of its own.

Write them in the project's top `conftest.py`, or in a plugin; `docs/own-tests.md` has an example of
each. The lab's own come in the same way (`labkit.plugin.builtin`). Where the lab may be absent, mark
an implementation with `@pytest.hookimpl(optionalhook=True)`.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from labkit.evaluation.behaviour import Behaviour
    from labkit.evaluation.gates import Gate
    from labkit.evaluation.grammar import Topic
    from labkit.exercises import Exercise
    from labkit.runs.history import Metric

HOOKS = ("pytest_labkit_exercises", "pytest_labkit_gates", "pytest_labkit_metrics")
SUITE_HOOKS = ("pytest_labkit_behaviours", "pytest_labkit_topics")


@pytest.hookspec
def pytest_labkit_exercises(config: pytest.Config) -> "Sequence[Exercise]":
    """Exercises to ask, in the order of the report (`labkit.own.exercise` makes one).

    A test module asks one with `pytestmark = pytest.mark.exercise(ID)` and the fixture `answer`.
    """
    raise NotImplementedError


@pytest.hookspec
def pytest_labkit_gates(config: pytest.Config) -> "Sequence[Gate]":
    """Gates on values that an exercise measures (`labkit.own.gate` makes one).

    In the exercise's module a test that takes `answer` and `gate` runs once for each of them.
    """
    raise NotImplementedError


@pytest.hookspec
def pytest_labkit_metrics(config: pytest.Config) -> "Sequence[Metric]":
    """Metrics by which runs are compared (`labkit.own.metric` makes one).

    One with a function is measured on the fine-tuned model's predictions, with its interval, and
    joins the values of its exercise.
    """
    raise NotImplementedError


@pytest.hookspec
def pytest_labkit_behaviours(config: pytest.Config) -> "Sequence[Behaviour]":
    """Behaviours that the fine-tuned model is examined on (`labkit.own.invariance` makes one).

    Its failure rate joins the values of exercise 5 as `NAME_failure_rate`, and its kind's gate reads it
    as it reads the lab's own. The rates are computed again when the file of its functions changes.
    """
    raise NotImplementedError


@pytest.hookspec
def pytest_labkit_topics(config: pytest.Config) -> "Mapping[str, Topic]":
    """Topics by label, of which plain sentences are made (`labkit.own.Topic`).

    They are asked for where every class of the run has one.
    """
    raise NotImplementedError
