"""The training loop: what it may not change of the recipe, and which weights it ends with."""

from dataclasses import replace

import datasets
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from labkit.config import ModelSource, Recipe
from labkit.data.tokens import Tokens
from labkit.model.checkpoints import WEIGHTS, resolve
from labkit.model.encoding import classify
from labkit.plumbing.hardware import Hardware
from labkit.training.classifier import new_classifier
from labkit.training.fast import parts
from labkit.training.fast.speed import speed_of
from labkit.training.fast.widths import WIDTH
from labkit.training.history import Start

FLOAT32 = Hardware("cpu", bf16=False, threads=1)
WORDS = "distilbert.embeddings.word_embeddings.weight"


@pytest.fixture
def posts():
    """Nineteen posts of 3 to 21 tokens: batches of 8 leave three for the last step."""
    ids = [[2, *(5 + (7 * i + j) % 40 for j in range(i + 1)), 3] for i in range(19)]
    return datasets.Dataset.from_dict({"input_ids": ids, "label": [i % 2 for i in range(19)]})


@pytest.fixture
def others(posts):
    """The same posts, of which five have the other class: who learns `posts` by heart fails here."""
    labels = [1 - label if row % 4 == 0 else label for row, label in enumerate(posts["label"])]
    return datasets.Dataset.from_dict({"input_ids": list(posts["input_ids"]), "label": labels})


def train(checkpoint, posts, validation, recipe, scratch, **more):
    base = resolve(ModelSource(str(checkpoint)))
    start = Start(base, Tokens(posts, validation, validation, ("a", "b")), FLOAT32)
    return new_classifier(start, scratch, posts, validation, recipe, **more)


def weights_after(checkpoint, posts, scratch, recipe):
    model, history = train(checkpoint, posts, posts, recipe, scratch)
    return model.state_dict(), history


def test_a_batch_in_parts_is_the_step_of_the_whole_batch(
    tiny_checkpoint, posts, tmp_path, monkeypatch
):
    recipe = Recipe(epochs=2, batch_size=8, learning_rate=1e-3)
    whole, as_whole = weights_after(tiny_checkpoint, posts, tmp_path, recipe)
    monkeypatch.setattr(parts, "PART", 42)  # two posts of the longest
    cut, in_parts = weights_after(tiny_checkpoint, posts, tmp_path, recipe)
    assert in_parts.steps == as_whole.steps == 6
    for (_, loss), (_, other) in zip(as_whole.step_losses, in_parts.step_losses, strict=True):
        assert loss == pytest.approx(other, abs=1e-4)
    for name, values in whole.items():
        torch.testing.assert_close(values, cut[name], atol=1e-5, rtol=1e-4)


def test_another_recipe_gives_other_weights(tiny_checkpoint, posts, tmp_path):
    """So the comparison above can fail."""
    recipe = Recipe(epochs=1, batch_size=8, learning_rate=1e-3)
    one, _ = weights_after(tiny_checkpoint, posts, tmp_path, recipe)
    other, _ = weights_after(tiny_checkpoint, posts, tmp_path, replace(recipe, batch_size=4))
    assert not all(torch.allclose(one[name], other[name], atol=1e-5) for name in one)


OVERFITTING = Recipe(epochs=12, batch_size=8, learning_rate=1e-2)  # epoch 5 is its best


def test_the_weights_kept_are_those_of_the_best_epoch(tiny_checkpoint, posts, others, tmp_path):
    """Of a training that gets worse towards its end: those that its checkpoint of then holds."""
    _, history = train(
        tiny_checkpoint, posts, others, OVERFITTING, tmp_path, checkpoints=tmp_path / "kept"
    )
    model, again = train(tiny_checkpoint, posts, others, OVERFITTING, tmp_path)
    assert again.best_epoch == history.best_epoch
    assert 1 < history.best_epoch < len(history.epochs)
    steps = history.steps // len(history.epochs)
    best, last = (
        load_file(tmp_path / "kept" / f"checkpoint-{epoch * steps}" / WEIGHTS)
        for epoch in (history.best_epoch, len(history.epochs))
    )
    weights = model.state_dict()
    assert weights.keys() == best.keys() == last.keys()
    rows = sorted({0, *(token for ids in posts["input_ids"] for token in ids)})  # 0 is padding
    weights[WORDS] = torch.cat([weights[WORDS][rows], best[WORDS][-1:]])
    assert all(torch.equal(weights[name], best[name]) for name in best)
    assert not any(torch.equal(last[name], best[name]) for name in best)


def test_the_model_kept_has_the_lowest_validation_loss_of_all_epochs(
    tiny_checkpoint, posts, others, tmp_path
):
    model, history = train(tiny_checkpoint, posts, others, OVERFITTING, tmp_path)
    logits = torch.from_numpy(classify(model, list(others["input_ids"])).logits)
    loss = torch.nn.functional.cross_entropy(logits, torch.tensor(others["label"])).item()
    losses = [epoch.validation_loss for epoch in history.epochs]
    assert loss == pytest.approx(min(losses), abs=1e-5)
    assert losses[-1] > min(losses) + 0.5


def test_training_leaves_nothing_in_its_scratch_folder(tiny_checkpoint, posts, tmp_path):
    weights_after(
        tiny_checkpoint, posts, tmp_path, Recipe(epochs=1, learning_rate=1e-3, batch_size=8)
    )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("posts", "width", "sizes"),
    [
        *((16, 64, [16]), (16, 65, [8, 8]), (16, 256, [4] * 4), (16, 512, [2] * 8)),
        *((13, 100, [7, 6]), (3, 2000, [1] * 3), (1, 2000, [1])),
    ],
)
def test_a_batch_is_halved_until_its_parts_are_small(posts, width, sizes):
    batch = padded([width] * posts)
    assert [len(part["labels"]) for part in parts.parts_of(batch)] == sizes


@given(st.lists(st.integers(1, 300), min_size=1, max_size=16))
def test_the_parts_are_the_batch_no_wider_than_they_must_be(lengths):
    batch = padded(lengths)
    found = parts.parts_of(batch)
    rows = [
        (int(label), ids[mask.bool()].tolist())
        for part in found
        for label, ids, mask in zip(
            part["labels"], part["input_ids"], part["attention_mask"], strict=True
        )
    ]
    assert [len(ids) for _, ids in rows] == sorted(lengths)
    assert sorted(rows) == [(row, [row + 1] * length) for row, length in enumerate(lengths)]
    for part in found:
        width, longest = part["input_ids"].shape[1], int(part["attention_mask"].sum(dim=1).max())
        assert longest <= width < longest + WIDTH
        assert width * len(part["labels"]) <= parts.PART or len(part["labels"]) == 1


def padded(lengths):
    """A batch of posts of these lengths, each full of its row's number, which is its label too."""
    width = max(lengths)
    ids = torch.tensor([[row + 1] * n + [0] * (width - n) for row, n in enumerate(lengths)])
    mask = torch.tensor([[1] * n + [0] * (width - n) for n in lengths])
    return {"input_ids": ids, "attention_mask": mask, "labels": torch.arange(len(lengths))}


def test_a_gpu_takes_its_share_at_once():
    speed = speed_of(Hardware("cuda", bf16=False, threads=1), 16)
    assert speed.arguments["per_device_train_batch_size"] == 16
    assert not issubclass(speed.trainer, parts.InParts)
    assert issubclass(speed_of(FLOAT32, 16).trainer, parts.InParts)
