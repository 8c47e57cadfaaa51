"""What can be asked in a run: exercises, gates, metrics and behaviours, the lab's and a project's own."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from labkit.errors import LabError
from labkit.evaluation.gates import GATES, Gate, check_threshold
from labkit.exercises import BY_ID, Exercise
from labkit.plugin.hookspecs import HOOKS, SUITE_HOOKS
from labkit.runs.history import METRICS, Metric

if TYPE_CHECKING:
    from labkit.evaluation.suite import Suite


@dataclass(frozen=True)
class Registry:
    """Exercises by id, gates, and the metrics that runs are compared by, each in order."""

    exercises: Mapping[str, Exercise]
    gates: tuple[Gate, ...]
    metrics: tuple[Metric, ...]

    def own_metrics_of(self, exercise: str) -> tuple[Metric, ...]:
        """The metrics that are measured for an exercise's answer, besides what it gives itself."""
        return tuple(m for m in self.metrics if m.of and m.exercise == exercise)


BUILT_IN = Registry(BY_ID, GATES, METRICS)
KEY = pytest.StashKey[Registry]()
SUITE: "pytest.StashKey[Suite]" = pytest.StashKey()


def registry_of(config: pytest.Config) -> Registry:
    """The registry of a run, made when it is first asked for; raises UsageError for what cannot be."""
    if KEY not in config.stash:
        try:
            config.stash[KEY] = build(*(_asked(config, name) for name in HOOKS))
        except LabError as error:
            raise pytest.UsageError(str(error)) from None
    return config.stash[KEY]


def suite_of(config: pytest.Config) -> "Suite":
    """The behaviours and topics of a run; raises UsageError for what cannot be.

    Apart from the registry, which is needed when nothing has imported NumPy yet.
    """
    from labkit.evaluation import suite

    if SUITE not in config.stash:
        behaviours, topics = (_given(config, name) for name in SUITE_HOOKS)
        try:
            config.stash[SUITE] = suite.build([one for some in behaviours for one in some], topics)
        except LabError as error:
            raise pytest.UsageError(str(error)) from None
    return config.stash[SUITE]


def check_own(config: pytest.Config) -> None:
    """Raise UsageError for what a project adds and cannot be."""
    for names, made in ((HOOKS, registry_of), (SUITE_HOOKS, suite_of)):
        if any(len(getattr(config.hook, name).get_hookimpls()) > 1 for name in names):
            made(config)


def _asked(config: pytest.Config, name: str) -> list[Any]:
    """What all implementations of a hook give, one after the other."""
    return [one for given in _given(config, name) for one in given]


def _given(config: pytest.Config, name: str) -> list[Any]:
    """What each implementation of a hook gives; who came first, as the lab itself, is first."""
    found: Sequence[Any] = getattr(config.hook, name)(config=config)
    return list(reversed(found))


def build(
    exercises: Iterable[Exercise], gates: Iterable[Gate], metrics: Iterable[Metric]
) -> Registry:
    """A registry; raises LabError for a name that is taken or an exercise that there is not."""
    by_id: dict[str, Exercise] = {}
    for number, exercise in enumerate(exercises, start=1):
        _check_kind(exercise, Exercise)
        if not re.fullmatch("[a-z][a-z0-9_]*", exercise.id):
            raise LabError(f"exercise {exercise.id!r}: an id is of small letters, digits and _")
        if exercise.id in by_id:
            raise LabError(f"exercise {exercise.id}: there are two of this id")
        by_id[exercise.id] = replace(exercise, number=number)
    return Registry(by_id, tuple(_gates(gates, by_id)), tuple(_metrics(metrics, by_id)))


def _gates(gates: Iterable[Gate], exercises: Mapping[str, Exercise]) -> Iterable[Gate]:
    """Each gate with the question of its exercise, in the order of these."""
    found: dict[str, Gate] = {}
    for gate in gates:
        _check_kind(gate, Gate)
        _check_place(f"gate {gate.name}", gate.name in found, gate.exercise, exercises)
        check_threshold(gate, gate.threshold)
        found[gate.name] = replace(gate, question=exercises[gate.exercise].question)
    return sorted(found.values(), key=lambda gate: exercises[gate.exercise].number)


def _metrics(metrics: Iterable[Metric], exercises: Mapping[str, Exercise]) -> Iterable[Metric]:
    found: dict[str, Metric] = {}
    for metric in metrics:
        _check_kind(metric, Metric)
        _check_place(f"metric {metric.name}", metric.name in found, metric.exercise, exercises)
        found[metric.name] = metric
    return found.values()


def _check_kind(given: Any, kind: type) -> None:
    if not isinstance(given, kind):
        name = kind.__name__.lower()
        raise LabError(
            f"a hook gave {given!r:.80}, which is no {name}; labkit.own.{name} makes one"
        )


def _check_place(what: str, taken: bool, exercise: str, exercises: Mapping[str, Exercise]) -> None:
    if taken:
        raise LabError(f"{what}: there are two of this name")
    if exercise not in exercises:
        raise LabError(
            f"{what}: there is no exercise {exercise!r}; there are {', '.join(exercises)}"
        )
