"""Both kernels compute the attention of the formula, padding left out, gradients included."""

import math

import pytest
import torch

from labkit.training.fast import attention
from labkit.training.fast.attention import attend


def formula(query, key, value, allowed):
    """Equation 1 of Vaswani et al. 2017, post by post, over the keys that are not padding."""
    attended = torch.empty_like(query)
    for post in range(len(query)):
        kept = allowed[post, 0, 0]
        k, v = key[post][:, kept], value[post][:, kept]
        scores = query[post] @ k.transpose(1, 2) / math.sqrt(query.shape[-1])
        attended[post] = torch.softmax(scores, dim=-1) @ v
    return attended.transpose(1, 2)


@pytest.fixture
def inputs():
    generator = torch.Generator().manual_seed(0)
    query, key, value = torch.randn(3, 3, 4, 10, 8, generator=generator)
    allowed = torch.ones(3, 1, 10, 10, dtype=torch.bool)
    allowed[1, :, :, 6:] = False
    allowed[2, :, :, 1:] = False
    return query, key, value, allowed


@pytest.mark.parametrize("short", [0, 256], ids=["fused", "plain"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["fp32", "bf16"])
def test_it_is_the_attention_of_the_formula(inputs, dtype, short, monkeypatch):
    monkeypatch.setattr(attention, "SHORT", short)
    query, key, value, allowed = inputs
    measured, _ = attend(
        torch.nn.Module(), query.to(dtype), key.to(dtype), value.to(dtype), allowed
    )
    expected = formula(query, key, value, allowed)
    tolerance = 1e-5 if dtype == torch.float32 else 3e-2  # bf16 has 8 significant bits
    assert measured.shape == (3, 10, 4, 8)
    torch.testing.assert_close(measured.float(), expected, atol=tolerance, rtol=tolerance)


def test_padding_has_no_influence_and_gets_no_gradient(inputs):
    query, key, value, allowed = (part.clone() for part in inputs)
    key, value = key.bfloat16().requires_grad_(), value.bfloat16().requires_grad_()
    attended, _ = attend(torch.nn.Module(), query.bfloat16(), key, value, allowed)
    attended.float().square().sum().backward()
    padding = ~allowed[:, 0, 0]
    for gradient in (key.grad, value.grad):
        assert gradient.transpose(1, 2)[padding].abs().max() == 0
        assert gradient.transpose(1, 2)[~padding].abs().max() > 0


def test_without_a_mask_every_token_is_seen(inputs):
    query, key, value, _ = (part.bfloat16() for part in inputs)
    everything = torch.ones(3, 1, 10, 10, dtype=torch.bool)
    with_mask, _ = attend(torch.nn.Module(), query, key, value, everything)
    without, _ = attend(torch.nn.Module(), query, key, value, None)
    assert torch.equal(with_mask, without)


def test_a_classifier_takes_it_by_name(tiny_checkpoint):
    """The same logits as transformers' own kernel, padding included."""
    from labkit.model.checkpoints import load_classifier

    ids = torch.arange(5, 35).reshape(3, 10)
    mask = torch.ones_like(ids)
    mask[1, 4:] = 0
    logits = {}
    for name in ("eager", attention.BY_LENGTH):
        torch.manual_seed(0)
        model = load_classifier(tiny_checkpoint, ("0", "1"), attn_implementation=name)
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            logits[name] = model(ids, mask).logits.float()
    torch.testing.assert_close(*logits.values(), atol=1e-2, rtol=1e-2)
    assert logits["eager"].abs().max() > 0
