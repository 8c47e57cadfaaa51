"""Sentences of the answers that say what a comparison came to, true whichever way it came out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from labkit.data.posts import Posts
from labkit.evaluation.calibration import Calibration, Perfect, calibration, perfect, temperature
from labkit.evaluation.comparison import Paired
from labkit.evaluation.intervals import Estimate, accuracy, confusion
from labkit.evaluation.metrics import PROBE, Evaluations, Method
from labkit.evaluation.separation import Separation, Separations
from labkit.model.predictions import probabilities
from labkit.report.wording import percent, percent_interval

NOTICED = 0.05  # a p-value
ONE_WAY = 2 / 3  # of all errors


def points(estimate: Estimate, sign: int = 1) -> str:
    """A difference of shares in points with its interval: `7.2 points (3.5 to 11.3)`."""
    value, *ends = (
        round(100 * sign * number, 1) + 0.0  # no -0.0
        for number in (estimate.value, estimate.low, estimate.high)
    )
    return f"{value:.1f} points ({min(ends):.1f} to {max(ends):.1f})"


def alike(found: Paired, rival: str) -> str:
    """That two methods differ by no more than luck."""
    sign, word = (1, "more") if found.difference.value >= 0 else (-1, "less")
    return (
        f"right {points(found.difference, sign)} {word} often than {rival}, no more than chance "
        "explains"
    )


def uneven(found: Paired) -> str:
    """How the posts are split that only one of two methods gets right, and whether by chance."""
    in_a_thousand = round(1000 * found.p_value)
    often = f"{in_a_thousand} times" if in_a_thousand != 1 else "once"
    plural = "s" * (found.only_first != 1)
    return (
        f"{found.only_first} post{plural} only fine-tuning got right, {found.only_second} only the other: "
        f"so uneven a count would come by chance {often if in_a_thousand else 'less than once'} in "
        f"1000 (exact McNemar p = {found.p_value:.2g}). "
    )


def pays(found: Paired, probe: Method) -> str:
    """Whether fine-tuning was worth more than logistic regression on what was there before."""
    known = f"logistic regression on the frozen embeddings, which gets {percent_interval(probe.accuracy)}"
    if found.verdict == "better":
        said = f"Fine-tuning pays here: on the same posts it is {points(found.difference)} better than {known}. "
    elif found.verdict == "worse":
        said = f"Fine-tuning does not pay here: on the same posts it is {points(found.difference, -1)} worse than {known}. "
    else:
        said = f"That fine-tuning pays is not shown here: on the same posts it is {alike(found, known)}. "
    return said + uneven(found)


def others_ahead(pairs: Sequence[Paired]) -> str:
    """The methods that are better than the fine-tuned one; `pairs` are each of them against it."""
    ahead = [pair for pair in pairs if pair.verdict == "better"]
    said = ", ".join(f"{pair.first} by {points(pair.difference)}" for pair in ahead)
    return f"Better than the fine-tuned model on these posts: {said}. " if ahead else ""


def never_said(evaluation: Method, labels: Sequence[str]) -> list[str]:
    """The classes that a method gave to no post."""
    counts = np.bincount(np.ravel(evaluation.predicted), minlength=len(labels))
    return [label for label, count in zip(labels, counts, strict=True) if count == 0]


def unsaid(evaluation: Method, labels: Sequence[str]) -> str:
    """That a method never gives some classes; empty where it gives all."""
    missing = never_said(evaluation, labels)
    if not missing:
        return ""
    named = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
    return f"It never predicts {named}: of {len(labels)} classes {len(missing)} got no post. "


def by_macro_f1(evaluations: Evaluations) -> str:
    """That another method leads where every class counts alike; empty where the same one does."""
    methods = list(evaluations.values())
    first = max(methods, key=lambda method: method.accuracy.value)
    fair = max(methods, key=lambda method: method.macro_f1.value)
    shown = [f"{method.macro_f1.value:.3f}" for method in (fair, first)]
    if shown[0] == shown[1]:
        return ""
    return (
        f"By macro F1, which counts every class alike, another method leads: {fair.name} with "
        f"{shown[0]}, {first.name} with {shown[1]}. "
    )


def separated(found: Separations, posts: int) -> str:
    """How far apart the classes stand before and after, each against its own shuffled labels."""
    rows = len(found.rows)
    over = (
        f"all {posts} test posts"
        if rows == posts
        else f"{rows} of the {posts} test posts drawn at random"
    )
    gain = found.gain
    ends = f"({gain.low:.3f} to {gain.high:.3f})"
    if gain.low > 0:
        moved = f"a gain of {gain.value:.3f} {ends}"
    elif gain.high < 0:
        moved = f"a loss of {-gain.value:.3f} ({-gain.high:.3f} to {-gain.low:.3f})"
    else:
        moved = f"a change of {gain.value:.3f} {ends}, no more than chance explains"
    before, after = found.before, found.after
    return (
        f"The silhouette of the classes (1: fully apart, 0: mixed), in the full embedding space over "
        f"{over}, goes from {before.silhouette:.3f} to {after.silhouette:.3f} with fine-tuning: "
        f"{moved}. {nearer(after.silhouette)} Before, labels dealt out at random almost always give "
        f"{against_null(before)}. After, they give {against_null(after)}."
    )


def nearer(silhouette: float) -> str:
    """What a mean silhouette says of the distances within a class and to the nearest other one."""
    share = f"about {100 * silhouette:.0f} % nearer" if silhouette > 0 else "no nearer"
    return (
        f"{silhouette:.2f} means that a post is on average {share} to its own class than to the "
        "nearest other one."
    )


def against_null(found: Separation) -> str:
    """What labels dealt out at random come to on the same embeddings, and whether that is less."""
    luck = "not luck" if found.p_value <= NOTICED else "no clearer than luck"
    return f"less than {found.null_95:.3f}, so {found.silhouette:.3f} is {luck} (p = {found.p_value:.2g})"


def told_apart(posts: Posts, evaluations: Evaluations) -> str:
    """The fine-tuned accuracy with and without the worst slice, where that is far below the rest.

    Empty where no slice is. Where label similarity is worse than a guess there, or words alone are
    worse than elsewhere, that says why.
    """
    slices, tuned = posts.slices, evaluations["fine_tuned"]
    if slices is None or len(np.unique(slices)) < 2:
        return ""
    name = min(np.unique(slices), key=lambda one: tuned.correct[slices == one].mean())
    own = slices == name
    inside, outside = accuracy(tuned.correct[own]), accuracy(tuned.correct[~own])
    if inside.high >= outside.low:
        return ""
    errors = np.count_nonzero(~tuned.correct[own]), np.count_nonzero(~tuned.correct)
    by_label_texts = accuracy(evaluations["label_similarity"].correct[own])
    guess = np.bincount(posts.truth.test[own]).max() / own.sum()
    why = (
        f" There label similarity is right on {percent_interval(by_label_texts)} and the most "
        f"frequent class on {percent(guess)}: these posts borrow the words of another class."
        if by_label_texts.high < guess
        else others_there(evaluations, own, guess)
    )
    return (
        f"The average hides a difference: {percent_interval(inside)} on the {own.sum()} posts of the "
        f"slice {name}, {percent_interval(outside)} on all others; {errors[0]} of the {errors[1]} "
        f"errors are in that slice.{why} "
    )


def others_there(evaluations: Evaluations, own: np.ndarray, guess: float) -> str:
    """What words alone, or else the base model's embeddings, tell on the posts `own` (posts,).

    Empty where that is as much as elsewhere.
    """
    for method, name, what in (
        (
            "tfidf_logistic",
            "A classifier that only counts words (TF-IDF)",
            "the wording of these posts",
        ),
        (
            PROBE,
            "Logistic regression on the base model's embeddings",
            "what that model sees in these",
        ),
    ):
        correct = evaluations[method].correct
        inside, outside = accuracy(correct[own]), accuracy(correct[~own])
        if inside.high < outside.low:
            tell = "misleads" if inside.high < guess else "says less of their class"
            return (
                f" {name} gets {percent(inside.value)} there and {percent(outside.value)} on all "
                f"others: {what} {tell}."
            )
    return ""


def one_way(
    truth: np.ndarray, predicted: np.ndarray, labels: Sequence[str]
) -> tuple[str, int, int]:
    """That most errors are posts of one class taken for one other, with the two; else no words."""
    counts = confusion(truth, predicted, len(labels))
    np.fill_diagonal(counts, 0)
    own, other = divmod(int(counts.argmax()), len(labels))
    if counts[own, other] < max(ONE_WAY * counts.sum(), 1):
        return "", own, other
    return (
        f" Most errors go one way: {counts[own, other]} of {counts.sum()} are {labels[own]} posts "
        f"taken for {labels[other]}.",
        own,
        other,
    )


@dataclass(frozen=True)
class Sureness:
    """How sure a classifier is and how right: as it is, and at a temperature."""

    own: Calibration
    perfect: Perfect
    temperature: float
    cooled: Calibration
    by_slice: Mapping[str, Calibration]


def sureness(
    test: np.ndarray,
    truth: np.ndarray,
    validation: np.ndarray,
    validation_truth: np.ndarray,
    slices: np.ndarray | None,
    seed: int,
) -> Sureness:
    """From logits (posts, classes) and class indices of the test and the validation posts."""
    found = temperature(validation, validation_truth)
    rows = probabilities(test)
    own = calibration(rows, truth, seed)
    by_slice = {
        str(name): calibration(rows[slices == name], truth[slices == name], seed)
        for name in (np.unique(slices) if slices is not None else ())
    }
    cooled = calibration(probabilities(test, found), truth, seed)
    return Sureness(own, perfect(rows, own.error, seed), found, cooled, by_slice)


def how_sure(found: Sureness, posts: int) -> str:
    """How sure it is against how right, in which direction, and what a temperature does to that."""
    own = found.own
    right = own.sureness - own.gap.value
    by_slice = ""
    ranked = sorted(found.by_slice.items(), key=lambda item: -item[1].gap.value)
    if len(ranked) > 1:
        ends = [f"on {name} posts {direction(each.gap)}" for name, each in (ranked[0], ranked[-1])]
        by_slice = f" {ends[0][0].upper()}{ends[0][1:]}; {ends[1]}."
    verdict = (
        "so that is more than chance"
        if found.perfect.p_value <= NOTICED
        else "so over all posts no fault is visible"
    )
    moved = found.cooled.error - own.error
    effect = (
        "leaves that error at"
        if abs(moved) < 5e-4
        else f"{'raises' if moved > 0 else 'lowers'} that error to"
    )
    return (
        f"On average it is {percent(own.sureness)} sure and right on {percent(right)}: "
        f"{direction(own.gap)}.{by_slice} Calibration error: {100 * own.error:.1f} points. With "
        f"{posts} posts even a perfectly calibrated model shows about {100 * found.perfect.mean:.1f} "
        f"(in 95 of 100 cases below {100 * found.perfect.high:.1f}), {verdict}. A temperature of "
        f"{found.temperature:.2f}, fitted on the validation posts, {effect} "
        f"{100 * found.cooled.error:.1f}."
    )


def direction(gap: Estimate) -> str:
    """Too sure or not sure enough, by how many points."""
    if gap.low > 0:
        return f"it is {points(gap)} too sure"
    if gap.high < 0:
        return f"it is {points(gap, -1)} not sure enough"
    value, low, high = (100 * number for number in (gap.value, gap.low, gap.high))
    return f"its confidence fits (difference {value:+.1f} points, {low:+.1f} to {high:+.1f})"
