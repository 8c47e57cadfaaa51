"""Exercise 2: how far one gets without a training example, and where it goes wrong."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from labkit.answers.mistakes import confident_mistakes, slice_accuracies, slice_table
from labkit.answers.verdicts import one_way
from labkit.data.posts import Posts
from labkit.evaluation.comparison import against
from labkit.evaluation.intervals import Estimate, cochran_q, confusion
from labkit.evaluation.metrics import (
    ZERO_SHOT,
    Draws,
    Method,
    best_zero_shot,
    evaluate_untrained,
    wording_accuracies,
)
from labkit.evaluation.scores import BaselineScores, ZeroShotScores
from labkit.report.answer import Answer
from labkit.report.blocks import Block, Table
from labkit.report.plots import methods as plots
from labkit.report.plots.methods import MOST_CLASSES
from labkit.report.wording import paragraphs, percent, percent_interval, with_interval

SHOWN_CLASSES = 5  # where they are many
SHOWN_SLICES = 5  # as many as the lab's own corpus has
SHOWN_WORDINGS = 2  # of the best, and of the worst
BEYOND_DOUBT = 0.001  # a p-value


def answer(posts: Posts, baselines: BaselineScores, zero_shot: ZeroShotScores, seed: int) -> Answer:
    evaluations = evaluate_untrained(posts, seed, baselines, zero_shot)
    best, heads = best_zero_shot(evaluations), evaluations["untrained_nli"]
    assert isinstance(heads, Draws)
    chance = against(best, evaluations["majority"], seed).difference
    by_wording = wording_accuracies(zero_shot, posts.truth.test)
    luck = cochran_q(heads.all_correct)
    values = {
        "best_method": best.method,
        **with_interval("zero_shot_accuracy", best.accuracy),
        **with_interval("above_chance", chance),
        "wordings": len(by_wording),
        "worst_wording_accuracy": float(by_wording.min()),
        "best_wording_accuracy": float(by_wording.max()),
        "untrained_head_mean": float(heads.accuracies.mean()),
        "untrained_head_std": float(heads.accuracies.std(ddof=1)),
        "untrained_heads": len(heads.accuracies),
        "untrained_heads_alike_p": luck,
        "posts_read_by_nli": len(zero_shot.asked),
    }
    for method in ZERO_SHOT:
        if method in evaluations:
            values[f"{method}_accuracy"] = evaluations[method].accuracy.value
    slices = slice_accuracies(posts, best)
    values |= {f"slice_{name}_accuracy": estimate.value for name, (_, estimate) in slices.items()}
    labels, truth = posts.labels, best.of(posts.truth.test)
    scores = zero_shot.label_similarity[0]
    if best.method != "label_similarity":
        scores = getattr(zero_shot, best.method)
    blocks: list[Block] = [
        wording_table(zero_shot, by_wording),
        plots.random_heads(heads.accuracies, evaluations["label_similarity"].accuracy.value),
        plots.confusion_matrix(best.name, confusion(truth, best.predicted, len(labels)), labels),
        *([replace(slice_table(best, slices), folded=True)] if slices else []),
        confident_mistakes(posts, best, scores),
    ]
    sentence = paragraphs(
        _found(posts, best, by_wording, scores) + _slices(slices),
        _heads(heads, luck, "trained_nli" in evaluations)
        + _read(len(zero_shot.asked), len(posts.test)),
    )
    headline = f"{percent_interval(best.accuracy)} by {_short_name(best)}"
    return Answer("zero_shot", headline, sentence, values, tuple(blocks))


def wording_table(zero_shot: ZeroShotScores, accuracies: np.ndarray) -> Table:
    """The best and the worst wordings of the labels, with the pipeline's own among them."""
    order = np.argsort(-accuracies, kind="stable").tolist()
    ends = order if len(order) <= 2 * SHOWN_WORDINGS else order[:SHOWN_WORDINGS]
    rest = order[len(ends) :][-SHOWN_WORDINGS:]
    own = [] if 0 in ends or 0 in rest else [0]
    shown = [*ends, *own, *rest]
    return Table(
        f"Label similarity by wording of the labels: {len(order)} tried, "
        f"the best and the worst shown",
        ("wording", "accuracy"),
        tuple((" / ".join(zero_shot.wordings[i][:4]), percent(accuracies[i])) for i in shown),
        best=shown.index(0),
        mark="the pipeline's",
        folded=True,
    )


