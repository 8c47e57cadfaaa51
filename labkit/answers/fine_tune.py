"""Exercise 4: what three epochs on a few hundred posts bring, against the best zero-shot method."""

from typing import Any

import numpy as np

from labkit.answers import verdicts
from labkit.data.posts import Posts
from labkit.evaluation.comparison import Paired
from labkit.evaluation.comparison import against as compared
from labkit.evaluation.intervals import accuracy
from labkit.evaluation.metrics import Evaluations, best_without_examples
from labkit.report.answer import Answer
from labkit.report.blocks import Block, Table
from labkit.report.plots.learning_rates import learning_rates
from labkit.report.plots.training import training_curves
from labkit.report.wording import percent, percent_interval, with_interval
from labkit.training.history import FineTuned, History, Sweep

RIVALS = {  # who saw no example, as a sentence has it
    "label_similarity": "zero-shot by label similarity",
    "best_wording": "zero-shot in the wording that does best on these posts",
    "untrained_nli": "an untrained NLI head on average",
    "trained_nli": "zero-shot by a trained NLI head",
    "majority": "always guessing the most frequent class, which zero-shot does not beat",
}
ELSEWHERE = "The model was trained elsewhere; nothing was trained here."


def answer(
    posts: Posts, evaluations: Evaluations, fine_tuned: FineTuned, sweep: Sweep | None, seed: int
) -> Answer:
    tuned, rival = evaluations["fine_tuned"], best_without_examples(evaluations)
    found = compared(tuned, rival, seed)
    margin, p_value = found.difference, found.p_value
    history = fine_tuned.history
    said, values, blocks = training(history, sweep) if history and sweep else (ELSEWHERE, {}, ())
    return Answer(
        "fine_tune",
        f"{percent_interval(tuned.accuracy)}, {100 * margin.value:+.1f} points on "
        f"{'guessing' if rival.method == 'majority' else 'zero-shot'}",
        f"Fine-tuning reached {percent_interval(tuned.accuracy)} on {len(tuned.correct)} test "
        f"posts, {against(found, RIVALS[rival.method])}. "
        f"{verdicts.told_apart(posts, evaluations)}{said}",
        {
            **with_interval("fine_tuned_accuracy", tuned.accuracy),
            **with_interval("fine_tuned_macro_f1", tuned.macro_f1),
            **with_interval("margin", margin),
            "margin_over": rival.method,
            "mcnemar_p": p_value,
            **values,
        },
        blocks,
    )


def against(found: Paired, rival: str) -> str:
    """How much better or worse than a rival on the same posts, in points with the interval."""
    p = f"exact McNemar p = {found.p_value:.2g}"
    if found.verdict == "alike":
        return f"{verdicts.alike(found, rival)} ({p})"
    sign = 1 if found.verdict == "better" else -1
    return f"{verdicts.points(found.difference, sign)} {found.verdict} than {rival} ({p})"


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
    )
