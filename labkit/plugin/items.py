"""Which of the collected tests are the lab's, and what each of them asks for."""

from collections.abc import Iterable

import pytest

ROOT = "_labkit"  # the fixture that each of the lab's takes, directly or not


def is_labs(item: pytest.Item) -> bool:
    """Whether a test takes a fixture of the lab or is marked with one of its exercises.

    Somebody's own fixture that happens to have the name of a stage is none of the lab's.
    """
    return takes_fixtures(item) or exercise_of(item) is not None


def takes_fixtures(item: pytest.Item) -> bool:
    """Whether a test takes a fixture of the lab, however many others are between."""
    return ROOT in getattr(item, "fixturenames", ())


def exercise_of(item: pytest.Item) -> str | None:
    """The exercise that a test is marked with; None for none, and for a marker of another kind."""
    marker = item.get_closest_marker("exercise")
    if marker is None or len(marker.args) != 1:
        return None
    from labkit.plugin.registry import registry_of

    (named,) = marker.args
    return named if isinstance(named, str) and named in registry_of(item.config).exercises else None


def is_answer(item: pytest.Item) -> bool:
    """Whether a test takes the measured answer to its exercise."""
    return takes_fixtures(item) and "answer" in getattr(item, "fixturenames", ())


def gate_of(item: pytest.Item) -> str | None:
    """The gate that a test was parametrized with, by name."""
    call = getattr(item, "callspec", None)
    gate = call.params.get("gate") if call and is_answer(item) else None
    return gate if isinstance(gate, str) else None


def check_exercises(items: Iterable[pytest.Item]) -> None:
    """Raise UsageError for a test that takes an answer and is marked with no exercise there is."""
    from labkit.plugin.registry import registry_of

    for item in items:
        if is_answer(item) and exercise_of(item) is None:
            known = ", ".join(registry_of(item.config).exercises)
            raise pytest.UsageError(
                f"{item.nodeid}: takes the answer to an exercise, and is not marked with one: "
                f"@pytest.mark.exercise(ID), where ID is one of {known}"
            )
