"""Every stage of the lab as a session fixture: `pytest --fixtures` prints the lab's map.

A test asks for `zero_shot` or `fine_tuned` by name. A fixture of the same name in a `conftest.py`
takes the place of a stage, and all stages behind it follow.
"""

import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import pytest

from labkit.errors import LabError
from labkit.lab import GRAPH
from labkit.plugin.items import ROOT, exercise_of

if TYPE_CHECKING:
    from labkit.plugin.session import LabSession
    from labkit.plumbing.runner import Run, Stage
    from labkit.report.answer import Answer


@pytest.fixture(scope="session", name=ROOT)
def root(pytestconfig: pytest.Config) -> "LabSession":
    """The state of the lab in this run, which every fixture of the lab takes."""
    from labkit.plugin.setup import lab_session

    try:
        return lab_session(pytestconfig)
    except LabError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="session")
def lab(_labkit: "LabSession") -> "Run":
    """The run of the lab: `lab.posts` is the value of the stage `posts`, `lab.settings` its own."""
    return _labkit.lab


@pytest.fixture
def answer(request: pytest.FixtureRequest, _labkit: "LabSession") -> "Answer":
    """The measured answer to the exercise that the test is marked with."""
    exercise = exercise_of(request.node)
    if exercise is None:
        pytest.fail(f"no exercise to answer: mark {request.node.nodeid} with one", pytrace=False)
    for name in _labkit.stages_of(exercise):  # a stage may be somebody's own fixture
        _labkit.lab.adopt(name, request.getfixturevalue(name))
    return _labkit.answer(exercise)


def fixture_of(stage: "Stage") -> Any:
    """The fixture that gives a stage's value, and takes the stages before it as fixtures."""
    before = [name for name in stage.inputs if name in GRAPH]

    def value(_labkit: "LabSession", **inputs: Any) -> Any:
        for name, given in inputs.items():
            _labkit.lab.adopt(name, given)
        return _labkit.lab[stage.name]

    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    value.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter(name, kind) for name in (ROOT, *before)]
    )
    value.__name__ = stage.name
    value.__doc__ = stage.function.__doc__
    return pytest.fixture(scope="session", name=stage.name)(value)


def fixtures(graph: "Mapping[str, Stage]") -> dict[str, Callable[..., Any]]:
    """The fixtures of a graph by name."""
    return {f"stage_{name}": fixture_of(stage) for name, stage in graph.items()}


globals().update(fixtures(GRAPH))
