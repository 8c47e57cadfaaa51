"""Dropout from cheap random bits: 16 for each activation, four activations from one number.

Srivastava et al. 2014 (https://jmlr.org/papers/v15/srivastava14a.html): an activation is kept with
probability 1 - p and then scaled by 1 / (1 - p). PyTorch draws a number of its own for every
activation. Here p is the nearest multiple of 2^-16, so 0.1 is 0.100006.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

LEVELS = 2**16


class BitDropout(torch.nn.Dropout):
    """Dropout with rate `p` below 1 on a CPU; the seed of each draw is one of torch's own numbers.

    So it follows `torch.manual_seed`, and goes on as torch does from a checkpoint.
    """

    def forward(self, activations: Tensor) -> Tensor:
        """The activations, of any shape, dropped out while training."""
        dropped = min(round(self.p * LEVELS), LEVELS - 1)
        if not (self.training and dropped):
            return activations
        count = activations.numel()
        seed = int(torch.randint(2**62, ()))
        words = np.random.SFC64(seed).random_raw(-(-count // 4))
        # The signed view makes 0 ... 65535 to -32768 ... 32767, each as likely.
        bits = torch.from_numpy(words.view(np.int16))[:count].view(activations.shape)
        kept = bits >= dropped - LEVELS // 2
        return activations * kept.to(activations.dtype).mul_(LEVELS / (LEVELS - dropped))


@contextmanager
def cheap_dropout(model: torch.nn.Module) -> Iterator[None]:
    """Inside, every dropout module of `model` is a `BitDropout` of its rate."""
    places = [
        (parent, name, child)
        for parent in model.modules()
        for name, child in parent.named_children()
        if isinstance(child, torch.nn.Dropout)
    ]
    for parent, name, child in places:
        setattr(parent, name, BitDropout(child.p).train(child.training))
    yield
    for parent, name, child in places:
        setattr(parent, name, child)
