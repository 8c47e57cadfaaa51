"""Exercise 2: how far one gets without a training example, and where it goes wrong."""

import numpy as np

from labkit import plots
from labkit.answers.mistakes import confident_mistakes, slice_accuracies, slice_table
from labkit.answers.model import Answer, Block, percent, percent_interval, with_interval
from labkit.evaluation import ZERO_SHOT, Evaluation, best_zero_shot
from labkit.lab import Lab
from labkit.statistics import Estimate, confusion, paired_difference

SHOWN_SLICES = 5  # as many as the lab's own corpus has


def answer(lab: Lab) -> Answer:
    evaluations = lab.zero_shot_evaluations
    best, heads = best_zero_shot(evaluations), evaluations["untrained_nli"]
    chance = paired_difference(
        best.hit_rate, evaluations["majority"].hit_rate, lab.config.recipe.seed
    )
    head_accuracy = heads.correct.mean(axis=1)
    values = {
        "best_method": best.method,
        **with_interval("zero_shot_accuracy", best.accuracy),
        **with_interval("above_chance", chance),
        "untrained_head_mean": float(head_accuracy.mean()),
        "untrained_head_std": float(head_accuracy.std(ddof=1)),
        "untrained_heads": heads.draws,
    }
    for method in ZERO_SHOT:
        if method in evaluations:
            values[f"{method}_accuracy"] = evaluations[method].accuracy.value
    slices = slice_accuracies(lab, best)
    values |= {f"slice_{name}_accuracy": estimate.value for name, (_, estimate) in slices.items()}
    labels, truth = lab.splits.labels, lab.truth["test"]
    blocks: list[Block] = [
        plots.random_heads(head_accuracy, evaluations["label_similarity"].accuracy.value),
        plots.confusion_matrix(best.name, confusion(truth, best.predicted[0], len(labels)), labels),
        *([slice_table(best, slices)] if slices else []),
        confident_mistakes(lab, best, lab.zero_shot[best.method]),
    ]
    headline = f"{percent_interval(best.accuracy)} by {_short_name(best)}"
    sentence = _sentence(lab, best, head_accuracy, slices)
    return Answer("zero_shot", headline, sentence, values, tuple(blocks))


def _short_name(evaluation: Evaluation) -> str:
    return evaluation.name.removeprefix("zero-shot: ")


def _sentence(
    lab: Lab,
    best: Evaluation,
    heads: np.ndarray,
    slices: dict[str, tuple[int, Estimate]],
) -> str:
    wrong = ~best.correct[0]
    truth, labels = lab.truth["test"], lab.splits.labels
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
