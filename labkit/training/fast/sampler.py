"""Posts of like length together, so that little is spent on padding."""

import datasets
import torch
from torch.utils.data import Sampler, SequentialSampler
from transformers import Trainer
from transformers.trainer_pt_utils import LengthGroupedSampler


class SameOrder(LengthGroupedSampler):
    """Batches of like length, in an order that follows from seed and epoch alone.

    The Trainer's own sampler draws from the random state of its process, which dropout moves on
    by another amount in each: from the second epoch on each process would shuffle for itself, and
    their shares of a batch would overlap.
    """

    def __init__(self, posts: datasets.Dataset, batch_size: int, seed: int) -> None:
        super().__init__(batch_size, dataset=posts, generator=torch.Generator())
        self.seed = seed
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        """Called by the data loader before each epoch, also the first after a resumption."""
        self.generator.manual_seed(self.seed + epoch)


class ByLengthTrainer(Trainer):
    """Evaluates in the order of the data set, which is sorted by length.

    The Trainer's grouping by length shuffles a small evaluation set instead of sorting it, and
    every batch of it is then padded to the longest post. Several processes train in one order.
    """

    def _get_train_sampler(
        self, train_dataset: datasets.Dataset | None = None
    ) -> Sampler[int] | None:
        if self.args.world_size == 1:
            return super()._get_train_sampler(train_dataset)
        batch_size = self.args.train_batch_size * self.args.world_size
        return SameOrder(train_dataset, batch_size, self.args.seed)

    def _get_eval_sampler(self, eval_dataset: datasets.Dataset) -> Sampler[int]:
        return SequentialSampler(eval_dataset)
