"""Posts that train together are padded to one of few widths, and no further than positions go."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from labkit.data.tokens import load_tokenizer
from labkit.model.checkpoints import load_classifier
from labkit.training.fast.widths import WIDTH, few_widths

POSTS = [{"input_ids": [2, 5, 9, 3], "label": 0}, {"input_ids": [2, *[7] * 17, 3], "label": 1}]


@pytest.mark.parametrize(("positions", "width"), [(4 * WIDTH, 2 * WIDTH), (4 * WIDTH + 1, 19)])
def test_widths_are_multiples_where_there_are_positions(tiny_checkpoint, positions, width):
    model: Any = SimpleNamespace(config=SimpleNamespace(max_position_embeddings=positions))
    batch = few_widths(model, load_tokenizer(tiny_checkpoint))(POSTS)
    assert batch["input_ids"].shape == batch["attention_mask"].shape == (2, width)


def test_more_padding_changes_no_gradient(tiny_checkpoint):
    tokenizer = load_tokenizer(tiny_checkpoint)
    gradients = []
    for multiple in (True, False):
        torch.manual_seed(42)
        model: Any = load_classifier(tiny_checkpoint, ("a", "b")).eval()  # no dropout
        batch = few_widths(model, tokenizer)(POSTS[:1])
        if not multiple:
            batch = {
                key: value[:, :4] if value.ndim == 2 else value for key, value in batch.items()
            }
        model(**batch).loss.backward()
        gradients.append({name: weight.grad for name, weight in model.named_parameters()})
    few, exact = gradients
    for name, gradient in exact.items():
        torch.testing.assert_close(few[name], gradient, atol=1e-6, rtol=1e-4)
