"""What the record of a model says, field by field, from a lab that only has the facts."""

import datetime
import subprocess
from dataclasses import asdict, replace
from hashlib import sha256
from typing import Any

import datasets
import numpy as np
import pytest

import labkit
from labkit.config import DataSource, LabConfig, ModelSource, Recipe, Selection
from labkit.data.files import DataFiles
from labkit.data.posts import Cleaning, Posts
from labkit.evaluation.intervals import Estimate
from labkit.evaluation.metrics import Evaluation
from labkit.model.checkpoints import WEIGHTS, Checkpoint
from labkit.plumbing import results
from labkit.plumbing.checkout import commit as commit_of
from labkit.plumbing.digests import fingerprint
from labkit.plumbing.hardware import Hardware
from labkit.release import lineage
from labkit.release.lineage import Ingredients, Lineage
from labkit.training.classifier import FineTuned
from labkit.training.history import Epoch, History, Repeatability
from labkit.training.plan import Plan

DURATIONS = {"tokens": 1.23456, "posts": 0.0}
CLEANING = Cleaning({"train": 9, "test": 4}, {"train": 1, "test": 0}, 2, 3)


def split(size: int) -> datasets.Dataset:
    return datasets.Dataset.from_dict({"text": ["post"] * size, "label": [0] * size})


@pytest.fixture
def facts(tmp_path) -> Ingredients:
    """All that `record` asks of a lab."""
    folder = tmp_path / "base"
    folder.mkdir()
    (folder / WEIGHTS).write_bytes(b"weights")
    epochs = tuple(Epoch(i, 0.5, loss, 0.5) for i, loss in enumerate((0.5, 0.2, 0.3), start=1))
    right = np.array([True, False])
    return Ingredients(
        config=LabConfig(
            profile="embedded",
            base_model=ModelSource("hub/base"),
            data=DataSource("hub/posts", revision="r1"),
            selection=Selection(split_seed=5),
            recipe=Recipe(epochs=3),
        ),
        plan=Plan(Recipe(epochs=3, learning_rate=1e-4), "Because."),
        data_files=DataFiles(tmp_path, "hub/posts", {"train.jsonl": "d1"}),
        base=Checkpoint(
            folder, "hub/base", "r2", {WEIGHTS: "that of the converted"}, published="d2"
        ),
        posts=Posts(split(3), split(1), split(2), ("a", "b"), CLEANING),
        fine_tuned=FineTuned(
            folder, History(epochs, (), 2, 3, 0.1, False, "cpu"), np.zeros((1, 2))
        ),
        evaluations={
            "fine_tuned": Evaluation(
                "fine_tuned",
                right.astype(int),
                right,
                accuracy=Estimate(0.9, 0.8, 1.0),
                macro_f1=Estimate(0.8, 0.7, 0.9),
            )
        },
        repeatability=Repeatability(4, ("d3", "d3")),
        hardware=Hardware("cpu", False, 2, processes=3),
        commit="0123456789ab+",
    )


@pytest.fixture
def model(tmp_path) -> Any:
    folder = tmp_path / "model"
    (folder / "sub").mkdir(parents=True)
    (folder / "weights").write_bytes(b"abc")
    (folder / "config").write_bytes(b"")
    return folder


