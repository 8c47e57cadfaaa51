"""Fine-tune a DistilBERT classifier with the Hugging Face Trainer, all layers, and record how.

The recipe is the one of the lab's text: AdamW, linear warm-up and decay, dynamic padding, batches
of posts of like length, the epoch with the lowest validation loss kept. Attention weights are not
dropped out: drawing a random number for each costs more time on a CPU than the attention itself.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import torch
from safetensors.numpy import save_file
from torch import Tensor
from torch.utils.data import SequentialSampler
from transformers import (
    DataCollatorWithPadding,
    EvalPrediction,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)
from transformers.trainer_utils import get_last_checkpoint

from labkit.attention import BY_LENGTH
from labkit.base_model import load_classifier
from labkit.config import Recipe
from labkit.embeddings import mean_pool
from labkit.hardware import Hardware, return_memory
from labkit.inference import run_batches
from labkit.progress import ignore
from labkit.training_history import Epoch, History

Report = Callable[[float, str], None]
TRIM_STEPS = 5  # training steps after which free memory goes back to the system
IN_MEMORY = "in_memory.safetensors"


def fine_tune(
    checkpoint: Path,
    tokenizer: Any,
    train: datasets.Dataset,
    validation: datasets.Dataset,
    labels: tuple[str, ...],
    recipe: Recipe,
    hardware: Hardware,
    folder: Path,
    report: Report = ignore,
    checkpoints: Path | None = None,
) -> History:
    """Train on `train`, keep the best epoch by validation loss, save model and tokenizer.

    Both data sets have `input_ids` and `label`. `folder` receives safetensors, config and
    tokenizer files, nothing pickled, and the validation logits of the model before it was
    written, for a later check of what is read back. With a folder for `checkpoints`, every epoch
    leaves there what a run that was cut off goes on from, and does.
    """
    torch.set_num_threads(hardware.threads)
    torch.manual_seed(recipe.seed)  # the new head is drawn here
    model = load_classifier(
        checkpoint,
        labels,
        attn_implementation=BY_LENGTH,
        attention_dropout=recipe.attention_dropout,
    ).train()
    recorder = _Recorder(report)
    lengths = [len(ids) for ids in validation["input_ids"]]
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        output = scratch if checkpoints is None else str(checkpoints)
        last = get_last_checkpoint(output) if checkpoints and checkpoints.is_dir() else None
        trainer = _Trainer(
            model=model,
            args=training_arguments(recipe, hardware, output, resumable=checkpoints is not None),
            train_dataset=train,
            eval_dataset=validation.select(np.argsort(lengths, kind="stable")),
            data_collator=DataCollatorWithPadding(tokenizer),
            compute_metrics=_accuracy,
            callbacks=[recorder],
        )
        trainer.remove_callback(PrinterCallback)
        started = time.perf_counter()
        trainer.train(resume_from_checkpoint=last)
        seconds = time.perf_counter() - started
    # The Trainer has wrapped `forward` in autocast; outside training everything is float32.
    model = trainer.accelerator.unwrap_model(model, keep_fp32_wrapper=False).eval()
    logits, _ = classify(model, list(validation["input_ids"]))
    save_file({"logits": logits}, str(folder / IN_MEMORY))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    epochs = recorder.epochs()
    return History(
        epochs=epochs,
        step_losses=tuple(recorder.losses),
        best_epoch=min(epochs, key=lambda epoch: epoch.validation_loss).epoch,
        steps=trainer.state.global_step,
        seconds=seconds,
        bf16=hardware.bf16,
        device=hardware.device,
    )


def training_arguments(
    recipe: Recipe, hardware: Hardware, scratch: str, resumable: bool = False
) -> TrainingArguments:
    """The Trainer's settings for a recipe on this hardware; `scratch` holds the epochs' weights.

    A resumable run also keeps optimizer, schedule and random state there, in torch's own format;
    the Trainer reads them back without unpickling code.
    """
    return TrainingArguments(
        output_dir=scratch,
        num_train_epochs=recipe.epochs,
        per_device_train_batch_size=recipe.batch_size,
        per_device_eval_batch_size=2 * recipe.batch_size,
        learning_rate=recipe.learning_rate,
        warmup_steps=recipe.warmup,
        weight_decay=recipe.weight_decay,
        seed=recipe.seed,
        train_sampling_strategy="group_by_length",
        bf16=hardware.bf16,
        use_cpu=hardware.device == "cpu",
        eval_strategy="epoch",
        save_strategy="epoch",
        save_only_model=not resumable,
        load_best_model_at_end=True,
        metric_for_best_model="loss",
        logging_steps=1,
        dataloader_pin_memory=hardware.device == "cuda",
        disable_tqdm=True,
        report_to="none",
    )


def classify(
    model: Any,
    sequences: list[list[int]],
    report: Callable[[float], None] = ignore,
) -> tuple[np.ndarray, np.ndarray]:
    """Logits (posts, classes) and mean-pooled unit embeddings (posts, dim) in one pass, float32.

    `model` is any sequence classifier of transformers; the embeddings are those of its last layer.
    """

    def forward(ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        output = model(ids, attention_mask=mask, output_hidden_states=True)
        hidden = output.hidden_states[-1]
        return output.logits, torch.nn.functional.normalize(mean_pool(hidden, mask), dim=1)

    pad_id = model.config.pad_token_id or 0
    logits, embeddings = run_batches(forward, sequences, pad_id, model.device, report)
    return logits, embeddings


class _Trainer(Trainer):
    """Evaluates in the order of the data set, which is sorted by length.

    The Trainer's grouping by length shuffles a small evaluation set instead of sorting it, and
    every batch of it is then padded to the longest post.
    """

    def _get_eval_sampler(self, eval_dataset: Any) -> Any:
        return SequentialSampler(eval_dataset)


class _Recorder(TrainerCallback):
    """Collects the Trainer's logs and passes on how far it is."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.losses: list[tuple[int, float]] = []
        self.validation: list[tuple[int, float, float]] = []

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Take in what a run that was cut off has logged."""
        for logs in state.log_history:
            if "loss" in logs:
                self.losses.append((logs["step"], float(logs["loss"])))
            elif "eval_loss" in logs:
                loss, accuracy = float(logs["eval_loss"]), float(logs["eval_accuracy"])
                self.validation.append((logs["step"], loss, accuracy))

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step % TRIM_STEPS == 0:
            return_memory()

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        if logs and "loss" in logs:
            self.losses.append((state.global_step, float(logs["loss"])))
            self.report(
                state.global_step / state.max_steps,
                f"epoch {int(np.ceil(state.epoch))}, loss {float(logs['loss']):.3f}",
            )

    def on_evaluate(
        self, args: Any, state: Any, control: Any, metrics: Any = None, **_: Any
    ) -> None:
        self.validation.append(
            (state.global_step, float(metrics["eval_loss"]), float(metrics["eval_accuracy"]))
        )

    def epochs(self) -> tuple[Epoch, ...]:
        """The logs gathered by epoch; an epoch's training loss is the mean over its steps."""
        records, start = [], 0
        for number, (end, loss, accuracy) in enumerate(self.validation, start=1):
            steps = [value for step, value in self.losses if start < step <= end]
            records.append(Epoch(number, float(np.mean(steps)), loss, accuracy))
            start = end
        return tuple(records)


def _accuracy(prediction: EvalPrediction) -> dict[str, float]:
    chosen = np.asarray(prediction.predictions).argmax(axis=-1)
    return {"accuracy": float(np.mean(chosen == prediction.label_ids))}
