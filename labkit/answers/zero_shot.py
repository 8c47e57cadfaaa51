"""Exercise 2: how far one gets without a training example, and where it goes wrong."""

import numpy as np

from labkit.answers.mistakes import confident_mistakes, slice_accuracies, slice_table
from labkit.data.posts import Posts
from labkit.evaluation.intervals import Estimate, confusion, paired_difference
from labkit.evaluation.metrics import (
    ZERO_SHOT,
    Draws,
    Evaluation,
    best_zero_shot,
    evaluate_untrained,
)
from labkit.evaluation.scores import BaselineScores, ZeroShotScores
from labkit.report.answer import Answer
from labkit.report.blocks import Block
from labkit.report.plots import methods as plots
from labkit.report.wording import percent, percent_interval, with_interval

SHOWN_SLICES = 5  # as many as the lab's own corpus has


def answer(posts: Posts, baselines: BaselineScores, zero_shot: ZeroShotScores, seed: int) -> Answer:
    evaluations = evaluate_untrained(posts, seed, baselines, zero_shot)
    best, heads = best_zero_shot(evaluations), evaluations["untrained_nli"]
    assert isinstance(heads, Draws)
    chance = paired_difference(best.hit_rate, evaluations["majority"].hit_rate, seed)
    head_accuracy = heads.accuracies
    values = {
        "best_method": best.method,
        **with_interval("zero_shot_accuracy", best.accuracy),
        **with_interval("above_chance", chance),
        "untrained_head_mean": float(head_accuracy.mean()),
        "untrained_head_std": float(head_accuracy.std(ddof=1)),
        "untrained_heads": len(head_accuracy),
    }
    for method in ZERO_SHOT:
        if method in evaluations:
            values[f"{method}_accuracy"] = evaluations[method].accuracy.value
    slices = slice_accuracies(posts, best)
    values |= {f"slice_{name}_accuracy": estimate.value for name, (_, estimate) in slices.items()}
    labels, truth = posts.labels, posts.truth.test
    blocks: list[Block] = [
        plots.random_heads(head_accuracy, evaluations["label_similarity"].accuracy.value),
        plots.confusion_matrix(best.name, confusion(truth, best.predicted, len(labels)), labels),
        *([slice_table(best, slices)] if slices else []),
        confident_mistakes(posts, best, getattr(zero_shot, best.method)),
    ]
    headline = f"{percent_interval(best.accuracy)} by {_short_name(best)}"
    sentence = _sentence(posts, best, head_accuracy, slices)
    return Answer("zero_shot", headline, sentence, values, tuple(blocks))


def _short_name(evaluation: Evaluation | Draws) -> str:
    return evaluation.name.removeprefix("zero-shot: ")


def _sentence(
    posts: Posts,
    best: Evaluation | Draws,
    heads: np.ndarray,
    slices: dict[str, tuple[int, Estimate]],
) -> str:
    wrong = ~best.correct
    truth, labels = posts.truth.test, posts.labels
    by_class = ", ".join(
        f"{int(wrong[truth == i].sum())} of {int((truth == i).sum())} {label}"
        for i, label in enumerate(labels)
    )
    text = (
        f"{_short_name(best).capitalize()} gets "
        f"{percent_interval(best.accuracy)}; it is wrong on {by_class} posts. "
        f"The pipeline on the base checkpoint has an untrained NLI head: {len(heads)} random heads "
        f"score {percent(heads.mean())} on average, from {percent(heads.min())} to "
        f"{percent(heads.max())}, so one such number only says which way the dice fell."
    )
    if slices:
        worst = sorted(slices.items(), key=lambda item: item[1][1].value)[:SHOWN_SLICES]
        text += " By slice, worst first, it is wrong on " + ", ".join(
            f"{round(n * (1 - estimate.value))} of {n} {name}" for name, (n, estimate) in worst
        )
        text += " posts."
    return text
