"""Exercise 6: save and track.

What you see: A fine-tuned model is a folder. The weights lie in one safetensors file: a list of
names and shapes, then the plain numbers. Nothing in it can run, unlike in a pickle. Beside it lie
the tokenizer, the configuration, a model card, and `lineage.json`: base model, fingerprint of the
data, hyperparameters, packages, machine, metrics, and the SHA-256 of every file.

A hash proves that a file is, byte for byte, the one that was recorded. It does not prove that the
model is good, or that the record is true: `lineage.json` lies beside the files, and whoever changes
both can make them agree.

Predict first: The model has learned from hundreds of posts. How much larger is it than the base
model: 1 %, 10 % or twice as large? Then look:

    pytest -k save_and_track -v

Question: What files make up a fine-tuned model? How big compared to the original?
"""

import hashlib
import json

import pytest
from huggingface_hub import ModelCard

from labkit.release.lineage import Lineage, describe_files

pytestmark = pytest.mark.exercise("save_and_track")
FILES = (
    "config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
    "lineage.json",
    "README.md",
)
BYTES = {"F32": 4, "F16": 2, "BF16": 2}  # of one number


@pytest.fixture(scope="module")
def lineage(saved_model):
    return Lineage.load(saved_model)


def test_the_weights_file_by_hand(saved_model):
    """A safetensors file begins with the length of its table, then the table, in JSON."""
    with (saved_model / "model.safetensors").open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        table = json.loads(file.read(length))  # name: type, shape, place in the file
    name = next(name for name in table if name.endswith("word_embeddings.weight"))
    rows, dim = table[name]["shape"]
    begin, end = table[name]["data_offsets"]
    config = json.loads((saved_model / "config.json").read_text())

    assert rows == config["vocab_size"]  # one row for every token
    assert end - begin == rows * dim * BYTES[table[name]["dtype"]]  # the plain numbers


def test_what_a_hash_proves_by_hand(saved_model, lineage):
    """The recorded SHA-256 is that of these very bytes; one bit more or less gives another."""
    weights = bytearray((saved_model / "model.safetensors").read_bytes())
    recorded = lineage.files["model.safetensors"]["sha256"]
    assert hashlib.sha256(weights).hexdigest() == recorded

    weights[-1] ^= 1  # the last bit of the last number
    assert hashlib.sha256(weights).hexdigest() != recorded


@pytest.mark.parametrize("name", FILES, ids=[name.replace(".", "-") for name in FILES])
def test_file_is_there_and_not_empty(saved_model, name):
    assert (saved_model / name).stat().st_size > 0


def test_nothing_is_pickled(saved_model):
    suffixes = {path.suffix for path in saved_model.iterdir()}
    assert suffixes <= {".json", ".safetensors", ".txt", ".md"}


def test_lineage_names_what_the_model_was_made_of(
    pretrained, posts, plan, fine_tuned, evaluations, lineage
):
    assert lineage.base_model["sha256"] == pretrained.sha256
    assert lineage.data["split_sizes"] == {name: len(split) for name, split in posts.items()}
    if fine_tuned.history:
        assert lineage.recipe["learning_rate"] == plan.learning_rate
    assert lineage.metrics["fine_tuned_accuracy"] == evaluations["fine_tuned"].accuracy.value


def test_lineage_digests_are_those_of_the_files(saved_model, lineage):
    files = describe_files(saved_model)
    assert files.keys() - lineage.files.keys() == {"lineage.json"}
    assert {name: files[name] for name in lineage.files} == lineage.files


def test_model_card_is_one_the_hub_reads(saved_model, evaluations):
    card = ModelCard.load(saved_model / "README.md")
    (metric,) = [r for r in card.data.eval_results if r.metric_type == "accuracy"]
    assert card.data.pipeline_tag == "text-classification"
    assert metric.metric_value == evaluations["fine_tuned"].accuracy.value


def test_gate(answer, gate):
    answer.check(gate)