def _short_name(evaluation: Method) -> str:
    return evaluation.name.removeprefix("zero-shot: ")


def _found(posts: Posts, best: Method, by_wording: np.ndarray, scores: np.ndarray) -> str:
    """How often the best method is right, by class, and what other wordings come to."""
    wrong = ~best.correct
    truth, labels = best.of(posts.truth.test), posts.labels
    counts, errors = (
        np.bincount(of_class, minlength=len(labels)) for of_class in (truth, truth[wrong])
    )
    shown = range(len(labels))
    if len(labels) > MOST_CLASSES:
        shares = errors / np.maximum(counts, 1)
        shown = np.argsort(-shares, kind="stable")[:SHOWN_CLASSES].tolist()
    by_class = ", ".join(f"{errors[i]} of {counts[i]} {labels[i]}" for i in shown)
    worst = (
        "" if len(shown) == len(labels) else f" in the {len(shown)} worst of {len(labels)} classes"
    )
    name = _short_name(best)
    return (
        f"{name[0].upper()}{name[1:]} gets {percent_interval(best.accuracy)}; it is wrong on "
        f"{by_class} posts{worst}.{_one_way(truth, best, scores, labels)} It depends on the "
        f"wording: over {len(by_wording)} wordings of the labels label similarity gets from "
        f"{percent(by_wording.min())} to {percent(by_wording.max())}; "
        f"{np.count_nonzero(by_wording > by_wording[0])} of them do better than the pipeline's own."
    )


def _one_way(truth: np.ndarray, best: Method, scores: np.ndarray, labels: Sequence[str]) -> str:
    """That most errors go one way, where they do; empty where they do not.

    And why, where the sentence of that other label is the nearer one over both classes alike: then
    the wording leans, whatever the posts say. The `scores` of label similarity are cosines (posts,
    labels); those of other methods are not looked at.
    """
    said, own, other = one_way(truth, best.predicted, labels)
    if not said or best.method != "label_similarity":
        return said
    of_both = [scores[truth == one].mean(axis=0) for one in (own, other) if one in truth]
    to_own, to_other = np.mean(of_both, axis=0)[[own, other]]
    if to_other <= to_own:
        return said
    return (
        f"{said} The wording leans that way: over both classes alike, the mean cosine with the "
        f"sentence for {labels[other]} is {to_other:.2f}, with that for {labels[own]} {to_own:.2f}."
    )


def _heads(heads: Draws, luck: float, trained: bool) -> str:
    """What one untrained head is worth, and which number to read where no head is trained."""
    found = heads.accuracies
    said = (
        f"The pipeline on the base checkpoint has an untrained NLI head: {len(found)} random heads "
        f"score {percent(found.mean())} on average, from {percent(found.min())} to "
        f"{percent(found.max())}"
    )
    if luck < BEYOND_DOUBT:
        said += ", so the accuracy of a single one is luck."
    else:
        said += "; on these posts that is no more than chance explains."
    guessing = " No trained NLI head is at hand here, so the number to read is label similarity's."
    return said if trained else said + guessing


def _read(asked: int, posts: int) -> str:
    """That the entailment methods read a part of the posts, where they do."""
    if asked == posts:
        return ""
    return f" NLI methods read every post with every label; {asked} of the {posts} posts were drawn for them."


def _slices(slices: dict[str, tuple[int, Estimate]]) -> str:
    """Where it is wrong, by slice; empty where the corpus has no slices."""
    worst = sorted(slices.items(), key=lambda item: item[1][1].value)[:SHOWN_SLICES]
    if not worst:
        return ""
    by_slice = ", ".join(
        f"{round(n * (1 - estimate.value))} of {n} {name}" for name, (n, estimate) in worst
    )
    return f" By slice, worst first, it is wrong on {by_slice} posts."
