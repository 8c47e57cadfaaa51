"""What a change computes anew, and that runs side by side compute once."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from labkit.lab import Lab
from labkit.store import MANIFEST, Store

ROOT = Path(__file__).parents[2]


@pytest.fixture
def reused(tiny_lab, tmp_path):
    """Builds every stage of a lab on the store of `tiny_lab`; by stage, whether it was there."""
    _ = tiny_lab.reload_difference, tiny_lab.separations, tiny_lab.evaluations

    def build(config) -> dict[str, bool]:
        lab = Lab(config, Store(tiny_lab.store.root), tmp_path / "model")
        _ = lab.reload_difference, lab.separations, lab.evaluations
        return {stage: entry.reused for stage, entry in lab.entries.items()}

    return build


def test_with_nothing_changed_nothing_is_computed(reused, tiny_config):
    assert all(reused(tiny_config).values())


def test_another_learning_rate_trains_anew_and_keeps_what_does_not_depend_on_it(
    reused, tiny_config
):
    recipe = replace(tiny_config.recipe, learning_rate=4e-3)
    stages = reused(replace(tiny_config, recipe=recipe))
    dependent = {"fine-tuned", "repeat", "predictions", "separation", "saved-model", "reload"}
    assert {stage for stage, was_there in stages.items() if not was_there} == dependent
    assert {"posts", "tokens", "base-embeddings", "zero-shot", "baselines"} <= set(stages)


def test_another_threshold_computes_nothing(reused, tiny_config, monkeypatch):
    from labkit import gates, source_code

    raised = tuple(replace(gate, threshold=gate.threshold + 0.001) for gate in gates.GATES)
    monkeypatch.setattr(gates, "GATES", raised)
    assert "gates" in source_code.WITHOUT_EFFECT  # where the thresholds are written
    assert all(reused(tiny_config).values())


def test_runs_side_by_side_train_once(tmp_path, tiny_checkpoint, tiny_dataset):
    """Two `pytest -n 2` in one checkout: both pass, and every stage was built once."""
    command = [
        *(sys.executable, "-m", "pytest", "-v", "-n", "2"),
        *("tests/exercises/test_4_fine_tune.py", "-k", "trained_for_all or finite_loss"),
        *("-o", f"cache_dir={tmp_path / 'cache'}", f"--lab-reports={tmp_path / 'reports'}"),
        *("--lab-profile=embedded", f"--lab-base-model={tiny_checkpoint}"),
        *(f"--lab-dataset={tiny_dataset}", "--lab-max-length=64"),
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    runs = [
        subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        for _ in range(2)
    ]
    output = [run.communicate()[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], output
    built = [line for text in output for line in text.splitlines() if "fine-tuned done in" in line]
    assert len(built) == 1, output
    assert len(list((tmp_path / "cache/d/labkit/fine-tuned").glob(f"*/{MANIFEST}"))) == 1
