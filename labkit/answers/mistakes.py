"""Where a method goes wrong: by slice of the corpus, and post by post."""

import numpy as np

from labkit.answers.model import Mistake, Mistakes, Table, percent_interval
from labkit.evaluation import Evaluation, probabilities
from labkit.lab import Lab
from labkit.statistics import Estimate, accuracy

SHOWN = 5
SHARPNESS = 20.0  # cosines differ little; scaled up so that the confidences spread out


def slice_accuracies(lab: Lab, evaluation: Evaluation) -> dict[str, tuple[int, Estimate]]:
    """Posts and accuracy by slice of the test split; empty where the corpus has no slices."""
    if "slice" not in lab.splits.test.column_names:
        return {}
    slices = np.asarray(lab.splits.test["slice"])
    return {
        str(name): (
            int((slices == name).sum()),
            accuracy(evaluation.correct[0][slices == name]),
        )
        for name in np.unique(slices)
    }


def slice_table(evaluation: Evaluation, slices: dict[str, tuple[int, Estimate]]) -> Table:
    """Accuracy by slice, worst first."""
    ranked = sorted(slices.items(), key=lambda item: item[1][1].value)
    return Table(
        f"Accuracy by slice: {evaluation.name}",
        ("slice", "posts", "accuracy (95 % interval)"),
        tuple((name, str(n), percent_interval(estimate)) for name, (n, estimate) in ranked),
    )


def confident_mistakes(lab: Lab, evaluation: Evaluation, scores: np.ndarray) -> Mistakes:
    """The posts that a method got wrong with the highest confidence.

    Of a method that was drawn several times, the first draw's.
    """
    if scores.ndim == 3:
        scores = scores[0]
    if evaluation.method == "label_similarity":
        scores = probabilities(SHARPNESS * scores)
    elif evaluation.method == "fine_tuned":
        scores = probabilities(scores)
    labels, truth = lab.splits.labels, lab.truth["test"]
    predicted = evaluation.predicted[0]
    confidence = scores.max(axis=1)
    wrong = np.flatnonzero(predicted != truth)
    rows = wrong[np.argsort(-confidence[wrong], kind="stable")][:SHOWN]
    return Mistakes(
        f"Most confident mistakes: {evaluation.name}",
        tuple(
            Mistake(
                lab.splits.test[int(row)]["text"],
                labels[truth[row]],
                labels[predicted[row]],
                float(confidence[row]),
            )
            for row in rows
        ),
    )
