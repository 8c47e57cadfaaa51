"""Exercise 6: save and track.

The model and its tokenizer are saved with safetensors, beside a model card and `lineage.json`:
base model, data with a content fingerprint, hyperparameters, packages, machine, metrics, and the
digest of every file.

Question: What files make up a fine-tuned model? How big compared to the original?
"""

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


@pytest.fixture(scope="module")
def lineage(saved_model):
    return Lineage.load(saved_model)


@pytest.mark.parametrize("name", FILES, ids=[name.replace(".", "-") for name in FILES])
def test_file_is_there_and_not_empty(saved_model, name):
    assert (saved_model / name).stat().st_size > 0


def test_nothing_is_pickled(saved_model):
    suffixes = {path.suffix for path in saved_model.iterdir()}
    assert suffixes <= {".json", ".safetensors", ".txt", ".md"}


def test_lineage_names_what_the_model_was_made_of(
    lab, pretrained, posts, fine_tuned, evaluations, lineage
):
    assert lineage.base_model["sha256"] == pretrained.sha256
    assert lineage.data["split_sizes"] == {name: len(split) for name, split in posts.items()}
    if fine_tuned.history:
        assert lineage.recipe["learning_rate"] == lab.settings["learning_rate"]
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
