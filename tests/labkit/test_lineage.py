"""What the record of a model says, field by field, from a lab that only has the facts."""

import datetime
import importlib.metadata
import subprocess
from dataclasses import asdict, replace
from hashlib import sha256
from types import SimpleNamespace
from typing import Any

import pytest

from labkit import lineage
from labkit.config import DataSource, LabConfig, ModelSource, Recipe, fingerprint
from labkit.data import Cleaning
from labkit.hardware import Hardware
from labkit.lineage import Lineage
from labkit.statistics import Estimate
from labkit.store import Entry


class Splits:
    labels = ("a", "b")
    cleaning = Cleaning({"train": 9, "test": 4}, {"train": 1, "test": 0}, 2, 3)

    def items(self) -> Any:
        yield from (("train", [1, 2, 3]), ("validation", [4]), ("test", [5, 6]))


@pytest.fixture
def facts(tmp_path) -> Any:
    """All that `record` asks of a lab."""
    evaluation = SimpleNamespace(accuracy=Estimate(0.9, 0.8, 1.0), macro_f1=Estimate(0.8, 0.7, 0.9))
    epochs = [SimpleNamespace(validation_loss=loss) for loss in (0.5, 0.2, 0.3)]
    return SimpleNamespace(
        config=LabConfig(
            profile="embedded",
            base_model=ModelSource("base"),
            data=DataSource("hub/posts", revision="r1", seed=5),
            recipe=Recipe(epochs=3),
        ),
        trains=True,
        history=SimpleNamespace(best_epoch=2, epochs=epochs),
        evaluations={"fine_tuned": evaluation},
        base=SimpleNamespace(describe=lambda: {"name": "base"}),
        data_digests={"train.jsonl": "d1"},
        splits=Splits(),
        hardware=Hardware("cpu", False, 2, processes=3),
        repeatability={"checked": True, "identical": True},
        entries={"tokens": Entry(tmp_path, "key", False, 1.23456)},
    )


@pytest.fixture
def model(tmp_path) -> Any:
    folder = tmp_path / "model"
    (folder / "sub").mkdir(parents=True)
    (folder / "weights").write_bytes(b"abc")
    (folder / "config").write_bytes(b"")
    return folder


def test_a_record_has_every_fact(facts, model):
    record = lineage.record(facts, model)
    age = datetime.datetime.now(datetime.UTC) - datetime.datetime.fromisoformat(record.created)
    assert datetime.timedelta(0) <= age < datetime.timedelta(minutes=5)
    assert "." not in record.created
    assert record.labkit == importlib.metadata.version("labkit")
    assert record.profile == "embedded"
    assert record.config == facts.config.to_dict()
    assert record.base_model == {"name": "base"}
    assert record.recipe["epochs"] == 3
    assert record.hardware == asdict(facts.hardware)
    assert record.machine["cores"] >= 1
    assert {"torch", "transformers", "numpy"} <= set(record.packages)
    assert record.durations == {"tokens": 1.235}
    assert record.bit_for_bit == {"checked": True, "identical": True}
    assert record.commit == lineage.commit()
    assert record.trained_elsewhere is None
    assert record.metrics == {
        "fine_tuned_accuracy": 0.9,
        "fine_tuned_macro_f1": 0.8,
        "best_epoch": 2,
        "validation_loss": 0.2,
    }


def test_the_data_are_recorded_with_fingerprint_and_counts(facts, model):
    assert lineage.record(facts, model).data == {
        "source": "hub/posts",
        "revision": "r1",
        "fingerprint": fingerprint({"train.jsonl": "d1"}),
        "labels": ["a", "b"],
        "split_sizes": {"train": 3, "validation": 1, "test": 2},
        "split_seed": 5,
        "cleaning": asdict(Splits.cleaning),
    }


def test_every_file_of_the_model_has_its_digest(facts, model):
    assert lineage.record(facts, model).files == {
        "config": {"bytes": 0, "sha256": sha256(b"").hexdigest()},
        "weights": {"bytes": 3, "sha256": sha256(b"abc").hexdigest()},
    }


def test_a_model_from_elsewhere_has_no_recipe_of_ours(facts, model):
    facts.trains = False
    facts.config = replace(facts.config, fine_tuned=ModelSource("someone/model"))
    facts.repeatability = {"checked": False}
    record = lineage.record(facts, model)
    assert record.recipe == {}
    assert record.trained_elsewhere == "someone/model"
    assert set(record.metrics) == {"fine_tuned_accuracy", "fine_tuned_macro_f1"}
    assert record.bit_for_bit == {"checked": False}


def test_a_saved_record_is_read_back_and_ends_its_last_line(facts, model):
    record = lineage.record(facts, model)
    record.save(model)
    text = (model / lineage.FILE).read_text()
    assert text.startswith('{\n  "created"')
    assert text.endswith("}\n")
    assert Lineage.load(model) == record


def test_a_number_that_json_does_not_know_is_not_recorded(facts, model):
    record = replace(lineage.record(facts, model), metrics={"fine_tuned_accuracy": float("nan")})
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
    assert lineage.commit(tmp_path) == head[:12]
    (tmp_path / "lineage.py").write_text("two")
    assert lineage.commit(tmp_path) == head[:12] + "+"


def test_outside_a_checkout_there_is_no_commit(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert lineage.commit(tmp_path) is None


@pytest.mark.parametrize("error", [OSError, subprocess.TimeoutExpired("git", 10)])
def test_without_git_there_is_no_commit(monkeypatch, error):
    def fail(*_: Any, **settings: Any) -> None:
        assert 0 < settings["timeout"] <= 60
        raise error

    monkeypatch.setattr(subprocess, "run", fail)
    assert lineage.commit() is None
