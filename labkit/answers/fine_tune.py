"""Exercise 4: what a few epochs on a few hundred posts bring, against the best zero-shot method."""

from typing import Any

import numpy as np

from labkit.answers import verdicts
from labkit.data.posts import Posts
from labkit.evaluation.comparison import Paired
from labkit.evaluation.comparison import against as compared
from labkit.evaluation.intervals import Estimate
from labkit.evaluation.metrics import Draws, Evaluations, Method, best_without_examples
from labkit.evaluation.paired import WITH_SEED
from labkit.evaluation.seeds import better_neighbour
from labkit.model.predictions import Reseeded
from labkit.report.answer import Answer
from labkit.report.blocks import Block, Table
from labkit.report.plots.learning_rates import learning_rates, many_epochs, posts_needed
from labkit.report.plots.training import training_curve
from labkit.report.wording import paragraphs, percent, percent_interval, with_interval
from labkit.training.history import FineTuned, History, LearningCurve, Sweep
from labkit.training.plan import Plan

RIVALS = {  # who saw no example, as a sentence has it
    "label_similarity": "zero-shot by label similarity",
    "best_wording": "zero-shot with the best of all wordings tried",
    "untrained_nli": "an untrained NLI head on average",
    "trained_nli": "zero-shot by a trained NLI head",
    "majority": "always guessing the most frequent class, which zero-shot does not beat",
}
ELSEWHERE = "The model was trained elsewhere; nothing was trained here."


def answer(
    posts: Posts,
    evaluations: Evaluations,
    fine_tuned: FineTuned,
    reseeded: Reseeded | None,
    plan: Plan | None,
    sweep: Sweep | None,
    learning_curve: LearningCurve | None,
    seed: int,
) -> Answer:
    tuned, rival = evaluations["fine_tuned"], best_without_examples(evaluations)
    found = compared(tuned, rival, seed)
    margin, p_value = found.difference, found.p_value
    history = fine_tuned.history
    told: str = ELSEWHERE
    values: dict[str, Any] = {}
    blocks: tuple[Block, ...] = ()
    sure = [] if isinstance(rival, Draws) else [verdicts.uneven(found).strip()]
    if history and plan and sweep and learning_curve:
        luck, spread = about_seeds(tuned, reseeded)
        told, values, blocks = training(
            history, plan, sweep, learning_curve, reseeded, len(posts.train), seed
        )
        sure, values = [luck, *sure], {**values, **spread}
    reached = (
        f"Fine-tuning reached {percent_interval(tuned.accuracy)} on {len(tuned.correct)} test "
        f"posts, {against(found, RIVALS[rival.method])}. {verdicts.told_apart(posts, evaluations).strip()}"
        f"{verdicts.one_way(tuned.of(posts.truth.test), tuned.predicted, posts.labels)[0]}"
    )
    return Answer(
        "fine_tune",
        f"{percent_interval(tuned.accuracy)}, {100 * margin.value:+.1f} points on "
        f"{'guessing' if rival.method == 'majority' else 'the best zero-shot'}",
        paragraphs(reached, told, " ".join(sure)),
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
    if found.verdict == "alike":
        return verdicts.alike(found, rival)
    sign = 1 if found.verdict == "better" else -1
    return f"{verdicts.points(found.difference, sign)} {found.verdict} than {rival}"


def about_seeds(tuned: Method, reseeded: Reseeded | None) -> tuple[str, dict[str, Any]]:
    """How far trainings lie apart that differ in the seed alone, in words and in numbers."""
    if reseeded is None:
        return (
            "The interval covers the draw of the test posts, for this one training; with "
            "--lab-seeds 3 it covers that of the training as well.",
            {"seeds": 1},
        )
    accuracies = tuned.accuracy.value + tuned.changes
    apart = float(np.mean(reseeded.logits.argmax(axis=-1) != tuned.predicted))
    return (
        f"Trained with {len(accuracies)} seeds it gets {percent(accuracies.min())} to "
        f"{percent(accuracies.max())} (SD {100 * accuracies.std(ddof=1):.1f} points), and one such "
        f"model gives another answer than the kept one on {percent(apart)} of the posts; the intervals "
        "cover the draw of the posts and that of the training.",
        {
            "seeds": len(accuracies),
            "seed_accuracy_low": float(accuracies.min()),
            "seed_accuracy_high": float(accuracies.max()),
            "seed_sd": float(accuracies.std(ddof=1)),
            "seed_disagreement": apart,
            **{
                f"{WITH_SEED}{seed}": float(accuracy)
                for seed, accuracy in zip(reseeded.seeds, accuracies[1:], strict=True)
            },
        },
    )


def training(
    history: History,
    plan: Plan,
    sweep: Sweep,
    curve: LearningCurve,
    reseeded: Reseeded | None,
    posts: int,
    seed: int,
) -> tuple[str, dict[str, Any], tuple[Block, ...]]:
    """How the training went: in words, in numbers, and for the report."""
    first, last = history.epochs[0], history.epochs[-1]
    moved = "falls" if last.train_loss < first.train_loss else "rises"
    kept = history.epochs[history.best_epoch - 1]
    whole = [kept.validation_accuracy, *(reseeded.validation_accuracy if reseeded else ())]
    rate, gain = better_neighbour(sweep, seed)
    return (
        f"{plan.why} The batch size of {plan.recipe.batch_size} was not varied. The loss is "
        f"{history.step_losses[0][1]:.2f} in the first step and {moved} from {first.train_loss:.2f} "
        f"in the first epoch to {last.train_loss:.2f} in the last (guessing: about "
        f"{sweep.guessing:.2f}); epoch {history.best_epoch} had the lowest validation loss and was "
        f"kept. {about_rates(plan, sweep, rate, gain)} {about_posts(curve)}",
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
        },
        (
            training_curve(history),
            epoch_table(history),
            *tried_table(plan),
            learning_rates(sweep),
            rate_table(sweep),
            many_epochs(sweep),
            posts_needed(curve, sweep.tokens, posts, whole),
        ),
    )


