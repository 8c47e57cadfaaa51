"""A training with the rows of the word table that occur gives the model of the whole table."""

from typing import Any

import datasets
import torch

from labkit.config import Recipe
from labkit.data.tokens import load_tokenizer
from labkit.model.checkpoints import load_classifier
from labkit.model.encoding import classify
from labkit.plumbing.hardware import Hardware
from labkit.training.fast.speed import speed_of
from labkit.training.fast.vocabulary import rows_in_use
from labkit.training.fine_tune import fine_tune

TABLE = "distilbert.embeddings.word_embeddings.weight"
RECIPE = Recipe(epochs=6, batch_size=4, learning_rate=5e-3, weight_decay=1.0)  # that decay shows
SEEN, UNSEEN = [2, 5, 9, 7, 11, 3], [2, 20, 21, 22, 3]


def posts_of(*ids):
    return datasets.Dataset.from_dict(
        {"input_ids": [list(row) for row in ids], "label": [i % 2 for i in range(len(ids))]}
    )


def trained(checkpoint, scratch, small):
    hardware = Hardware("cpu", bf16=False, threads=1)
    posts = posts_of(*([2, 5 + i % 7, 9, *SEEN[3 : 3 + i % 3], 3] for i in range(12)))
    torch.manual_seed(42)
    model = load_classifier(checkpoint, ("a", "b"))
    before = model.state_dict()[TABLE].clone()
    tokenizer, speed = load_tokenizer(checkpoint), speed_of(hardware, 4)
    work = lambda: fine_tune(model, tokenizer, posts, posts, RECIPE, speed, scratch)  # noqa: E731
    if small:
        with rows_in_use(model, posts, posts):
            work()
    else:
        work()
    return model, before


def test_the_model_is_the_same_to_rounding(tiny_checkpoint, tmp_path):
    whole, before = trained(tiny_checkpoint, tmp_path, small=False)
    part, _ = trained(tiny_checkpoint, tmp_path, small=True)
    for name, values in whole.state_dict().items():
        torch.testing.assert_close(part.state_dict()[name], values, atol=1e-6, rtol=1e-5)
    logits = [classify(model, [SEEN, UNSEEN]).logits for model in (whole, part)]
    torch.testing.assert_close(*map(torch.from_numpy, logits), atol=1e-6, rtol=1e-5)
    unused = whole.state_dict()[TABLE][20:30]
    assert not torch.allclose(unused, before[20:30], rtol=1e-3)  # the rows left out did decay


def test_the_table_is_small_inside_and_whole_behind(tiny_checkpoint):
    model: Any = load_classifier(tiny_checkpoint, ("a", "b"))
    before = model.get_input_embeddings().weight.clone()
    posts = posts_of(SEEN)
    with rows_in_use(model, posts):
        assert len(model.get_input_embeddings().weight) == len({*SEEN, 0}) + 1
        inside = classify(model, [SEEN]).logits
    assert torch.equal(model.get_input_embeddings().weight, before)
    assert (inside == classify(model, [SEEN]).logits).all()
