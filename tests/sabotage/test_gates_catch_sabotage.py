"""Every gate holds on a healthy subject and fails on a sabotaged one."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from labkit.answers import answer
from labkit.answers.behaviours import COUNTED, RATED
from labkit.errors import LabError
from labkit.evaluation.gates import GATES, thresholds
from labkit.plumbing.runner import Run
from tests.sabotage.sabotages import KINDS, SABOTAGE, Sabotage, Subject, save_another_tokenizer

LIMITS = thresholds("embedded", {})
BEHAVIOURAL = {*RATED.values(), *COUNTED.values()}


def gate_of(run: Run, name: str) -> Any:
    (gate,) = (gate for gate in GATES if gate.name == name)
    measured = answer(gate.exercise, run, LIMITS)
    (result,) = (result for result in measured.gates if result.gate.name == name)
    return result


CASES = [
    pytest.param(gate, sabotage, id=f"{gate}-{kind}")
    for gate, kinds in SABOTAGE.items()
    for kind, sabotage in kinds.items()
    if not isinstance(sabotage, str)
]


def test_every_gate_has_its_sabotages():
    """Those of behaviour have theirs in `test_behaviours_catch_sabotage`."""
    assert set(SABOTAGE) | BEHAVIOURAL == {gate.name for gate in GATES}
    assert all(tuple(kinds) == KINDS for kinds in SABOTAGE.values())
    assert all(callable(kinds["broken"]) for kinds in SABOTAGE.values())


@pytest.mark.parametrize("exercise", dict.fromkeys(gate.exercise for gate in GATES))
def test_every_gate_holds_on_the_healthy_subject(healthy, exercise):
    gates = answer(exercise, healthy.run, LIMITS).gates
    assert len(gates) == sum(gate.exercise == exercise for gate in GATES)
    failing = [result.explain() for result in gates if not result.holds]
    assert not failing, failing


@pytest.mark.parametrize(("gate", "sabotage"), CASES)
def test_gate_fails_on_the_sabotaged_subject(
    healthy: Subject, tmp_path: Path, gate: str, sabotage: Sabotage
) -> None:
    """By its number, or because what cannot be evaluated is refused with the stage's name."""
    refused = ""
    try:
        result = gate_of(sabotage(healthy, tmp_path).run, gate)
    except LabError as error:
        refused = str(error)
    if refused:
        assert re.search(
            "look at the stage|holds numbers that are not finite|does not speak of", refused
        )
        return
    assert result.measured is not None
    assert not result.holds, result.explain()


def test_sound_weights_beside_another_tokenizer_are_another_model(
    healthy: Subject, tmp_path: Path
) -> None:
    result = gate_of(save_another_tokenizer(healthy, tmp_path).run, "reload_difference")
    assert not result.holds, result.explain()


def test_truncated_weights_are_an_error_and_not_a_number(healthy, tmp_path):
    model = shutil.copytree(healthy.run.saved_model, tmp_path / "model")
    weights = (model / "model.safetensors").read_bytes()
    (model / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    with pytest.raises(LabError, match=r"model\.safetensors: "):
        answer("save_and_track", healthy.but(saved_model=model).run, LIMITS)
