"""What may be a base model, and what is refused with which words."""

import json
import shutil

import pytest

from labkit.config import ModelSource
from labkit.errors import LabError
from labkit.model import checkpoints
from labkit.plumbing.digests import file_digest


@pytest.fixture
def checkpoint(tiny_checkpoint, tmp_path):
    """A copy that a test may damage."""
    return shutil.copytree(tiny_checkpoint, tmp_path / "checkpoint")


def test_a_distilbert_folder_is_taken(checkpoint):
    base = checkpoints.resolve(ModelSource(str(checkpoint)))
    assert base.folder == checkpoint
    assert base.sha256 == file_digest(checkpoint / "model.safetensors")


def test_the_pinned_digest_is_checked(checkpoint):
    good = file_digest(checkpoint / "model.safetensors")
    checkpoints.resolve(ModelSource(str(checkpoint), sha256=good))
    weights = checkpoint / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    with pytest.raises(LabError, match="SHA-256"):
        checkpoints.resolve(ModelSource(str(checkpoint), sha256=good))


def test_another_architecture_is_refused(checkpoint):
    config = json.loads((checkpoint / "config.json").read_text()) | {"model_type": "bert"}
    (checkpoint / "config.json").write_text(json.dumps(config))
    with pytest.raises(LabError, match="is a bert, the lab fine-tunes a distilbert"):
        checkpoints.resolve(ModelSource(str(checkpoint)))


@pytest.mark.parametrize("content", ["", "{", "[]", "{}"], ids=["empty", "cut", "list", "bare"])
def test_an_unreadable_config_is_refused(checkpoint, content):
    (checkpoint / "config.json").write_text(content)
    with pytest.raises(LabError, match=r"no readable config\.json"):
        checkpoints.resolve(ModelSource(str(checkpoint)))


def test_pickled_weights_are_refused(checkpoint):
    (checkpoint / "model.safetensors").rename(checkpoint / "pytorch_model.bin")
    with pytest.raises(LabError, match="pickled weights are never loaded"):
        checkpoints.resolve(ModelSource(str(checkpoint)))


def test_a_missing_tokenizer_is_refused(checkpoint):
    (checkpoint / "tokenizer.json").unlink()
    (checkpoint / "vocab.txt").unlink()
    with pytest.raises(LabError, match=r"no tokenizer\.json"):
        checkpoints.resolve(ModelSource(str(checkpoint)))


def test_a_missing_folder_is_refused():
    with pytest.raises(LabError, match="no such file or folder"):
        checkpoints.resolve(ModelSource("./not/there"))
