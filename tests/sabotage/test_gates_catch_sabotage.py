"""Every gate holds on a healthy subject and fails on a sabotaged one."""

import shutil
from typing import Any

import pytest
from safetensors import SafetensorError

from labkit.answers import answer
from labkit.answers.behaviours import COUNTED, RATED
from labkit.evaluation.gates import GATES, thresholds
from labkit.plumbing.runner import Run
from tests.sabotage.sabotages import SABOTAGE

LIMITS = thresholds("embedded", {})
BEHAVIOURAL = {*RATED.values(), *COUNTED.values()}


def gate_of(run: Run, name: str) -> Any:
    (gate,) = (gate for gate in GATES if gate.name == name)
    measured = answer(gate.exercise, run, LIMITS)
    (result,) = (result for result in measured.gates if result.gate.name == name)
    return result


def test_every_gate_has_its_sabotage():
    """Those of behaviour have theirs in `test_behaviours_catch_sabotage`."""
    assert set(SABOTAGE) | BEHAVIOURAL == {gate.name for gate in GATES}


@pytest.mark.parametrize("exercise", dict.fromkeys(gate.exercise for gate in GATES))
def test_every_gate_holds_on_the_healthy_subject(healthy, exercise):
    gates = answer(exercise, healthy.run, LIMITS).gates
    assert len(gates) == sum(gate.exercise == exercise for gate in GATES)
    failing = [result.explain() for result in gates if not result.holds]
    assert not failing, failing


@pytest.mark.parametrize("gate", SABOTAGE)
def test_gate_fails_on_the_sabotaged_subject(healthy, tmp_path, gate):
    result = gate_of(SABOTAGE[gate](healthy, tmp_path).run, gate)
    assert result.measured is not None
    assert not result.holds, result.explain()


def test_truncated_weights_are_an_error_and_not_a_number(healthy, tmp_path):
    model = shutil.copytree(healthy.run.saved_model, tmp_path / "model")
    weights = (model / "model.safetensors").read_bytes()
    (model / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    with pytest.raises((SafetensorError, OSError)):
        answer("save_and_track", healthy.but(saved_model=model).run, LIMITS)
