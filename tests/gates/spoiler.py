"""A pytest plugin that spoils a run of the lab: `-p tests.gates.spoiler --spoil WAY`.

As a learner's `conftest.py` would, with fixtures that have the names of the lab's.
"""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from labkit.data.posts import Posts
from labkit.evaluation.behaviour import Sample, behaviours_of
from labkit.evaluation.findings import DataChecks
from labkit.evaluation.gates import GATES, gates_of
from labkit.evaluation.outcomes import Outcome
from labkit.evaluation.search import examine_all
from labkit.plugin.stash import SESSION
from labkit.report.answer import Answer
from tests.sabotage.sabotages import SEED, damaged, leak, not_a_number

MISSING = GATES[::2]  # these lose their value, the others get NaN


class WrongStages:
    """Stages that fail the gates whose strictest threshold a healthy subject meets."""

    @pytest.fixture(scope="session")
    def posts(self, posts: Posts) -> Posts:
        return leak(posts)

    @pytest.fixture(scope="session")
    def data_checks(self, data_checks: DataChecks) -> DataChecks:
        suspect = data_checks.suspect
        return replace(data_checks, suspect=replace(suspect, train=np.ones_like(suspect.train)))

    @pytest.fixture(scope="session")
    def saved_model(self, saved_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
        return damaged(saved_model, tmp_path_factory.mktemp("damaged"))

    @pytest.fixture(scope="session")
    def behaviours(self, posts: Posts) -> tuple[Outcome, ...]:
        texts = list(posts.test["text"])
        sample = Sample(tuple(texts), posts.truth.test, not_a_number(texts))
        return examine_all(behaviours_of(posts.labels), not_a_number, sample, SEED)


class NoNumbers:
    """Answers that give NaN for one gate and nothing at all for the next."""

    @pytest.fixture
    def answer(self, answer: Answer, pytestconfig: pytest.Config) -> Answer:
        session = pytestconfig.stash[SESSION]
        values = dict(answer.values)
        for gate in gates_of(answer.exercise):
            values[gate.name] = math.nan
            if gate in MISSING:
                del values[gate.name]
        spoiled = replace(answer, values=values).judged(session.limits)
        session.answers[answer.exercise] = spoiled
        return spoiled


WAYS = {"stages": WrongStages, "numbers": NoNumbers}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--spoil", choices=WAYS)


def pytest_configure(config: pytest.Config) -> None:
    """Of two fixtures with a name that of the plugin that came last is taken."""
    config.pluginmanager.register(WAYS[config.option.spoil](), "spoiled")
