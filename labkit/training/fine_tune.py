"""Fine-tune a DistilBERT classifier with the Hugging Face Trainer, and record how it went.

The recipe is the one of the lab's text: AdamW on all layers, linear warm-up and decay, dynamic
padding, the epoch with the lowest validation loss kept. What makes it fast on this machine comes
from `labkit.training.fast`.
"""

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import datasets
import numpy as np
import torch
from transformers import (
    EvalPrediction,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from labkit.config import Recipe
from labkit.plumbing.progress import Report, ignore
from labkit.training.checkpoints import MarkWhole, last_whole
from labkit.training.fast.parts import mean_loss
from labkit.training.fast.speed import Speed, by_length
from labkit.training.history import Epoch, History

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast


def fine_tune(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerFast",
    train: datasets.Dataset,
    validation: datasets.Dataset,
    recipe: Recipe,
    speed: Speed,
    scratch: Path,
    *,
    checkpoints: Path | None = None,
    report_to: str = "none",
    report: Report = ignore,
) -> "tuple[PreTrainedModel, History]":
    """Train `model` on `train`; it ends with the weights of the epoch that is kept, in float32.

    Both data sets have `input_ids` and `label`. Nothing stays in the folder `scratch`. With a
    folder for `checkpoints`, every epoch leaves there what a run that was cut off goes on from,
    and does. `report_to` is a tracker's name. All processes of a launcher call this together.
    """
    assert recipe.epochs is not None, "a plan fills in what nobody gave"
    assert recipe.learning_rate is not None, "a plan fills in what nobody gave"
    recorder = Recorder(report)
    with tempfile.TemporaryDirectory(dir=scratch) as temporary:
        trainer = speed.trainer(
            model=model.train(),
            args=TrainingArguments(
                output_dir=str(checkpoints or temporary),
                num_train_epochs=recipe.epochs,
                learning_rate=recipe.learning_rate,
                warmup_steps=recipe.warmup,
                weight_decay=recipe.weight_decay,
                seed=recipe.seed,
                eval_strategy="epoch",
                save_strategy="epoch",
                save_only_model=checkpoints is None,
                load_best_model_at_end=True,
                metric_for_best_model="post_loss",
                greater_is_better=False,
                logging_steps=1,
                disable_tqdm=True,
                report_to=report_to,
                **speed.arguments,
            ),
            train_dataset=train,
            eval_dataset=by_length(validation),
            data_collator=speed.padding(model, tokenizer),
            compute_loss_func=mean_loss,
            compute_metrics=measure,
            callbacks=[recorder, *([MarkWhole()] if checkpoints else []), *speed.callbacks],
        )
        trainer.remove_callback(PrinterCallback)
        started = time.perf_counter()
        trainer.train(resume_from_checkpoint=last_whole(checkpoints) if checkpoints else None)
        seconds = time.perf_counter() - started
        trainer.accelerator.wait_for_everyone()  # to have read the best epoch's weights
    # The Trainer has wrapped `forward` in autocast; outside training everything is float32.
    model = trainer.accelerator.unwrap_model(model, keep_fp32_wrapper=False).eval()
    return model, recorder.history(trainer, seconds)


def measure(prediction: EvalPrediction) -> dict[str, float]:
    """Accuracy, and the mean loss of a post.

    The Trainer's own loss is the mean over batches as the processes had them, in which a post
    that fills up the last one counts twice.
    """
    logits, labels = np.asarray(prediction.predictions), np.asarray(prediction.label_ids)
    loss = torch.nn.functional.cross_entropy(torch.from_numpy(logits), torch.from_numpy(labels))
    return {"accuracy": float(np.mean(logits.argmax(axis=-1) == labels)), "post_loss": float(loss)}


class Recorder(TrainerCallback):
    """Collects the Trainer's logs and passes on how far it is."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.losses: list[tuple[int, float]] = []
        self.validation: list[tuple[int, float, float]] = []

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Take in what a run that was cut off has logged."""
        for logs in state.log_history:
            if "loss" in logs:
                self.losses.append((int(logs["step"]), float(logs["loss"])))
            elif "eval_post_loss" in logs:
                self._evaluated(int(logs["step"]), logs)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: Mapping[str, float] | None = None,
        **_: Any,
    ) -> None:
        if logs and "loss" in logs:
            self.losses.append((state.global_step, float(logs["loss"])))
            self.report(
                state.global_step / state.max_steps,
                f"epoch {int(np.ceil(state.epoch))}, loss {float(logs['loss']):.3f}",
            )

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: Mapping[str, float] | None = None,
        **_: Any,
    ) -> None:
        assert metrics is not None
        self._evaluated(state.global_step, metrics)

    def _evaluated(self, step: int, found: Mapping[str, float]) -> None:
        self.validation.append(
            (step, float(found["eval_post_loss"]), float(found["eval_accuracy"]))
        )

    def history(self, trainer: Trainer, seconds: float) -> History:
        """The logs gathered by epoch; an epoch's training loss is the mean over its steps.

        The best epoch is the one whose weights the Trainer has loaded at the end.
        """
        records, start = [], 0
        for number, (end, loss, accuracy) in enumerate(self.validation, start=1):
            steps = [value for step, value in self.losses if start < step <= end]
            records.append(Epoch(number, float(np.mean(steps)), loss, accuracy))
            start = end
        state, args = trainer.state, trainer.args
        ends = [step for step, _, _ in self.validation]
        # No loss was a number: the Trainer then has no best epoch and keeps the last.
        best = ends.index(state.best_global_step) + 1 if state.best_global_step else len(ends)
        return History(
            epochs=tuple(records),
            step_losses=tuple(self.losses),
            best_epoch=best,
            steps=state.global_step,
            seconds=seconds,
            bf16=args.bf16,
            device=args.device.type,
        )
