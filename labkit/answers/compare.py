"""Exercise 5: all methods side by side, and the classes in embedding space before and after."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from sklearn.metrics import precision_recall_fscore_support

from labkit.answers import verdicts
from labkit.answers.behaviours import behaviour_table, behaviour_values, flip_table, flip_texts
from labkit.answers.mistakes import (
    confident_mistakes,
    explained_table,
    slice_accuracies,
    slice_table,
    weak_table,
)
from labkit.data.posts import Posts
from labkit.evaluation.calibration import Calibration
from labkit.evaluation.comparison import Paired, against, all_against
from labkit.evaluation.findings import DataChecks, Mistaken
from labkit.evaluation.intervals import confusion
from labkit.evaluation.metrics import PROBE, Draws, Evaluations, Method
from labkit.evaluation.outcomes import Outcome
from labkit.evaluation.separation import Separations
from labkit.model.predictions import Predictions, probabilities
from labkit.report.answer import Answer
from labkit.report.blocks import Block, Point, Table
from labkit.report.plots import methods as plots
from labkit.report.plots.embeddings import embedding_planes
from labkit.report.wording import paragraphs, percent, with_interval


def answer(
    posts: Posts,
    evaluations: Evaluations,
    predictions: Predictions,
    separation: Separations,
    behaviours: tuple[Outcome, ...],
    mistakes: Mistaken,
    data_checks: DataChecks,
    seed: int,
) -> Answer:
    labels, truth = posts.labels, posts.truth
    logits = predictions.logits
    tuned = evaluations["fine_tuned"]
    found = verdicts.sureness(
        logits.test, truth.test, logits.validation, truth.validation, posts.slices, seed
    )
    before, after = separation.before.silhouette, separation.after.silhouette
    by_slice = slice_accuracies(posts, tuned)
    blocks: list[Block] = [
        plots.comparison(list(evaluations.values())),
        plots.confusion_matrix(
            tuned.name, confusion(truth.test, tuned.predicted, len(labels)), labels
        ),
        embedding_planes(
            {"before": separation.plane_before, "after": separation.plane_after},
            {"before": before, "after": after},
            points(posts, separation.rows, probabilities(logits.test)),
            labels,
        ),
        replace(plots.reliability(found.own, tuned.name), folded=True),
        *([slice_table(tuned, by_slice)] if by_slice else []),
        confident_mistakes(posts, tuned, logits.test),
        *explained_table(posts, mistakes.surest, data_checks),
        *weak_table(mistakes.weak),
        comparison_table(evaluations, labels, seed),
        paired_table(all_against(evaluations, PROBE, seed), evaluations[PROBE]),
        sureness_table(found),
        classification_report(tuned, truth.test, labels),
        behaviour_table(behaviours),
        *flip_table(behaviours, labels),
        *flip_texts(behaviours, labels),
    ]
    return Answer(
        "compare",
        f"silhouette {before:.2f} before, {after:.2f} after",
        sentence(posts, evaluations, separation, found, seed),
        measured(evaluations, separation, found, labels, seed) | behaviour_values(behaviours),
        tuple(blocks),
    )


def measured(
    evaluations: Evaluations,
    separation: Separations,
    found: verdicts.Sureness,
    labels: Sequence[str],
    seed: int,
) -> dict[str, float]:
    """The numbers of the answer by name, those of the behaviours left out."""
    before, after = separation.before, separation.after
    tuned = evaluations["fine_tuned"]
    on_probe = against(tuned, evaluations[PROBE], seed)
    values = {
        "silhouette_before": before.silhouette,
        "silhouette_before_null_95": before.null_95,
        "silhouette_before_p": before.p_value,
        "silhouette_after": after.silhouette,
        "silhouette_after_null_95": after.null_95,
        "silhouette_after_p": after.p_value,
        "silhouette_gain": separation.gain.value,
        "silhouette_gain_low": separation.gain_beyond_null,
        **with_interval("probe_margin", on_probe.difference),
        "probe_margin_p": on_probe.p_value,
        "classes_never_predicted": len(verdicts.never_said(tuned, labels)),
        "confidence": found.own.sureness,
        **with_interval("confidence_gap", found.own.gap),
        "calibration_error": found.own.error,
        "calibration_error_of_perfect": found.perfect.mean,
        "calibration_error_p": found.perfect.p_value,
        "temperature": found.temperature,
        "calibration_error_at_temperature": found.cooled.error,
    }
    for method, evaluation in evaluations.items():
        values |= with_interval(f"{method}_accuracy", evaluation.accuracy)
        values |= with_interval(f"{method}_macro_f1", evaluation.macro_f1)
    return values


def sentence(
    posts: Posts,
    evaluations: Evaluations,
    separation: Separations,
    found: verdicts.Sureness,
    seed: int,
) -> str:
    """How far the classes stand apart, whether fine-tuning paid, what it misses, how sure it is."""
    tuned, probe = evaluations["fine_tuned"], evaluations[PROBE]
    rivals = [
        pair for pair in all_against(evaluations, "fine_tuned", seed) if pair.first != probe.name
    ]
    return paragraphs(
        verdicts.separated(separation, len(posts.test)),
        verdicts.pays(against(tuned, probe, seed), probe)
        + verdicts.others_ahead(rivals)
        + verdicts.unsaid(tuned, posts.labels)
        + verdicts.by_macro_f1(evaluations),
        verdicts.how_sure(found, len(posts.test)),
    )


def points(posts: Posts, rows: np.ndarray, sure: np.ndarray) -> list[Point]:
    """The test posts in these rows with what the model says: probabilities `sure` (posts, classes)."""
    slices = [""] * len(posts.test) if posts.slices is None else posts.slices.tolist()
    texts, truth = posts.test["text"], posts.truth.test
    return [
        Point(
            " ".join(texts[row].split()),
            int(truth[row]),
            int(sure[row].argmax()),
            float(sure[row].max()),
            slices[row],
            (),
        )
        for row in map(int, rows)
    ]


def comparison_table(evaluations: Evaluations, labels: Sequence[str], seed: int) -> Table:
    """Accuracy and macro F1 of every method, best first; the first is marked where it leads alone."""
    ranked = sorted(evaluations.items(), key=lambda item: -item[1].accuracy.value)
    first = ranked[0][0]
    alone = all(pair.verdict == "worse" for pair in all_against(evaluations, first, seed))
    return Table(
        "Every method on the test posts",
        (
            "method",
            "accuracy",
            "95 % interval",
            "macro F1",
            "95 % interval",
            "classes never predicted",
        ),
        tuple(comparison_row(method, labels) for _, method in ranked),
        best=0 if alone and not isinstance(ranked[0][1], Draws) else None,
        how="The intervals cover the draw of the posts and, where the model was trained with several "
        "seeds, that of the training.",
        folded=True,
    )


def comparison_row(method: Method, labels: Sequence[str]) -> tuple[str, ...]:
    """One method; of one that was drawn several times no interval, but its draws."""
    never = str(len(verdicts.never_said(method, labels)))
    shown = percent(method.accuracy.value), f"{method.macro_f1.value:.3f}"
    if isinstance(method, Draws):
        low, high = method.accuracies.min(), method.accuracies.max()
        draws = f", mean of {len(method.accuracies)} from {percent(low)} to {percent(high)}"
        return method.name + draws, shown[0], "none", shown[1], "none", never
    score, f1 = method.accuracy, method.macro_f1
    return (
        method.name,
        shown[0],
        f"{100 * score.low:.1f} to {100 * score.high:.1f}",
        shown[1],
        f"{f1.low:.3f} to {f1.high:.3f}",
        never,
    )


def paired_table(pairs: Sequence[Paired], probe: Method) -> Table:
    """Every method against the probe on the same posts."""
    return Table(
        f"Against {probe.name}, on the same posts",
        ("method", "points more (95 % interval)", "only it right", "only the other", "McNemar p"),
        tuple(
            (
                pair.first,
                f"{100 * pair.difference.value:+.1f} ({100 * pair.difference.low:+.1f} to "
                f"{100 * pair.difference.high:+.1f})",
                str(pair.only_first),
                str(pair.only_second),
                f"{pair.p_value:.2g}",
            )
            for pair in pairs
        ),
        how="Two methods err on many of the same posts: only posts that exactly one of them gets right "
        "can tell them apart.",
        folded=True,
    )


def sureness_table(found: verdicts.Sureness) -> Table:
    """How sure and how right, over all posts, by slice, and at the temperature."""
    rows: Mapping[str, Calibration] = {
        "all": found.own,
        **found.by_slice,
        f"all, at temperature {found.temperature:.2f}": found.cooled,
    }
    return Table(
        "How sure the fine-tuned model is, and how right",
        ("posts", "sure", "right", "surer than right, points (95 % interval)"),
        tuple(
            (
                name,
                percent(each.sureness),
                percent(each.sureness - each.gap.value),
                f"{100 * each.gap.value:+.1f} ({100 * each.gap.low:+.1f} to "
                f"{100 * each.gap.high:+.1f})",
            )
            for name, each in rows.items()
        ),
        how="Above 0 the model is surer than it is right (over-confident), below 0 less sure "
        "(under-confident). The logits are divided by the temperature, which was fitted on the validation "
        "posts: above 1 it makes the model less sure.",
        folded=True,
    )


def classification_report(evaluation: Method, truth: np.ndarray, labels: tuple[str, ...]) -> Table:
    """Precision, recall, F1 and posts by class."""
    columns = precision_recall_fscore_support(
        truth, evaluation.predicted, labels=range(len(labels)), zero_division=0
    )
    return Table(
        f"Classification report: {evaluation.name}",
        ("class", "precision", "recall", "F1", "posts"),
        tuple(
            (label, f"{precision:.3f}", f"{recall:.3f}", f"{f1:.3f}", str(support))
            for label, precision, recall, f1, support in zip(labels, *columns, strict=True)
        ),
        how="Precision: of the posts that were given the class, the share that is of it. Recall: of "
        "the posts of the class, the share that was given it. F1 is between the two.",
        folded=True,
    )
