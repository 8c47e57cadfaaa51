"""Exercise 4: what a few epochs on a few hundred posts bring, against the best zero-shot method."""

from typing import Any

import numpy as np

from labkit.evaluation.intervals import Estimate, mcnemar, paired_difference
from labkit.evaluation.metrics import Evaluations, best_zero_shot
from labkit.evaluation.seeds import better_neighbour
from labkit.report.answer import Answer
from labkit.report.blocks import Block, Table
from labkit.report.plots.learning_rates import learning_rates, many_epochs, posts_needed
from labkit.report.plots.training import training_curves
from labkit.report.wording import percent, percent_interval, with_interval
from labkit.training.history import FineTuned, History, LearningCurve, Sweep
from labkit.training.plan import Plan

ELSEWHERE = "The model was trained elsewhere; nothing was trained here."


def answer(
    evaluations: Evaluations,
    fine_tuned: FineTuned,
    plan: Plan | None,
    sweep: Sweep | None,
    learning_curve: LearningCurve | None,
    seed: int,
) -> Answer:
    tuned, zero_shot = evaluations["fine_tuned"], best_zero_shot(evaluations)
    margin = paired_difference(tuned.hit_rate, zero_shot.hit_rate, seed)
    p_value = mcnemar(tuned.correct, zero_shot.correct)
    history = fine_tuned.history
    said: str = ELSEWHERE
    values: dict[str, Any] = {}
    blocks: tuple[Block, ...] = ()
    if history and plan and sweep and learning_curve:
        said, values, blocks = training(history, plan, sweep, learning_curve, seed)
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


def training(
    history: History, plan: Plan, sweep: Sweep, curve: LearningCurve, seed: int
) -> tuple[str, dict[str, Any], tuple[Block, ...]]:
    """How the training went: in words, in numbers, and for the report."""
    first, last = history.epochs[0], history.epochs[-1]
    moved = "fell" if last.train_loss < first.train_loss else "rose"
    accuracies = [trial.accuracy for trial in sweep.at(sweep.rate)]
    rate, gain = better_neighbour(sweep, seed)
    return (
        f"{plan.why} Training loss {moved} from {first.train_loss:.2f} in the first epoch to "
        f"{last.train_loss:.2f} in the last; epoch {history.best_epoch} had the lowest validation "
        f"loss and was kept. {about_rates(sweep, rate, gain)} {about_posts(curve)} The seed alone "
        f"makes a difference too: on {sweep.posts} posts, {len(accuracies)} seeds of the recipe "
        f"get {percent(min(accuracies))} to {percent(max(accuracies))} of the validation posts "
        f"right.",
        {
            "first_epoch_loss": first.train_loss,
            "last_epoch_loss": last.train_loss,
            "loss_ratio": last.train_loss / first.train_loss,
            "best_epoch": history.best_epoch,
            "epochs": len(history.epochs),
            "learning_rate": plan.learning_rate,
            "steps": history.steps,
            "train_seconds": history.seconds,
            "neighbour_rate": rate,
            **with_interval("neighbour_gain", gain),
            "seed_accuracy_low": min(accuracies),
            "seed_accuracy_high": max(accuracies),
        },
        (
            training_curves(history),
            epoch_table(history),
            *tried_table(plan),
            learning_rates(sweep),
            rate_table(sweep),
            many_epochs(sweep),
            posts_needed(curve, sweep.tokens),
        ),
    )


def about_rates(sweep: Sweep, rate: float, gain: Estimate) -> str:
    """What the small trainings say about the recipe's rate."""
    start = f"In small trainings on {sweep.posts} posts cut at {sweep.tokens} tokens"
    if gain.low > 0:
        return (
            f"{start}, a rate of {rate:.2g} ends with {gain.value:.2f} nats less validation loss "
            f"than the recipe's {sweep.rate:.2g}, beyond noise."
        )
    below, above = (f"{one:.2g}" for one in sweep.neighbours)
    return (
        f"{start}, neither {below} nor {above} has less validation loss than the recipe's "
        f"{sweep.rate:.2g} beyond noise."
    )


def about_posts(curve: LearningCurve) -> str:
    """From how many train posts on fine-tuning is ahead of a linear probe, in the small trainings."""
    ahead = curve.fine_tuned > curve.probe
    largest = curve.posts[-1]
    if not ahead[-1]:
        return (
            f"With up to {largest} train posts, fine-tuning does not do better there than logistic "
            "regression on the base model's embeddings."
        )
    behind = np.flatnonzero(~ahead)
    first = curve.posts[behind[-1] + 1 if len(behind) else 0]
    return (
        f"From {first} train posts on, fine-tuning does better there than logistic regression on "
        f"the base model's embeddings."
    )


def tried_table(plan: Plan) -> tuple[Table, ...]:
    """The trainings by which the recipe was chosen, where it was fitted."""
    if not plan.tried:
        return ()
    chosen = [(one.learning_rate, one.epochs) for one in plan.tried]
    return (
        Table(
            "Recipes tried, by validation loss",
            ("learning rate", "epochs", "epoch kept", "validation loss", "validation accuracy"),
            tuple(
                (
                    f"{one.learning_rate:.2g}",
                    str(one.epochs),
                    str(one.best_epoch),
                    f"{one.validation_loss:.3f}",
                    percent(one.validation_accuracy),
                )
                for one in plan.tried
            ),
            best=chosen.index((plan.learning_rate, plan.epochs)),
            mark="chosen",
        ),
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


def rate_table(sweep: Sweep) -> Table:
    """The small trainings, one for each rate and seed."""
    return Table(
        f"Small trainings on {sweep.posts} posts cut at {sweep.tokens} tokens",
        ("learning rate", "seed", "training loss", "validation loss", "validation accuracy"),
        tuple(
            (
                f"{trial.learning_rate:.2g}",
                str(trial.seed),
                f"{trial.history.epochs[-1].train_loss:.3f}",
                f"{trial.loss:.3f}",
                percent(trial.accuracy),
            )
            for trial in sweep.trials
        ),
        folded=True,
    )
