"""Dropout from cheap bits has the rate, the independence and the repeatability of PyTorch's own."""

import math

import pytest
import torch

from labkit.model.checkpoints import load_classifier
from labkit.training.fast.dropout import BitDropout, cheap_dropout

COUNT = 1_000_000


def kept(p):
    """Which of a million activations are kept."""
    return BitDropout(p)(torch.ones(COUNT)) != 0


@pytest.mark.parametrize("p", [0.05, 0.1, 0.2, 0.5, 0.9])
def test_the_rate_is_the_one_asked_for(p):
    torch.manual_seed(1)
    share = 1 - kept(p).float().mean().item()
    assert share == pytest.approx(p, abs=4 * math.sqrt(p * (1 - p) / COUNT) + 2**-17)


def test_eight_bits_would_not_have_the_rate():
    """So the comparison above can fail: the nearest multiple of 1/256 is out of its bounds."""
    nearest = round(0.1 * 256) / 256
    assert abs(nearest - 0.1) > 4 * math.sqrt(0.1 * 0.9 / COUNT) + 2**-17


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_what_is_kept_is_scaled_so_that_the_mean_stays(dtype):
    torch.manual_seed(1)
    values = BitDropout(0.1)(torch.ones(COUNT, dtype=dtype)).float().unique()
    assert values.tolist() == pytest.approx([0, 1 / 0.9], rel=max(torch.finfo(dtype).eps, 1e-5))


@pytest.mark.parametrize("distance", [1, 2, 3, 4, 384])
def test_what_is_dropped_says_nothing_about_its_neighbours(distance):
    """Four activations share a number, and 384 is a token further."""
    torch.manual_seed(2)
    mask = kept(0.5).double() - 0.5
    correlation = (mask[distance:] * mask[:-distance]).mean() / 0.25
    assert abs(correlation) < 5 / math.sqrt(COUNT)


def test_draws_one_after_the_other_say_nothing_about_each_other():
    torch.manual_seed(3)
    first, second = (kept(0.5).double() - 0.5 for _ in range(2))
    assert abs((first * second).mean() / 0.25) < 5 / math.sqrt(COUNT)


def test_it_follows_the_seed_and_goes_on_from_a_state():
    torch.manual_seed(4)
    first, state, second = kept(0.1), torch.get_rng_state(), kept(0.1)
    torch.manual_seed(4)
    assert torch.equal(kept(0.1), first)
    assert not torch.equal(first, second)
    torch.set_rng_state(state)
    assert torch.equal(kept(0.1), second)


def test_the_gradient_goes_where_the_activation_went():
    torch.manual_seed(5)
    activations = torch.ones(7, 9, requires_grad=True)
    out = BitDropout(0.5)(activations)
    out.sum().backward()
    assert activations.grad is not None
    assert torch.equal(activations.grad, out.detach())


def test_nothing_is_dropped_at_rate_zero_or_in_evaluation():
    ones = torch.ones(1000)
    assert BitDropout(0.0)(ones) is ones
    assert BitDropout(0.5).eval()(ones) is ones


def test_every_dropout_of_the_model_inside_and_its_own_behind(tiny_checkpoint):
    model = load_classifier(tiny_checkpoint, ("a", "b")).train()
    dropouts = lambda: [m for m in model.modules() if isinstance(m, torch.nn.Dropout)]  # noqa: E731
    before = dropouts()
    with cheap_dropout(model):
        inside = dropouts()
        assert {type(module) for module in inside} == {BitDropout}
        assert [module.p for module in inside] == [module.p for module in before]
    assert all(one is other for one, other in zip(before, dropouts(), strict=True))
