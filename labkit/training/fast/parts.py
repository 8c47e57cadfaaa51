"""A batch in parts on a CPU: gradients are added up before the step.

The step is the same; what has to be remembered for it is less and stays in the caches.
"""

from typing import Any

import torch
from torch import Tensor

PART = 2048  # tokens that go through the model at once on a CPU


def part_of(share: int, longest: int) -> int:
    """Posts that go through the model at once: what divides a share of a batch and fits `PART`.

    `longest` is the tokens of the longest post. A share without a divisor near that stays whole.
    """
    fits = max(1, PART // longest)
    return max((n for n in range(max(1, fits // 2), fits + 1) if share % n == 0), default=share)


def mean_loss(outputs: Any, labels: Tensor, num_items_in_batch: Any) -> Tensor:
    """The part that these posts have in the mean cross-entropy of all posts of a step."""
    summed = torch.nn.functional.cross_entropy(outputs.logits, labels, reduction="sum")
    return summed / num_items_in_batch
