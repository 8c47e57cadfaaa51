"""The plain Hugging Face recipe and the lab's, on the same posts, epochs, base model and machine."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import torch
from torch.optim.optimizer import register_optimizer_step_post_hook
from transformers import DataCollatorWithPadding, Trainer, TrainingArguments

from labkit.config import Recipe
from labkit.data import tokens
from labkit.data.posts import Posts
from labkit.model.batches import budget_batches
from labkit.model.checkpoints import Checkpoint, load_classifier
from labkit.model.encoding import classify
from labkit.plumbing.hardware import detect, set_up_memory
from labkit.training.fast.speed import speed_of
from labkit.training.fine_tune import fine_tune
from labkit.training.plan import Plan

PLAIN_LENGTH = 512
GEMM_SIZE = 2048
Shape = tuple[int, int]  # posts and tokens of a padded batch


def gemm_speed(dtype: torch.dtype, seconds: float = 1.0) -> float:
    """Floating point operations per second of square matrix products, the best of five rounds."""
    torch.set_num_threads(detect().threads)
    left, right = torch.randn(2, GEMM_SIZE, GEMM_SIZE).to(dtype)
    speeds = []
    for _ in range(5):
        products, started = 0, time.perf_counter()
        while time.perf_counter() - started < seconds / 5:
            left @ right
            products += 1
        speeds.append(products * 2 * GEMM_SIZE**3 / (time.perf_counter() - started))
    return max(speeds[1:])


def training_flops(config: Any, shapes: list[Shape]) -> float:
    """Operations of the matrix products of one pass forwards and backwards over padded batches.

    Two for each weight and token forwards, four backwards; attention adds the two products of
    tokens with tokens. Element-wise work, embeddings and the optimizer count nothing.
    """
    dim, hidden, layers = config.dim, config.hidden_dim, config.n_layers
    weights = layers * (4 * dim * dim + 2 * dim * hidden)
    return sum(6.0 * n * t * weights + 12.0 * n * t * t * dim * layers for n, t in shapes)


class Watch:
    """What a training of this process does: shapes of its batches, seconds of its steps.

    A step lasts from its first forward pass to the end of the optimizer's work; what the Trainer
    does in between steps, such as evaluating and saving, is not in it.
    """

    def __init__(self) -> None:
        self.shapes: list[Shape] = []
        self.seconds = 0.0
        self._began: float | None = None
        register_optimizer_step_post_hook(self._end)

    def over(self, model: Any) -> Any:
        """The model, whose training steps from now on count."""
        model.register_forward_pre_hook(self._forward, with_kwargs=True)
        return model

    def _forward(self, module: Any, _: Any, inputs: dict[str, Any]) -> None:
        if module.training:
            self._began = self._began or time.perf_counter()
            self.shapes.append(tuple(inputs["input_ids"].shape))

    def _end(self, *_: Any) -> None:
        if self._began is not None:
            self.seconds += time.perf_counter() - self._began
        self._began = None


def as_in_a_lab() -> None:
    """Set this process up as a run of the lab is."""
    set_up_memory()
    torch.set_num_threads(detect().threads)


def plain(base: Checkpoint, posts: Posts, plan: Plan, folder: Path) -> dict[str, Any]:
    """Dynamic padding, truncation at 512, float32, AdamW; every other setting the Trainer's own."""
    torch.set_num_threads(detect().threads)
    tokenizer = tokens.load_tokenizer(base.folder)
    train = tokenised(posts.train, tokenizer, PLAIN_LENGTH)
    torch.manual_seed(plan.recipe.seed)
    watch = Watch()
    model = watch.over(load_classifier(base.folder, posts.labels).train())
    arguments = TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=plan.epochs,
        per_device_train_batch_size=plan.recipe.batch_size,
        learning_rate=plan.learning_rate,
        seed=plan.recipe.seed,
        use_cpu=True,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        dataloader_pin_memory=False,
    )
    collator = DataCollatorWithPadding(tokenizer)
    trainer = Trainer(model=model, args=arguments, train_dataset=train, data_collator=collator)
    started = time.perf_counter()
    trainer.train()
    seconds = time.perf_counter() - started
    test = tokenised(posts.test, tokenizer, PLAIN_LENGTH)
    return summary(model.eval(), seconds, train, watch, plan, test, posts)


def lab(base: Checkpoint, posts: Posts, plan: Plan, folder: Path) -> dict[str, Any]:
    """The lab's own fine-tune as the exercises run it, evaluation after each epoch included."""
    as_in_a_lab()
    tokenizer = tokens.load_tokenizer(base.folder)
    train, validation, test = (
        tokenised(split, tokenizer, plan.recipe.max_length) for _, split in posts.items()
    )
    watch, speed = Watch(), speed_of(detect(), plan.recipe.batch_size)
    torch.manual_seed(plan.recipe.seed)
    model = load_classifier(  # as `labkit.training.classifier.new_classifier` does, but watched
        base.folder,
        posts.labels,
        attn_implementation=speed.attention,
        attention_dropout=plan.recipe.attention_dropout,
    )
    with speed.around(model, train, validation):
        model, history = fine_tune(
            watch.over(model), tokenizer, train, validation, plan.recipe, speed, folder
        )
    return summary(model, history.seconds, train, watch, plan, test, posts)


def summary(
    model: Any,
    seconds: float,
    train: datasets.Dataset,
    watch: Watch,
    plan: Plan,
    test: datasets.Dataset,
    posts: Posts,
) -> dict[str, Any]:
    """What one training took as a whole, and how fast its steps multiplied matrices."""
    trained = sum(len(ids) for ids in train["input_ids"]) * plan.epochs
    logits = classify(model, list(test["input_ids"])).logits
    correct = logits.argmax(axis=1) == np.asarray(posts.test["label"])
    return {
        "learning_rate": plan.learning_rate,
        "seconds": seconds,
        "tokens": trained,
        "tokens_per_second": trained / seconds,
        "flops_per_second": training_flops(model.config, watch.shapes) / watch.seconds,
        "step_seconds": watch.seconds,
        "test_accuracy": float(correct.mean()),
    }


def tokenised(posts: datasets.Dataset, tokenizer: Any, limit: int) -> datasets.Dataset:
    """The posts as token ids and labels, nothing else."""
    ids = tokens.encode(tokenizer, list(posts["text"]), limit)
    return datasets.Dataset.from_dict({"input_ids": ids, "label": posts["label"]})


def inference(base: Checkpoint, posts: Posts, recipe: Recipe) -> dict[str, Any]:
    """Tokens per second of classifying the test posts, and the padding among what was computed."""
    as_in_a_lab()
    tokenizer = tokens.load_tokenizer(base.folder)
    ids = tokens.encode(tokenizer, list(posts.test["text"]), recipe.max_length)
    model = load_classifier(base.folder, posts.labels)
    started = time.perf_counter()
    classify(model, ids)
    seconds = time.perf_counter() - started
    lengths = [len(sequence) for sequence in ids]
    padded = sum(len(rows) * max(lengths[i] for i in rows) for rows in budget_batches(lengths))
    return {"tokens_per_second": sum(lengths) / seconds, "padding": padded / sum(lengths) - 1}


def subset(posts: Posts, count: int) -> Posts:
    """The same with the first `count` train posts."""
    return replace(posts, train=posts.train.select(range(min(count, len(posts.train)))))
