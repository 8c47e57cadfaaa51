"""What may be a base model, and what is refused with which words."""

import json
import shutil

import pytest

from labkit import base_model
from labkit.config import ModelSource
from labkit.errors import LabError
from labkit.store import Store, file_digest


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


@pytest.fixture
def checkpoint(tiny_checkpoint, tmp_path):
    """A copy that a test may damage."""
    return shutil.copytree(tiny_checkpoint, tmp_path / "checkpoint")


def test_a_distilbert_folder_is_taken(checkpoint, store):
    base = base_model.resolve(ModelSource(str(checkpoint)), store)
    assert base.folder == checkpoint
    assert base.digest == file_digest(checkpoint / "model.safetensors")


def test_the_pinned_digest_is_checked(checkpoint, store):
    good = file_digest(checkpoint / "model.safetensors")
    base_model.resolve(ModelSource(str(checkpoint), sha256=good), store)
    weights = checkpoint / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    with pytest.raises(LabError, match="SHA-256"):
        base_model.resolve(ModelSource(str(checkpoint), sha256=good), store)


def test_another_architecture_is_refused(checkpoint, store):
    config = json.loads((checkpoint / "config.json").read_text()) | {"model_type": "bert"}
    (checkpoint / "config.json").write_text(json.dumps(config))
    with pytest.raises(LabError, match="is a bert, the lab fine-tunes a distilbert"):
        base_model.resolve(ModelSource(str(checkpoint)), store)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}"], ids=["empty", "cut", "list", "bare"])
def test_an_unreadable_config_is_refused(checkpoint, store, content):
    (checkpoint / "config.json").write_text(content)
    with pytest.raises(LabError, match=r"no readable config\.json"):
        base_model.resolve(ModelSource(str(checkpoint)), store)


def test_pickled_weights_are_refused(checkpoint, store):
    (checkpoint / "model.safetensors").rename(checkpoint / "pytorch_model.bin")
    with pytest.raises(LabError, match="pickled weights are never loaded"):
        base_model.resolve(ModelSource(str(checkpoint)), store)


def test_a_missing_tokenizer_is_refused(checkpoint, store):
    (checkpoint / "tokenizer.json").unlink()
    (checkpoint / "vocab.txt").unlink()
    with pytest.raises(LabError, match=r"no tokenizer\.json"):
        base_model.resolve(ModelSource(str(checkpoint)), store)


def test_a_missing_folder_is_refused(store):
    with pytest.raises(LabError, match="no such file or folder"):
        base_model.resolve(ModelSource("./not/there"), store)
