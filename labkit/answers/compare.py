"""Exercise 5: all methods side by side, and the classes in embedding space before and after."""

import numpy as np
from scipy.special import softmax
from sklearn.metrics import precision_recall_fscore_support

from labkit.answers.behaviours import behaviour_table, behaviour_values, flip_table, flip_texts
from labkit.answers.mistakes import (
    confident_mistakes,
    explained_table,
    slice_accuracies,
    slice_table,
    weak_table,
)
from labkit.data.posts import Posts
from labkit.evaluation.findings import DataChecks, Mistaken
from labkit.evaluation.intervals import Estimate, calibration, confusion
from labkit.evaluation.metrics import Draws, Evaluation, Evaluations, best_zero_shot
from labkit.evaluation.outcomes import Outcome
from labkit.evaluation.separation import Separations
from labkit.model.predictions import Predictions
from labkit.report.answer import Answer
from labkit.report.blocks import Table
from labkit.report.plots import methods as plots
from labkit.report.plots.embeddings import embedding_planes
from labkit.report.wording import percent, percent_interval, with_interval


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
    labels, truth = posts.labels, posts.truth.test
    logits = predictions.logits.test
    tuned, zero_shot = evaluations["fine_tuned"], best_zero_shot(evaluations)
    before, after = separation.before, separation.after
    probe = evaluations["embedding_logistic"]
    slices = slice_accuracies(posts, tuned)
    sureness = calibration(softmax(logits.astype(np.float64), axis=-1), truth, seed)
    matrices = {
        evaluation.name: confusion(truth, evaluation.predicted, len(labels))
        for evaluation in (zero_shot, tuned)
    }
    values = {
        "silhouette_before": before.silhouette,
        "silhouette_after": after.silhouette,
        "silhouette_gain": after.silhouette - before.silhouette,
        "silhouette_null_high": after.null_high,
        "silhouette_after_p": after.p_value,
        **with_interval("calibration_error", sureness.error),
        **behaviour_values(behaviours),
    }
    for method, evaluation in evaluations.items():
        values |= with_interval(f"{method}_accuracy", evaluation.accuracy)
        values |= with_interval(f"{method}_macro_f1", evaluation.macro_f1)
    return Answer(
        "compare",
        f"silhouette {before.silhouette:.2f} before, {after.silhouette:.2f} after",
        f"The silhouette of the classes in the full embedding space, over "
        f"{sampled(len(separation.rows), len(truth))}, goes from "
        f"{before.silhouette:.2f} before to {after.silhouette:.2f} after fine-tuning "
        f"(1 is perfect, 0 is none; shuffled labels reach {after.null_high:.2f} at most). "
        f"Logistic regression on the frozen embeddings already gets "
        f"{percent_interval(probe.accuracy)}, fine-tuning {percent_interval(tuned.accuracy)}. "
        f"{worst_slice(slices)}How sure the fine-tuned model is and how often it is right differ "
        f"by {100 * sureness.error.value:.1f} points on average.",
        values,
        (
            plots.comparison(list(evaluations.values())),
            comparison_table(list(evaluations.values())),
            plots.confusion_pair(matrices, labels),
            classification_report(tuned, truth, labels),
            *([slice_table(tuned, slices)] if slices else []),
            embedding_planes(
                {"before": separation.plane_before, "after": separation.plane_after},
                {"before": before.silhouette, "after": after.silhouette},
                truth[separation.rows],
                labels,
            ),
            confident_mistakes(posts, tuned, logits),
            *explained_table(posts, mistakes.surest, data_checks),
            *weak_table(mistakes.weak),
            plots.reliability(sureness, tuned.name),
            behaviour_table(behaviours),
            *flip_table(behaviours, labels),
            *flip_texts(behaviours, labels),
        ),
    )


def sampled(rows: int, posts: int) -> str:
    """How many of the test posts the separation is measured on, and how they were chosen."""
    if rows == posts:
        return f"all {posts} test posts"
    return f"{rows} of the {posts} test posts drawn at random"


def worst_slice(slices: dict[str, tuple[int, Estimate]]) -> str:
    """A sentence on the slice with the lowest accuracy; empty where the corpus has no slices."""
    if not slices:
        return ""
    name, (posts, estimate) = min(slices.items(), key=lambda item: item[1][1].value)
    return f"Its worst slice is {name}: {percent(estimate.value)} of {posts} posts. "


def comparison_table(evaluations: list[Evaluation | Draws]) -> Table:
    """Accuracy and macro F1 of every method with intervals, best first."""
    ranked = sorted(evaluations, key=lambda evaluation: -evaluation.accuracy.value)
    return Table(
        "Every method on the test posts",
        ("method", "accuracy (95 % interval)", "macro F1 (95 % interval)"),
        tuple(
            (
                evaluation.name,
                percent_interval(evaluation.accuracy),
                f"{evaluation.macro_f1.value:.3f} ({evaluation.macro_f1.low:.3f} to "
                f"{evaluation.macro_f1.high:.3f})",
            )
            for evaluation in ranked
        ),
        best=0,
    )


def classification_report(
    evaluation: Evaluation | Draws, truth: np.ndarray, labels: tuple[str, ...]
) -> Table:
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
    )
