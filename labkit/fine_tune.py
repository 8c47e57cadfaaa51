"""Fine-tune a DistilBERT classifier with the Hugging Face Trainer, all layers, and record how.

The recipe is the one of the lab's text: AdamW, linear warm-up and decay, dynamic padding, batches
of posts of like length, the epoch with the lowest validation loss kept. Attention weights are not
dropped out: drawing a random number for each costs more time on a CPU than the attention itself.

Of several processes each takes its share of every batch, so the recipe's batch size is that of all
together. On a CPU a share goes through the model in parts whose gradients are added up before the
step: the step is the same, what has to be remembered for it is less and stays in the caches.
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
from transformers.trainer_pt_utils import LengthGroupedSampler

from labkit.attention import BY_LENGTH
from labkit.base_model import load_classifier
from labkit.config import Recipe
from labkit.embeddings import mean_pool
from labkit.hardware import Hardware, return_memory
from labkit.inference import run_batches
from labkit.progress import ignore
from labkit.training_history import Epoch, History

Report = Callable[[float, str], None]
PART = 2048  # tokens that go through the model at once on a CPU
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
    scratch: Path,
    report: Report = ignore,
    checkpoints: Path | None = None,
    report_to: str = "none",
) -> tuple[Any, History]:
    """Train on `train`; the model of the best epoch by validation loss, in float32, to evaluate.

    Both data sets have `input_ids` and `label`. Nothing stays in the folder `scratch`. With a
    folder for `checkpoints`, every epoch leaves there what a run that was cut off goes on from,
    and does. `report_to` is a tracker's name. All processes of a launcher call this together.
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
    longest = max(len(ids) for ids in train["input_ids"])
    with tempfile.TemporaryDirectory(dir=scratch) as temporary:
        output = temporary if checkpoints is None else str(checkpoints)
        last = last_whole_checkpoint(checkpoints) if checkpoints else None
        trainer = _Trainer(
            model=model,
            args=training_arguments(
                recipe, hardware, output, longest, checkpoints is not None, report_to
            ),
            train_dataset=train,
            eval_dataset=validation.select(np.argsort(lengths, kind="stable")),
            data_collator=DataCollatorWithPadding(tokenizer),
            compute_loss_func=_mean_loss,
            compute_metrics=_measure,
            callbacks=[recorder],
        )
        trainer.remove_callback(PrinterCallback)
        started = time.perf_counter()
        trainer.train(resume_from_checkpoint=last)
        seconds = time.perf_counter() - started
        trainer.accelerator.wait_for_everyone()  # to have read the best epoch's weights
    # The Trainer has wrapped `forward` in autocast; outside training everything is float32.
    model = trainer.accelerator.unwrap_model(model, keep_fp32_wrapper=False).eval()
    epochs = recorder.epochs()
    history = History(
        epochs=epochs,
        step_losses=tuple(recorder.losses),
        best_epoch=min(epochs, key=lambda epoch: epoch.validation_loss).epoch,
        steps=trainer.state.global_step,
        seconds=seconds,
        bf16=hardware.bf16,
        device=hardware.device,
    )
    return model, history


def save(model: Any, tokenizer: Any, validation: datasets.Dataset, folder: Path) -> None:
    """Write model and tokenizer as safetensors, config and tokenizer files, nothing pickled.

    With them go the logits of the `validation` posts as the model gives them before it is written,
    for a later check of what is read back.
    """
    logits, _ = classify(model, list(validation["input_ids"]))
    save_file({"logits": logits}, str(folder / IN_MEMORY))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def training_arguments(
    recipe: Recipe,
    hardware: Hardware,
    scratch: str,
    longest: int,
    resumable: bool = False,
    report_to: str = "none",
) -> TrainingArguments:
    """The Trainer's settings for a recipe on this hardware; `scratch` holds the epochs' weights.

    `longest` is the tokens of the longest train post.
    A resumable run also keeps optimizer, schedule and random state there, in torch's own format;
    the Trainer reads them back without unpickling code.
    """
    share = recipe.batch_size // hardware.processes
    part = part_of(share, longest) if hardware.device == "cpu" else share
    backend = "nccl" if hardware.device == "cuda" else "gloo"
    return TrainingArguments(
        output_dir=scratch,
        num_train_epochs=recipe.epochs,
        per_device_train_batch_size=part,
        gradient_accumulation_steps=share // part,
        per_device_eval_batch_size=2 * share,
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
        metric_for_best_model="post_loss",
        logging_steps=1,
        dataloader_pin_memory=hardware.device == "cuda",
        disable_tqdm=True,
        report_to=report_to,
        ddp_backend=backend if hardware.processes > 1 else None,
        ddp_find_unused_parameters=False,
        log_on_each_node=False,
        log_level_replica="error",
    )


def part_of(share: int, longest: int) -> int:
    """Posts that go through the model at once: what divides a share of a batch and fits `PART`.

    `longest` is the tokens of the longest post. A share without a divisor near that stays whole.
    """
    fits = max(1, PART // longest)
    return max((n for n in range(max(1, fits // 2), fits + 1) if share % n == 0), default=share)


def last_whole_checkpoint(folder: Path) -> str | None:
    """The newest of the Trainer's checkpoints that was written to its end, which is its state."""
    whole = [state.parent for state in folder.glob("checkpoint-*/trainer_state.json")]
    newest = max(whole, key=lambda path: int(path.name.rpartition("-")[2]), default=None)
    return str(newest) if newest else None


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


class _Trainer(Trainer):
    """Evaluates in the order of the data set, which is sorted by length.

    The Trainer's grouping by length shuffles a small evaluation set instead of sorting it, and
    every batch of it is then padded to the longest post. Several processes train in one order.
    """

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        if self.args.world_size == 1:
            return super()._get_train_sampler(train_dataset)
        parts = self.args.gradient_accumulation_steps
        batch_size = self.args.train_batch_size * parts * self.args.world_size
        return SameOrder(train_dataset, batch_size, self.args.seed)

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
            elif "eval_post_loss" in logs:
                loss, accuracy = float(logs["eval_post_loss"]), float(logs["eval_accuracy"])
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
            (state.global_step, float(metrics["eval_post_loss"]), float(metrics["eval_accuracy"]))
        )

    def epochs(self) -> tuple[Epoch, ...]:
        """The logs gathered by epoch; an epoch's training loss is the mean over its steps."""
        records, start = [], 0
        for number, (end, loss, accuracy) in enumerate(self.validation, start=1):
            steps = [value for step, value in self.losses if start < step <= end]
            records.append(Epoch(number, float(np.mean(steps)), loss, accuracy))
            start = end
        return tuple(records)


def _mean_loss(outputs: Any, labels: Tensor, num_items_in_batch: Any) -> Tensor:
    """The part that these posts have in the mean cross-entropy of all posts of a step."""
    summed = torch.nn.functional.cross_entropy(outputs.logits, labels, reduction="sum")
    return summed / num_items_in_batch


def _measure(prediction: EvalPrediction) -> dict[str, float]:
    """Accuracy, and the mean loss of a post.

    The Trainer's own loss is the mean over batches as the processes had them, in which a post
    that fills up the last one counts twice.
    """
    logits, labels = np.asarray(prediction.predictions), np.asarray(prediction.label_ids)
    loss = torch.nn.functional.cross_entropy(torch.from_numpy(logits), torch.from_numpy(labels))
    return {"accuracy": float(np.mean(logits.argmax(axis=-1) == labels)), "post_loss": float(loss)}
