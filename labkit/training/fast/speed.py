"""What this machine needs to train fast, gathered for `fine_tune`: none of it changes the recipe.

Of several processes each takes its share of every batch, so the recipe's batch size is that of all
together. On a CPU a share goes through the model in parts. Posts of like length train together.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import datasets
import numpy as np
from transformers import (
    DataCollatorWithPadding,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from labkit.plumbing.hardware import Hardware, return_memory
from labkit.training.fast.attention import BY_LENGTH
from labkit.training.fast.dropout import cheap_dropout
from labkit.training.fast.parts import InParts
from labkit.training.fast.sampler import ByLengthTrainer
from labkit.training.fast.vocabulary import rows_in_use
from labkit.training.fast.widths import few_widths

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

TRIM_STEPS = 5  # training steps after which free memory goes back to the system


class TrimMemory(TrainerCallback):
    """Gives free memory back every few steps: batches of all lengths leave the heap in pieces."""

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        if state.global_step % TRIM_STEPS == 0:
            return_memory()


@dataclass(frozen=True)
class Speed:
    """How to train on a machine: the Trainer's class, its settings, the attention kernel.

    `bits` is dropout from cheap bits, `few` that batches have few widths.
    """

    arguments: dict[str, Any]
    trainer: type[Trainer] = ByLengthTrainer
    attention: str = BY_LENGTH
    bits: bool = False
    few: bool = False
    callbacks: tuple[TrainerCallback, ...] = field(default_factory=lambda: (TrimMemory(),))

    def padding(
        self, model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerFast"
    ) -> DataCollatorWithPadding:
        """What makes a batch of posts of like length."""
        return few_widths(model, tokenizer) if self.few else DataCollatorWithPadding(tokenizer)

    @contextmanager
    def around(self, model: "PreTrainedModel", *posts: datasets.Dataset) -> Iterator[None]:
        """Inside, `model` is made to be trained and evaluated on these tokenized posts alone."""
        with rows_in_use(model, *posts), cheap_dropout(model) if self.bits else nullcontext():
            yield


def speed_of(hardware: Hardware, batch_size: int) -> Speed:
    """The settings for `hardware`, and batches of `batch_size` posts."""
    share, on_cpu = batch_size // hardware.processes, hardware.device == "cpu"
    backend = "nccl" if hardware.device == "cuda" else "gloo"
    return Speed(
        {
            "per_device_train_batch_size": share,
            "per_device_eval_batch_size": share,
            "train_sampling_strategy": "group_by_length",
            "bf16": hardware.bf16,
            "use_cpu": on_cpu,
            "dataloader_pin_memory": hardware.device == "cuda",
            "ddp_backend": backend if hardware.processes > 1 else None,
            "ddp_find_unused_parameters": False,
            "log_on_each_node": False,
            "log_level_replica": "error",
        },
        trainer=InParts if on_cpu else ByLengthTrainer,
        bits=on_cpu,
        few=on_cpu,
    )


def by_length(posts: datasets.Dataset) -> datasets.Dataset:
    """The posts, shortest first."""
    lengths = [len(ids) for ids in posts["input_ids"]]
    return posts.select(np.argsort(lengths, kind="stable"))