def test_a_record_has_every_fact(facts, model):
    record = lineage.record(facts, model, DURATIONS)
    age = datetime.datetime.now(datetime.UTC) - datetime.datetime.fromisoformat(record.created)
    assert datetime.timedelta(0) <= age < datetime.timedelta(minutes=5)
    assert "." not in record.created
    assert record.labkit == labkit.__version__
    assert record.profile == "embedded"
    assert results.rebuild(LabConfig, record.config) == facts.config
    assert record.base_model == {
        "name": "hub/base",
        "revision": "r2",
        "sha256": "d2",  # as it was published
        "bytes": len(b"weights"),
    }
    assert record.recipe["epochs"] == 3
    assert record.hardware == asdict(facts.hardware)
    assert record.machine["cores"] >= 1
    assert {"torch", "transformers", "numpy"} <= set(record.packages)
    assert record.durations == {"tokens": 1.235, "posts": 0}
    assert record.bit_for_bit == {
        "checked": True,
        "identical": True,
        "steps": 4,
        "sha256": ["d3", "d3"],
    }
    assert record.commit == "0123456789ab+"
    assert record.trained_elsewhere is None
    assert record.metrics == {
        "fine_tuned_accuracy": 0.9,
        "fine_tuned_macro_f1": 0.8,
        "best_epoch": 2,
        "validation_loss": 0.2,
    }


def test_the_data_are_recorded_with_fingerprint_and_counts(facts, model):
    assert lineage.record(facts, model, DURATIONS).data == {
        "source": "hub/posts",
        "revision": "r1",
        "fingerprint": fingerprint({"train.jsonl": "d1"}),
        "labels": ["a", "b"],
        "split_sizes": {"train": 3, "validation": 1, "test": 2},
        "split_seed": 5,
        "cleaning": asdict(CLEANING),
    }


def test_every_file_of_the_model_has_its_digest(facts, model):
    assert lineage.record(facts, model, DURATIONS).files == {
        "config": {"bytes": 0, "sha256": sha256(b"").hexdigest()},
        "weights": {"bytes": 3, "sha256": sha256(b"abc").hexdigest()},
    }


def test_a_model_from_elsewhere_has_no_recipe_of_ours(facts, model):
    elsewhere = replace(
        facts,
        config=replace(facts.config, trained_elsewhere=ModelSource("someone/model")),
        fine_tuned=replace(facts.fine_tuned, history=None),
        plan=None,
        repeatability=None,
    )
    record = lineage.record(elsewhere, model, DURATIONS)
    assert record.recipe == {}
    assert record.trained_elsewhere == "someone/model"
    assert set(record.metrics) == {"fine_tuned_accuracy", "fine_tuned_macro_f1"}
    assert record.bit_for_bit == {"checked": False}


def test_a_saved_record_is_read_back_and_ends_its_last_line(facts, model):
    record = lineage.record(facts, model, DURATIONS)
    record.save(model)
    text = (model / lineage.FILE).read_text()
    assert text.startswith('{\n  "created"')
    assert text.endswith("}\n")
    assert Lineage.load(model) == record


def test_a_number_that_json_does_not_know_is_not_recorded(facts, model):
    record = replace(
        lineage.record(facts, model, DURATIONS), metrics={"fine_tuned_accuracy": float("nan")}
    )
    with pytest.raises(ValueError, match="not JSON compliant"):
        record.save(model)
    assert not (model / lineage.FILE).exists()


@pytest.fixture
def checkout(tmp_path) -> Any:
    """A checkout of one commit."""

    def git(*arguments: str) -> str:
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        command = ["git", "-C", str(tmp_path), *identity, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "-q")
    (tmp_path / "lineage.py").write_text("one")
    git("add", ".")
    git("commit", "-qm", "one")
    return git


def test_the_commit_is_that_of_the_checkout(checkout, tmp_path):
    head = checkout("rev-parse", "HEAD")
    assert commit_of(tmp_path) == head[:12]
    (tmp_path / "lineage.py").write_text("two")
    assert commit_of(tmp_path) == head[:12] + "+"


def test_outside_a_checkout_there_is_no_commit(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert commit_of(tmp_path) is None


@pytest.mark.parametrize("error", [OSError, subprocess.TimeoutExpired("git", 10)])
def test_without_git_there_is_no_commit(monkeypatch, error):
    def fail(*_: Any, **settings: Any) -> None:
        assert 0 < settings["timeout"] <= 60
        raise error

    monkeypatch.setattr(subprocess, "run", fail)
    assert commit_of() is None
