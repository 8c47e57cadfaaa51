"""Exercise 5: all methods side by side, and the classes in embedding space before and after."""

import numpy as np
from sklearn.metrics import precision_recall_fscore_support

from labkit import evidence_plots, plots
from labkit.answers.behaviours import (
    behaviour_table,
    behaviour_values,
    counter_examples,
    not_applicable,
)
from labkit.answers.mistakes import confident_mistakes, slice_accuracies, slice_table
from labkit.answers.model import Answer, Table, percent, percent_interval, with_interval
from labkit.evaluation import Evaluation, best_zero_shot, probabilities
from labkit.lab import Lab
from labkit.statistics import Estimate, calibration, confusion


def answer(lab: Lab) -> Answer:
    labels, truth = lab.splits.labels, lab.truth["test"]
    evaluations = lab.evaluations
    tuned, zero_shot = evaluations["fine_tuned"], best_zero_shot(evaluations)
    before, after = (lab.separations[when] for when in ("before", "after"))
    probe = evaluations["embedding_logistic"]
    slices = slice_accuracies(lab, tuned)
    planes = lab.planes
    sureness = calibration(
        probabilities(lab.predictions["logits_test"]), truth, lab.config.recipe.seed
    )
    matrices = {
        evaluation.name: confusion(truth, evaluation.predicted[0], len(labels))
        for evaluation in (zero_shot, tuned)
    }
    values = {
        "silhouette_before": before["silhouette"],
        "silhouette_after": after["silhouette"],
        "silhouette_gain": after["silhouette"] - before["silhouette"],
        "silhouette_null_high": after["null_high"],
        "silhouette_after_p": after["p_value"],
        **with_interval("calibration_error", sureness.error),
        **behaviour_values(lab.behaviours),
    }
    for method, evaluation in evaluations.items():
        values |= with_interval(f"{method}_accuracy", evaluation.accuracy)
        values |= with_interval(f"{method}_macro_f1", evaluation.macro_f1)
    return Answer(
        "compare",
        f"silhouette {before['silhouette']:.2f} before, {after['silhouette']:.2f} after",
        f"The silhouette of the classes in the full embedding space, over "
        f"{sampled(len(planes['rows']), len(truth))}, goes from "
        f"{before['silhouette']:.2f} before to {after['silhouette']:.2f} after fine-tuning "
        f"(1 is perfect, 0 is none; shuffled labels reach {after['null_high']:.2f} at most). "
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
            plots.embedding_planes(
                {"before": planes["before"], "after": planes["after"]},
                {"before": before["silhouette"], "after": after["silhouette"]},
                truth[planes["rows"]],
                labels,
            ),
            confident_mistakes(lab, tuned, lab.predictions["logits_test"]),
            evidence_plots.reliability(sureness, tuned.name),
            evidence_plots.failure_rates(lab.behaviours),
            behaviour_table(lab.behaviours),
            *counter_examples(lab.behaviours, labels),
        ),
        not_applicable=not_applicable(labels),
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


def comparison_table(evaluations: list[Evaluation]) -> Table:
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
    evaluation: Evaluation, truth: np.ndarray, labels: tuple[str, ...]
) -> Table:
    """Precision, recall, F1 and posts by class."""
    columns = precision_recall_fscore_support(
        truth, evaluation.predicted[0], labels=range(len(labels)), zero_division=0
    )
    return Table(
        f"Classification report: {evaluation.name}",
        ("class", "precision", "recall", "F1", "posts"),
        tuple(
            (label, f"{precision:.3f}", f"{recall:.3f}", f"{f1:.3f}", str(support))
            for label, precision, recall, f1, support in zip(labels, *columns, strict=True)
        ),
    )
