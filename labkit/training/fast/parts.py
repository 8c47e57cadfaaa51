"""A batch in parts on a CPU: gradients are added up before the step.

The step is the same; what has to be remembered for it is less and stays in the caches. A part holds
as many posts as fit a budget of tokens, longest first, and is padded to its own longest post.
Where oneDNN multiplies, in bf16, it compiles kernels for every number of tokens that it meets, on one
core: there widths are multiples of 16, so that few are met.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from labkit.training.fast.sampler import ByLengthTrainer

PART = 2048  # tokens, padding counted, that go through the model at once
MULTIPLE = 16  # tokens, of the width of a part in bf16


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


class InPartsTrainer(ByLengthTrainer):
    """A training step in parts; with the last one several processes exchange gradients.

    The collator says to what multiple of tokens a batch is padded, and with it each part.
    """

    def training_step(
        self, model: torch.nn.Module, inputs: dict[str, Any], num_items_in_batch: Any = None
    ) -> Tensor:
        multiple = self.data_collator.pad_to_multiple_of or 1
        parts = list(parts_of(inputs, PART, multiple))
        losses = []
        with self.accelerator.no_sync(model):
            for part in parts[:-1]:
                losses.append(super().training_step(model, part, num_items_in_batch))
        losses.append(super().training_step(model, parts[-1], num_items_in_batch))
        return torch.stack(losses).sum()


def mean_loss(outputs: Any, labels: Tensor, num_items_in_batch: Any) -> Tensor:
    """The part that these posts have in the mean cross-entropy of all posts of a step."""
    summed = torch.nn.functional.cross_entropy(outputs.logits, labels, reduction="sum")
    return summed / num_items_in_batch
