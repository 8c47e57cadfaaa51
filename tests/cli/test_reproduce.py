"""`labkit reproduce`: a model is trained anew from its lineage alone, and each change is named."""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from labkit import lab
from labkit.__main__ import main
from labkit.config import DataSource
from labkit.plumbing.store import Store
from labkit.release.lineage import FILE
from labkit.runs.reproduce import DIFFERS, IDENTICAL, SAME_DECISIONS
from tests.running import run_labkit
from tests.subjects import write_checkpoint, write_dataset


@pytest.fixture(scope="module")
def posts(tmp_path_factory) -> Path:
    """As many as the tiny model needs to learn the classes."""
    return write_dataset(tmp_path_factory.mktemp("reproduce") / "posts", train=240)


@pytest.fixture(scope="module")
def model(tiny_config, posts, one_thread) -> Path:
    """A saved model, in a folder that its store does not know."""
    config = replace(tiny_config, data=DataSource(str(posts)))
    store = Store(posts.parent / "store")
    run = lab.run(config, store, replace={"repeatability": None})
    return Path(shutil.copytree(run.saved_model, posts.parent / "model"))


@pytest.fixture
def copy(model, tmp_path) -> Path:
    return Path(shutil.copytree(model, tmp_path / "copy"))


def edit(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    record = json.loads((folder / FILE).read_text())
    change(record)
    (folder / FILE).write_text(json.dumps(record))


def test_the_same_machine_gives_the_same_bits(model, capsys):
    assert main(["reproduce", str(model)]) == IDENTICAL
    assert capsys.readouterr().out == "Identical to the bit.\n"


def test_other_threads_give_the_same_decisions_or_bits_and_are_named(model):
    """Threads change how sums are rounded, where there is something to be divided among them."""
    done = run_labkit("reproduce", str(model), OMP_NUM_THREADS="2")
    assert done.returncode in (IDENTICAL, SAME_DECISIONS), done.stdout + done.stderr
    if (os.cpu_count() or 1) > 1:
        assert "hardware: threads 1 then, 2 now" in done.stdout


def test_another_recipe_in_the_lineage_is_no_longer_that_of_the_model(copy, capsys):
    edit(copy, lambda record: record["config"]["recipe"].update(learning_rate=1e-9))
    assert main(["reproduce", str(copy)]) == DIFFERS
    out = capsys.readouterr().out
    assert out.startswith("Nothing was trained")
    assert "recipe: learning_rate 0.005 then, 1e-09 now" in out


def test_a_lineage_that_tells_another_recipe_throughout_does_not_give_the_model(copy, capsys):
    def forge(record: dict[str, Any]) -> None:
        record["config"]["recipe"]["learning_rate"] = 1e-9
        record["recipe"]["learning_rate"] = 1e-9

    edit(copy, forge)
    assert main(["reproduce", str(copy)]) == DIFFERS
    assert "test posts have another answer now" in capsys.readouterr().out


def test_another_seed_gives_other_weights(copy, capsys):
    def forge(record: dict[str, Any]) -> None:
        record["config"]["recipe"]["seed"] = record["recipe"]["seed"] = 7

    edit(copy, forge)
    assert main(["reproduce", str(copy)]) in (SAME_DECISIONS, DIFFERS)
    assert "Identical" not in capsys.readouterr().out


def test_other_data_are_named_and_nothing_is_trained(copy, tmp_path, capsys):
    other = write_dataset(tmp_path / "posts", seed=9)
    assert main(["reproduce", str(copy), "--dataset", str(other)]) == DIFFERS
    captured = capsys.readouterr()
    assert f"data: {other} has another fingerprint" in captured.out
    assert "fine tuned" not in captured.err


def test_data_that_moved_are_the_same_data(copy, posts, tmp_path):
    moved = shutil.copytree(posts, tmp_path / "moved")
    assert main(["reproduce", str(copy), "--dataset", str(moved)]) == IDENTICAL


def test_another_base_model_is_named(copy, tmp_path, capsys):
    other = write_checkpoint(tmp_path / "other", seed=3)
    assert main(["reproduce", str(copy), "--base-model", str(other)]) == DIFFERS
    assert f"base model: {other} has other weights" in capsys.readouterr().out


def test_another_library_is_named_though_the_bits_are_the_same(copy, capsys):
    edit(copy, lambda record: record["packages"].update(torch="0.1"))
    assert main(["reproduce", str(copy)]) == IDENTICAL
    assert "library: torch 0.1 then, " in capsys.readouterr().out


def test_a_damaged_model_is_not_compared(copy, capsys):
    (copy / "config.json").write_text("{}")
    assert main(["reproduce", str(copy)]) == DIFFERS
    assert "config.json does not have its recorded digest" in capsys.readouterr().out


@pytest.mark.parametrize("wrong", ["nothing", "elsewhere"])
def test_what_cannot_be_reproduced_is_one_line(copy, wrong, capsys):
    if wrong == "nothing":
        (copy / FILE).unlink()
    else:
        edit(copy, lambda record: record.update(trained_elsewhere="hub/model"))
    assert main(["reproduce", str(copy)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
