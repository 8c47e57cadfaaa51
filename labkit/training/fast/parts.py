"""A batch in parts on a CPU: gradients are added up before the step.

The step is the same; what has to be remembered for it is less and stays in the caches. A part holds
as many posts as fit a budget of tokens, longest first, and is padded to its own longest post. What
all parts of a step have in common is made once: the weights in bf16.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from labkit.training.fast.sampler import ByLengthTrainer

PART = 2048  # tokens, padding counted, that go through the model at once
# Tokens are padded to a multiple of this: for every length that it meets oneDNN compiles kernels anew.
ROUND = 16


def parts_of(inputs: dict[str, Tensor], budget: int, multiple: int) -> Iterator[dict[str, Tensor]]:
    """The rows of a padded batch in parts of at most `budget` tokens, or of one post.

    Each is as wide as its longest post, rounded up to `multiple` as far as the batch goes.
    `attention_mask` (posts, tokens) says how long each is; padding is on the right.
    """
    lengths = inputs["attention_mask"].sum(dim=1)
    rows = lengths.argsort(descending=True, stable=True)
    while len(rows):
        longest = int(lengths[rows[0]])
        width = -(-longest // multiple) * multiple
        part, rows = rows.split([n := min(max(1, budget // width), len(rows)), len(rows) - n])
        yield {
            name: values[part, :width] if values.dim() > 1 else values[part]
            for name, values in inputs.items()
        }


@contextmanager
def one_cast(device: str) -> Iterator[None]:
    """Inside, autocast keeps the weights that it has cast, also from one forward pass to the next.

    It forgets them when the outermost of nested autocasts ends. This one casts nothing itself, so
    the model's own says as before what is computed in bf16.
    """
    with torch.autocast(device, dtype=torch.bfloat16), torch.autocast(device, enabled=False):
        yield


class InPartsTrainer(ByLengthTrainer):
    """A training step in parts; of several processes only the last part passes gradients on."""

    def training_step(
        self, model: torch.nn.Module, inputs: dict[str, Any], num_items_in_batch: Any = None
    ) -> Tensor:
        parts = list(parts_of(inputs, PART, ROUND))
        with one_cast(self.args.device.type):
            with self.accelerator.no_sync(model):
                losses = [
                    super(InPartsTrainer, self).training_step(model, part, num_items_in_batch)
                    for part in parts[:-1]
                ]
            losses.append(super().training_step(model, parts[-1], num_items_in_batch))
        return torch.stack(losses).sum()


def mean_loss(outputs: Any, labels: Tensor, num_items_in_batch: Any) -> Tensor:
    """The part that these posts have in the mean cross-entropy of all posts of a step."""
    summed = torch.nn.functional.cross_entropy(outputs.logits, labels, reduction="sum")
    return summed / num_items_in_batch
