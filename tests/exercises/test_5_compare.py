"""Exercise 5: compare.

What you see: Every method on the same test posts: always the most frequent class, words alone
(TF-IDF), zero-shot, a linear classifier on the frozen embeddings, and the fine-tuned model. Then
the classes in embedding space before and after fine-tuning.

The silhouette measures how clearly the classes stand apart, in the full space with all its
dimensions. For each post: `own` is the mean distance to the posts of its own class, `other` to
those of the nearest other class, and (other - own) / max(other, own) is its silhouette. 1 means
tight, distant groups; 0 means that the classes overlap; below 0 a post is nearer to another class.

t-SNE draws the same posts in a plane. It keeps neighbours together. Sizes of groups, distances
between groups and directions mean little, so nothing is measured in the plane.

Predict first: Fine-tuning raises the accuracy by some points. Will the silhouette reach 1, or come
past 0.5? Will fine-tuning beat logistic regression on the frozen embeddings? Then look:

    pytest -k compare -v

Question: How clearly separated are the classes in embedding space?
"""

import numpy as np
import pytest
from sklearn.metrics import silhouette_score

from labkit.evaluation.metrics import METHODS, ZERO_SHOT
from labkit.report.wording import percent

pytestmark = pytest.mark.exercise("compare")


@pytest.fixture(params=METHODS, ids=[method.replace("_", "-") for method in METHODS])
def evaluation(request, evaluations):
    if request.param not in evaluations:
        pytest.skip("this profile has no checkpoint with a trained NLI head")
    return evaluations[request.param]


def test_silhouette_of_four_points_by_hand():
    """Two classes of two points each; all four points have the same silhouette by symmetry."""
    points = np.array([[0, 0], [0, 1], [3, 0], [3, 1]])
    classes = np.array([0, 0, 1, 1])

    own = 1.0  # from (0, 0) to (0, 1), the other point of its class
    other = (3 + np.sqrt(3**2 + 1)) / 2  # the mean distance to (3, 0) and (3, 1)
    silhouette = (other - own) / max(other, own)

    assert silhouette == pytest.approx(0.68, abs=0.01)
    assert silhouette == pytest.approx(silhouette_score(points, classes))
    mixed = silhouette_score(points, [0, 1, 0, 1])  # the same points with other labels
    assert mixed < 0


def test_it_is_at_least_as_good_as_the_majority(evaluations, evaluation):
    if evaluation.method in (*ZERO_SHOT, "best_wording"):
        pytest.skip("it knows nothing of the classes' sizes; a gate of exercise 2 judges it")
    own, majority = (e.accuracy.value for e in (evaluation, evaluations["majority"]))
    assert own >= majority, f"{evaluation.name} {percent(own)}, majority {percent(majority)}"


@pytest.mark.parametrize("when", ["before", "after"])
def test_few_shuffles_of_the_labels_stand_further_apart(separation, when):
    """Each against shuffles of its own; among very few posts one can fall on the true labels."""
    measured = getattr(separation, when)
    own, shuffled = measured.silhouette, measured.null_95
    assert own >= shuffled - 1e-9, f"silhouette {own:.4f}, 95 % of shuffles below {shuffled:.4f}"


def test_gate(answer, gate):
    answer.check(gate)
