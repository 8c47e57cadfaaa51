"""The `distilbert` profile's loading code, run for real against a Hub cache that a test filled."""

import json
import os
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from labkit import profiles
from labkit.plumbing.digests import file_digest
from labkit.profiles import DISTILBERT, EMBEDDED
from tests.running import ROOT, Finished, answers_in, run_pytest, run_python
from tests.subjects import write_checkpoint, write_dataset

NLI_LABELS = {"CONTRADICTION": 0, "NEUTRAL": 1, "ENTAILMENT": 2}


def snapshot(hub: Path, kind: str, source) -> Path:
    """The folder of a pinned revision in the Hub's own cache layout."""
    name = f"{kind}--{source.source.replace('/', '--')}"
    return hub / name / "snapshots" / source.revision


def write_nli_checkpoint(folder: Path) -> None:
    """A classifier that calls its third output entailment."""
    import torch
    from transformers import DistilBertForSequenceClassification

    write_checkpoint(folder, seed=5)
    torch.manual_seed(5)
    model = DistilBertForSequenceClassification.from_pretrained(
        folder,
        num_labels=3,
        label2id=NLI_LABELS,
        id2label={index: label for label, index in NLI_LABELS.items()},
    )
    model.save_pretrained(folder)


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """A Hub cache with small files under the pinned revisions."""
    folder = tmp_path_factory.mktemp("hf") / "hub"
    write_checkpoint(snapshot(folder, "models", DISTILBERT.base_model))
    write_nli_checkpoint(snapshot(folder, "models", DISTILBERT.nli_model))
    write_dataset(snapshot(folder, "datasets", DISTILBERT.data), train=120, test=40)
    return folder


def run_lab(folder: Path, hub: Path, *args: str) -> Finished:
    """The lab offline, with nothing but `hub` in its Hub cache; modules of `folder` are found."""
    path = os.pathsep.join([str(folder), str(ROOT)])
    return run_pytest(
        "tests/exercises", *args, folder=folder, HF_HOME=str(hub.parent), PYTHONPATH=path
    )


def test_the_pinned_digest_is_checked_on_what_the_hub_gave(hub, tmp_path):
    """The small weights are not DistilBERT's, so the profile as it is must refuse them."""
    run = run_lab(tmp_path, hub, "--lab-profile", "distilbert", "--lab-max-length", "64")
    assert run.returncode == 4, run.stdout
    assert "has SHA-256" in run.stderr
    assert "Traceback" not in run.stderr
    assert not (tmp_path / "reports").exists()


def test_the_whole_lab_runs_from_the_cache(hub, tmp_path):
    weights = snapshot(hub, "models", DISTILBERT.base_model) / "model.safetensors"
    pin = f"""
from dataclasses import replace
from labkit import profiles
base = replace(profiles.DISTILBERT.base_model, sha256="{file_digest(weights)}")
profiles.DISTILBERT = replace(profiles.DISTILBERT, base_model=base)
profiles.PROFILES["distilbert"] = profiles.DISTILBERT
"""
    (tmp_path / "pin_small_weights.py").write_text(pin)
    options = ["-p", "pin_small_weights", "--lab-max-length", "64", "--lab-learning-rate", "5e-3"]
    run = run_lab(tmp_path, hub, *options)
    assert "profile distilbert (auto: the Hub cache holds its model and data)" in run.stdout
    values = {answer["id"]: answer["values"] for answer in answers_in(tmp_path)}
    assert len(values) == 6, run.stdout
    assert 0 <= values["zero_shot"]["trained_nli_accuracy"] <= 1
    assert values["training_data"]["test_posts"] == 40
    lineage = json.loads((tmp_path / "reports" / "model" / "lineage.json").read_text())
    assert lineage["base_model"]["revision"] == DISTILBERT.base_model.revision
    assert lineage["data"]["revision"] == DISTILBERT.data.revision


@pytest.mark.parametrize(
    ("missing", "why"),
    [("none", "holds its model"), ("data", "HF_HUB_OFFLINE"), ("nli", "HF_HUB_OFFLINE")],
)
def test_auto_needs_the_whole_cache(hub, missing, why):
    """Which profile `auto` picks offline; asked in a process of its own, as the Hub's constants
    are read at import."""
    part = {
        "none": "",
        "data": "data=replace(D.data, revision='0' * 40)",
        "nli": "nli_model=replace(D.nli_model, revision='0' * 40)",
    }[missing]
    code = (
        "from dataclasses import replace; from labkit import profiles; D = profiles.DISTILBERT; "
        f"profiles.DISTILBERT = replace(D, {part}); print(profiles.choose('auto').why)"
    )
    found = run_python("-c", code, HF_HOME=str(hub.parent))
    assert why in found.stdout, found.stderr


@pytest.mark.parametrize("hub", ["answers", "refuses", "hangs"])
def test_the_hub_counts_where_it_answers_in_time(monkeypatch, hub):
    """One that refuses is believed at once: with a day of patience, this test would not end."""
    released = threading.Event()

    def model_info(self, name, **_):
        if hub == "refuses":
            raise ConnectionError
        if hub == "hangs":
            released.wait()

    monkeypatch.setattr("huggingface_hub.HfApi.model_info", model_info)
    patience = 0.2 if hub == "hangs" else 86_400
    assert profiles.hub_answers(DISTILBERT, patience) is (hub == "answers")
    released.set()


def test_a_profile_differs_only_in_what_it_names():
    """One code path: recipe, groups and their wording are the same under both."""
    named: dict[str, Any] = {"profile": "", "base_model": None, "data": None, "nli_model": None}
    assert replace(EMBEDDED, **named) == replace(DISTILBERT, **named)
