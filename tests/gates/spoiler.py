"""A pytest plugin that spoils a run of the lab: `-p tests.gates.spoiler --spoil WAY`."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from labkit.behaviour import behaviours_of, examine
from labkit.gates import GATES, gates_of
from labkit.plugin import SESSION
from labkit.session import LabSession
from tests.sabotage.conftest import SEED, with_stages
from tests.sabotage.test_gates_catch_sabotage import damage_the_weights, leak_a_test_post

MISSING = GATES[::2]  # these lose their value, the others get NaN


def break_what_a_threshold_cannot(session: LabSession) -> None:
    """Fail the gates whose strictest threshold a healthy subject meets."""
    folder = session.reports / "damaged"
    lab = leak_a_test_post(damage_the_weights(session.lab, folder), folder)
    claims = behaviours_of(lab.splits.labels)
    outcomes = tuple(examine(claim, not_a_number, SEED) for claim in claims)
    vars(session)["lab"] = with_stages(lab, behaviours=outcomes)


def not_a_number(texts: list[str]) -> np.ndarray:
    """The logits of a model whose weights are NaN."""
    return np.full((len(texts), 2), np.nan)


def lose_the_numbers(session: LabSession) -> None:
    """Have every answer give NaN for one gate and nothing at all for the next."""
    measure = session.answer

    def answer(exercise: str) -> Any:
        measured = measure(exercise)
        values = dict(measured.values)
        for gate in gates_of(exercise):
            values[gate.name] = math.nan
            if gate in MISSING:
                del values[gate.name]
        session.answers[exercise] = replace(measured, values=values)
        return session.answers[exercise]

    session.answer = answer  # type: ignore[method-assign]


WAYS = {"stages": break_what_a_threshold_cannot, "numbers": lose_the_numbers}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--spoil", choices=WAYS)


def pytest_collection_finish(session: pytest.Session) -> None:
    WAYS[session.config.option.spoil](session.config.stash[SESSION])
