"""Exercise 4: what three epochs on a few hundred posts bring, against the best zero-shot method."""

from typing import Any

import numpy as np

from labkit.evaluation.intervals import Estimate, accuracy, mcnemar, paired_difference
from labkit.evaluation.metrics import Evaluations, best_zero_shot
from labkit.report.answer import Answer
from labkit.report.blocks import Block, Table
from labkit.report.plots.learning_rates import learning_rates
from labkit.report.plots.training import training_curves
from labkit.report.wording import percent, percent_interval, with_interval
from labkit.training.history import FineTuned, History, Sweep

ELSEWHERE = "The model was trained elsewhere; nothing was trained here."


def answer(
    evaluations: Evaluations, fine_tuned: FineTuned, sweep: Sweep | None, seed: int
) -> Answer:
    tuned, zero_shot = evaluations["fine_tuned"], best_zero_shot(evaluations)
    margin = paired_difference(tuned.hit_rate, zero_shot.hit_rate, seed)
    p_value = mcnemar(tuned.correct, zero_shot.correct)
    history = fine_tuned.history
    said, values, blocks = training(history, sweep) if history and sweep else (ELSEWHERE, {}, ())
    return Answer(
        "fine_tune",
        f"{percent_interval(tuned.accuracy)}, {100 * margin.value:+.1f} points on zero-shot",
        f"Fine-tuning reached {percent_interval(tuned.accuracy)} on {len(tuned.correct)} test "
        f"posts, {against(margin)} the best zero-shot method (exact McNemar "
        f"p = {p_value:.2g}). {said}",
        {
            **with_interval("fine_tuned_accuracy", tuned.accuracy),
            **with_interval("fine_tuned_macro_f1", tuned.macro_f1),
            **with_interval("margin", margin),
            "mcnemar_p": p_value,
            **values,
        },
        blocks,
    )


def against(margin: Estimate) -> str:
    """How much better or worse, in points with the interval."""
    word, sign = ("better", 1) if margin.value >= 0 else ("worse", -1)
    value, *ends = (100 * sign * number for number in (margin.value, margin.low, margin.high))
    return f"{value:.1f} points ({min(ends):.1f} to {max(ends):.1f}) {word} than"


def training(history: History, sweep: Sweep) -> tuple[str, dict[str, Any], tuple[Block, ...]]:
    """How the training went: in words, in numbers, and for the report."""
    first, last = history.epochs[0], history.epochs[-1]
    moved = "fell" if last.train_loss < first.train_loss else "rose"
    luck = sweep.seed_accuracies
    return (
        f"Training loss {moved} from {first.train_loss:.2f} in the first epoch to "
        f"{last.train_loss:.2f} in the last; epoch {history.best_epoch} had the lowest validation "
        f"loss and was kept. On {sweep.posts} posts, {len(luck)} seeds of the same recipe get "
        f"{percent(luck.min())} to {percent(luck.max())} of the validation posts right: so much "
        f"is luck.",
        {
            "first_epoch_loss": first.train_loss,
            "last_epoch_loss": last.train_loss,
            "loss_ratio": last.train_loss / first.train_loss,
            "best_epoch": history.best_epoch,
            "epochs": len(history.epochs),
            "steps": history.steps,
            "train_seconds": history.seconds,
            "learning_rate_shortfall": shortfall(sweep),
            "seed_accuracy_low": float(luck.min()),
            "seed_accuracy_high": float(luck.max()),
        },
        (training_curves(history), epoch_table(history), learning_rates(sweep), seed_table(sweep)),
    )


def epoch_table(history: History) -> Table:
    """Losses and validation accuracy by epoch, the kept epoch marked."""
    return Table(
        "By epoch",
        ("epoch", "training loss", "validation loss", "validation accuracy"),
        tuple(
            (
                str(epoch.epoch),
                f"{epoch.train_loss:.3f}",
                f"{epoch.validation_loss:.3f}",
                f"{100 * epoch.validation_accuracy:.1f} %",
            )
            for epoch in history.epochs
        ),
        best=history.best_epoch - 1,
        mark="kept",
        folded=True,
    )


def shortfall(sweep: Sweep) -> float:
    """How far the best cell of the grid lies above the interval of the recipe; below 0 is noise."""
    hits = round(float(sweep.accuracies[1, -1]) * sweep.validation)
    recipe = accuracy(np.arange(sweep.validation) < hits)
    return float(sweep.accuracies.max()) - recipe.high


def seed_table(sweep: Sweep) -> Table:
    """The same small fine-tune with other seeds: what differs is luck."""
    return Table(
        f"The same recipe on {sweep.posts} posts with other seeds",
        ("seed", "training loss", "validation accuracy"),
        tuple(
            (
                str(seed),
                f"{history.epochs[-1].train_loss:.3f}",
                percent(history.epochs[-1].validation_accuracy),
            )
            for seed, history in sweep.by_seed
        ),
        folded=True,
    )
