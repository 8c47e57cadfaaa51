"""A batch in parts on a CPU: gradients are added up before the step.

The step is the same; what has to be remembered for it is less.
"""

from collections.abc import Mapping

import torch
from torch import Tensor
from transformers.modeling_outputs import SequenceClassifierOutput

from labkit.training.fast.sampler import ByLengthTrainer
from labkit.training.fast.widths import WIDTH

PART = 1024  # tokens, padding among them, that go through the model at once


class InParts(ByLengthTrainer):
    """Takes every batch in parts; of several processes each sends its gradients once."""

    def training_step(
        self,
        model: torch.nn.Module,
        inputs: dict[str, Tensor],
        num_items_in_batch: Tensor | int | None = None,
    ) -> Tensor:
        """The loss of a step, its gradients added up."""
        *first, last = parts_of(inputs)
        with self.accelerator.no_sync(model):
            losses = [
                super(InParts, self).training_step(model, part, num_items_in_batch)
                for part in first
            ]
        return sum(losses, super().training_step(model, last, num_items_in_batch))


def parts_of(batch: Mapping[str, Tensor]) -> list[dict[str, Tensor]]:
    """A padded batch of posts, halved until no part has more than `PART` tokens.

    Posts of like length are in the same part, which is as wide as its longest needs.
    """
    posts, width = batch["input_ids"].shape
    count = 1
    while count < posts and -(-posts // count) * width > PART:
        count *= 2
    shortest_first = batch["attention_mask"].sum(dim=1).argsort(stable=True)
    return [_rows_of(batch, rows) for rows in shortest_first.tensor_split(min(count, posts))]


def _rows_of(batch: Mapping[str, Tensor], rows: Tensor) -> dict[str, Tensor]:
    longest = int(batch["attention_mask"][rows].sum(dim=1).max())
    width = -(-longest // WIDTH) * WIDTH
    return {
        name: values[rows, :width] if values.ndim > 1 else values[rows]
        for name, values in batch.items()
    }


def mean_loss(
    outputs: SequenceClassifierOutput, labels: Tensor, num_items_in_batch: int | Tensor
) -> Tensor:
    """The part that these posts have in the mean cross-entropy of all posts of a step."""
    assert outputs.logits is not None
    summed = torch.nn.functional.cross_entropy(outputs.logits, labels, reduction="sum")
    return summed / num_items_in_batch
