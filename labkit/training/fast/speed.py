"""What this machine needs to train fast, gathered for `fine_tune`: none of it changes the recipe.

Of several processes each takes its share of every batch, so the recipe's batch size is that of all
together. On a CPU a share goes through the model in parts. Posts of like length train together.
"""

from dataclasses import dataclass, field
from typing import Any

import datasets
import numpy as np
from transformers import Trainer, TrainerCallback

from labkit.plumbing.hardware import Hardware, return_memory
from labkit.training.fast.attention import BY_LENGTH
from labkit.training.fast.parts import part_of
from labkit.training.fast.sampler import ByLengthTrainer

TRIM_STEPS = 5  # training steps after which free memory goes back to the system


class TrimMemory(TrainerCallback):
    """Gives free memory back every few steps: batches of all lengths leave the heap in pieces."""

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step % TRIM_STEPS == 0:
            return_memory()


@dataclass(frozen=True)
class Speed:
    """How to train on a machine: the Trainer's class, its settings, the attention kernel."""

    arguments: dict[str, Any]
    trainer: type[Trainer] = ByLengthTrainer
    attention: str = BY_LENGTH
    callbacks: tuple[TrainerCallback, ...] = field(default_factory=lambda: (TrimMemory(),))


def speed_of(hardware: Hardware, batch_size: int, train: datasets.Dataset) -> Speed:
    """The settings for `hardware`, and batches of `batch_size` of the tokenized posts `train`."""
    share = batch_size // hardware.processes
    longest = max(len(ids) for ids in train["input_ids"])
    part = part_of(share, longest) if hardware.device == "cpu" else share
    backend = "nccl" if hardware.device == "cuda" else "gloo"
    return Speed(
        {
            "per_device_train_batch_size": part,
            "gradient_accumulation_steps": share // part,
            "per_device_eval_batch_size": 2 * share,
            "train_sampling_strategy": "group_by_length",
            "bf16": hardware.bf16,
            "use_cpu": hardware.device == "cpu",
            "dataloader_pin_memory": hardware.device == "cuda",
            "ddp_backend": backend if hardware.processes > 1 else None,
            "ddp_find_unused_parameters": False,
            "log_on_each_node": False,
            "log_level_replica": "error",
        }
    )


def by_length(posts: datasets.Dataset) -> datasets.Dataset:
    """The posts, shortest first."""
    lengths = [len(ids) for ids in posts["input_ids"]]
    return posts.select(np.argsort(lengths, kind="stable"))
