"""The folder that someone else gets: complete, checkable, never half replaced."""

import json
import shutil
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from datasets import Dataset
from huggingface_hub import ModelCard

from labkit.model.checkpoints import CHECKPOINT_FILES
from labkit.plumbing import results
from labkit.plumbing.store import MANIFEST
from labkit.profiles import PROFILES
from labkit.release import card, lineage, model_folder
from labkit.release.lineage import Lineage, describe_files


@pytest.fixture(scope="module")
def model(tiny_lab):
    return tiny_lab.saved_model


def test_lineage_survives_the_way_to_disk_and_back(model, tmp_path):
    record = Lineage.load(model)
    record.save(tmp_path)
    assert Lineage.load(tmp_path) == record


def test_a_changed_file_no_longer_matches_its_lineage(model, tmp_path):
    copy = shutil.copytree(model, tmp_path / "copy")
    record = Lineage.load(copy)
    files = describe_files(copy)
    assert files.keys() - record.files.keys() == {"lineage.json"}
    assert {name: files[name] for name in record.files} == record.files
    weights = copy / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert describe_files(copy)["model.safetensors"] != record.files["model.safetensors"]


def test_lineage_names_every_stage_that_the_model_went_through(model):
    stages = {"posts", "base_tokens", "fine_tuned", "predictions"}
    assert stages <= set(Lineage.load(model).durations)


def test_the_card_tells_the_measured_numbers(model, tiny_lab):
    card = ModelCard.load(model / "README.md")
    accuracy = tiny_lab.evaluations["fine_tuned"].accuracy.value
    assert card.data.library_name == "transformers"
    assert card.data.language is None  # nobody has said which one these posts are in
    assert accuracy in [result.metric_value for result in card.data.eval_results]
    assert f"{100 * accuracy:.1f} %" in card.text
    assert all(evaluation.name in card.text for evaluation in tiny_lab.evaluations.values())


def test_the_card_says_how_to_use_it_and_whose_licence_it_has(model, tiny_lab):
    text = ModelCard.load(model / "README.md").text
    assert "truncation=True" in text
    base = tiny_lab.settings["base_model"].source.rpartition("/")[2]
    assert f"{base}, which the lab does not know" in text


@pytest.mark.parametrize(
    ("profile", "base"),
    [
        ("embedded", "sentence-transformers/all-MiniLM-L6-v2"),
        ("distilbert", "distilbert/distilbert-base-uncased"),
    ],
)
def test_the_cards_of_the_profiles_name_base_model_and_licence(model, tiny_lab, profile, base):
    config = replace(tiny_lab.settings["config"], base_model=PROFILES[profile].base_model)
    made_of: Any = SimpleNamespace(
        config=config,
        posts=tiny_lab.posts,
        fine_tuned=tiny_lab.fine_tuned,
        evaluations=tiny_lab.evaluations,
    )
    page = ModelCard(card.model_card(made_of, Lineage.load(model)))
    front = page.data.to_dict()
    assert (front["license"], front["base_model"]) == ("apache-2.0", base)
    assert "apache-2.0, that of the base model" in page.text


def test_the_card_has_the_slices_worst_first(tiny_lab):
    names = ["easy", "hard", "easy", "easy", "hard", "easy"]
    posts = Dataset.from_dict({"slice": names})
    right = np.array([True, False, True, True, True, True])
    made_of: Any = SimpleNamespace(
        posts=SimpleNamespace(test=posts),
        evaluations={"fine_tuned": SimpleNamespace(correct=right)},
    )
    found = card.slices(made_of)
    assert [row[:2] for row in found] == [("hard", "2"), ("easy", "4")]
    assert found[0][2].startswith("50.0 %")
    made_of.posts.test = posts.remove_columns("slice")
    assert card.slices(made_of) == []


@pytest.fixture
def source(tmp_path):
    """Another model than the one that is published."""
    (tmp_path / "entry").mkdir()
    (tmp_path / "entry" / "new.txt").write_text("new")
    return tmp_path / "entry"


@pytest.fixture
def target(model, tmp_path):
    """A model that the lab has published."""
    model_folder.publish(model, tmp_path / "reports" / "model")
    return tmp_path / "reports" / "model"


def test_publishing_replaces_the_old_folder_whole(source, target):
    model_folder.publish(source, target)
    assert [path.name for path in target.iterdir()] == ["new.txt"]
    assert [p.name for p in target.parent.iterdir() if p.is_dir()] == ["model"]


def test_a_failed_publication_leaves_the_old_folder_alone(source, target, model, monkeypatch):
    def full_disk(*_, **__):
        raise OSError("no space left on device")

    monkeypatch.setattr(model_folder.shutil, "copytree", full_disk)
    with pytest.raises(OSError, match="no space"):
        model_folder.publish(source, target)
    assert describe_files(target) == describe_files(model)
    assert [p.name for p in target.parent.iterdir() if p.is_dir()] == ["model"]


def test_an_unchanged_model_is_not_written_again(model, target):
    before = (target / "config.json").stat().st_ino
    model_folder.publish(model, target)
    assert (target / "config.json").stat().st_ino == before


def test_nothing_of_the_store_is_published(tiny_lab, model):
    """The entries of model and training hold more: their manifests, the history, the logits."""
    of_a_checkpoint = {name for name in CHECKPOINT_FILES if (model / name).exists()}
    assert {path.name for path in model.iterdir()} == of_a_checkpoint | {lineage.FILE, card.CARD}
    stored = {path.name for path in tiny_lab.fine_tuned.folder.iterdir()}
    assert {MANIFEST, results.DOCUMENT, results.ARRAYS} <= stored
    assert json.loads((model / "config.json").read_text())["model_type"] == "distilbert"