def about_rates(plan: Plan, sweep: Sweep, rate: float, gain: Estimate) -> str:
    """What the small trainings say about the recipe's rate."""
    start = f"In small trainings ({sweep.posts} posts cut at {sweep.tokens} tokens"
    if sweep.rate > plan.learning_rate:
        start += "; fewer steps need a larger rate, so the rule takes one"
    if gain.low > 0:
        return (
            f"{start}) a rate of {rate:.2g} is better than {sweep.rate:.2g}: {gain.value:.2f} nats "
            "less validation loss, more than noise."
        )
    others = " or larger" if len(sweep.neighbours) > 1 else ""
    return (
        f"{start}) a rate three times smaller{others} is not better than {sweep.rate:.2g} by more than "
        "noise."
    )


def about_posts(curve: LearningCurve) -> str:
    """From how many train posts on fine-tuning is ahead of a linear probe, in the small trainings."""
    ahead = curve.fine_tuned > curve.probe
    largest = curve.posts[-1]
    rival = "logistic regression on the base model's embeddings"
    if not ahead[-1] and ahead.any():
        earlier = " and ".join(
            str(posts) for posts, led in zip(curve.posts, ahead, strict=True) if led
        )
        return (
            f"With {earlier} train posts fine-tuning does better there than {rival}, with {largest} it "
            "does not: where it starts to pay is not settled."
        )
    if not ahead[-1]:
        return (
            f"With up to {largest} train posts, fine-tuning does not do better there than {rival}."
        )
    behind = np.flatnonzero(~ahead)
    first = curve.posts[behind[-1] + 1 if len(behind) else 0]
    return f"From {first} train posts on, fine-tuning does better there than {rival}."


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
