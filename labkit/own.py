"""What a project's own exercises, gates, metrics and behaviours are made with, for its hooks and tests.

`labkit.plugin.hookspecs` has the hooks, `docs/own-tests.md` an example of each.
"""

from collections.abc import Callable
from typing import Any

from labkit.errors import LabError
from labkit.evaluation.behaviour import Behaviour, Case, invariance
from labkit.evaluation.gates import DIRECTIONS, Gate, gate_of
from labkit.evaluation.grammar import Topic
from labkit.evaluation.intervals import Estimate
from labkit.exercises import Exercise
from labkit.report.answer import Answer
from labkit.report.blocks import Table
from labkit.report.wording import percent, percent_interval, with_interval
from labkit.runs.history import Metric

__all__ = [
    "Answer",
    "Behaviour",
    "Case",
    "Estimate",
    "Table",
    "Topic",
    "exercise",
    "gate",
    "invariance",
    "metric",
    "percent",
    "percent_interval",
    "with_interval",
]


def exercise(id: str, title: str, question: str, answer: Callable[..., Answer]) -> Exercise:
    """An exercise: a stable id, the words for it, and the function that measures its answer.

    The function's parameters are stages and settings of the lab by name, as those of the lab's own
    answers are (`labkit/answers/`); it returns an `Answer` whose `exercise` is `id`.
    """
    return Exercise(id, 0, title, question, answer=answer)


def gate(
    name: str, exercise: str, *, claim: str, hint: str, unit: str = "", **limit: float
) -> Gate:
    """A threshold on the value `name` that the answer to `exercise` measures.

    `claim` says in words what holds when it passes, `hint` what a failure may mean. One of
    `at_least`, `above` and `at_most` is the threshold; `low` and `high` bound what can be measured, and a
    threshold outside is refused.
    """
    if len(limit.keys() & DIRECTIONS.keys()) != 1:
        raise LabError(f"gate {name}: give one of at_least=, above= and at_most=NUMBER")
    entry = {"name": name, "unit": unit, "claim": claim, "hint": hint, **limit}
    return gate_of(exercise, entry)


def metric(
    name: str,
    of: Callable[[Any, Any], float] | None = None,
    *,
    title: str = "",
    exercise: str = "fine_tune",
    higher_is_better: bool = True,
    tolerance: float = 0.0,
) -> Metric:
    """A value that runs are compared by, worse by more than `tolerance` being a regression.

    `of` takes the true class of each test post (posts,) and the fine-tuned model's probabilities
    (posts, classes). Its number, with a bootstrap interval, becomes the values `name`, `name_low` and
    `name_high` of the exercise, which gates can read. Without `of` the exercise measures the value.
    """
    return Metric(name, exercise, higher_is_better, tolerance, of, title)
