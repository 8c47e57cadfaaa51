"""The training loop: what it may not change of the recipe."""

from dataclasses import replace

import datasets
import pytest
import torch

from labkit import fine_tune
from labkit.config import Recipe
from labkit.hardware import Hardware
from labkit.tokenization import load_tokenizer

FLOAT32 = Hardware("cpu", bf16=False, threads=1)


@pytest.fixture
def posts():
    """Nineteen posts of 3 to 21 tokens: batches of 8 leave three for the last step."""
    ids = [[2, *(5 + (7 * i + j) % 40 for j in range(i + 1)), 3] for i in range(19)]
    return datasets.Dataset.from_dict({"input_ids": ids, "label": [i % 2 for i in range(19)]})


def weights_after(checkpoint, posts, scratch, recipe):
    model, history = fine_tune.fine_tune(
        checkpoint, load_tokenizer(checkpoint), posts, posts, ("a", "b"), recipe, FLOAT32, scratch
    )
    return model.state_dict(), history


def test_a_batch_in_parts_is_the_step_of_the_whole_batch(
    tiny_checkpoint, posts, tmp_path, monkeypatch
):
    recipe = Recipe(epochs=2, batch_size=8, learning_rate=1e-3)
    whole, as_whole = weights_after(tiny_checkpoint, posts, tmp_path, recipe)
    monkeypatch.setattr(fine_tune, "PART", 42)  # two posts of the longest
    parts, in_parts = weights_after(tiny_checkpoint, posts, tmp_path, recipe)
    assert in_parts.steps == as_whole.steps == 6
    for (_, loss), (_, other) in zip(as_whole.step_losses, in_parts.step_losses, strict=True):
        assert loss == pytest.approx(other, abs=1e-4)
    for name, values in whole.items():
        torch.testing.assert_close(values, parts[name], atol=1e-5, rtol=1e-4)


def test_another_recipe_gives_other_weights(tiny_checkpoint, posts, tmp_path):
    """So the comparison above can fail."""
    recipe = Recipe(epochs=1, batch_size=8, learning_rate=1e-3)
    one, _ = weights_after(tiny_checkpoint, posts, tmp_path, recipe)
    other, _ = weights_after(tiny_checkpoint, posts, tmp_path, replace(recipe, batch_size=4))
    assert not all(torch.allclose(one[name], other[name], atol=1e-5) for name in one)


def test_training_leaves_nothing_in_its_scratch_folder(tiny_checkpoint, posts, tmp_path):
    weights_after(tiny_checkpoint, posts, tmp_path, Recipe(epochs=1, batch_size=8))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("share", "longest", "part"),
    [
        *((16, 256, 8), (16, 512, 4), (16, 64, 16), (16, 5000, 1)),
        *((12, 256, 6), (8, 256, 8), (32, 256, 8), (13, 256, 13), (2, 256, 2), (1, 10, 1)),
    ],
)
def test_a_share_is_cut_into_equal_parts_where_it_can_be(share, longest, part):
    assert fine_tune.part_of(share, longest) == part


def test_a_gpu_takes_its_share_at_once():
    arguments = fine_tune.training_arguments(
        Recipe(), Hardware("cuda", bf16=False, threads=1), "scratch", longest=256
    )
    assert arguments.per_device_train_batch_size == Recipe().batch_size
    assert arguments.gradient_accumulation_steps == 1
