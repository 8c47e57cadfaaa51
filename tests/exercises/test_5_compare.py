"""Exercise 5: compare.

Every method on the same test posts: always the most frequent class, words alone (TF-IDF), zero-shot,
a linear classifier on the frozen embeddings, and the fine-tuned model. Then the classes in
embedding space before and after: measured with the silhouette in the full space, drawn with t-SNE.

Question: How clearly separated are the classes in embedding space?
"""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from labkit.evaluation.metrics import METHODS, ZERO_SHOT
from labkit.report.wording import percent

pytestmark = pytest.mark.exercise("compare")


@pytest.fixture(params=METHODS, ids=[method.replace("_", "-") for method in METHODS])
def evaluation(request, evaluations):
    if request.param not in evaluations:
        pytest.skip("this profile has no checkpoint with a trained NLI head")
    return evaluations[request.param]


def test_numbers_are_those_of_scikit_learn(posts, evaluation):
    """Of a method that was drawn several times, the mean over its draws."""
    truth, labels = posts.truth.test, range(len(posts.labels))
    several = getattr(evaluation, "all_predicted", [evaluation.predicted])
    accuracies = [accuracy_score(truth, draw) for draw in several]
    f1s = [
        f1_score(truth, draw, average="macro", labels=labels, zero_division=0) for draw in several
    ]
    assert evaluation.accuracy.value == pytest.approx(np.mean(accuracies))
    assert evaluation.macro_f1.value == pytest.approx(np.mean(f1s))


def test_it_is_at_least_as_good_as_the_majority(evaluations, evaluation):
    if evaluation.method in ZERO_SHOT:
        pytest.skip("it knows nothing of the classes' sizes; a gate of exercise 2 judges it")
    own, majority = (e.accuracy.value for e in (evaluation, evaluations["majority"]))
    assert own >= majority, f"{evaluation.name} {percent(own)}, majority {percent(majority)}"


@pytest.mark.parametrize("when", ["before", "after"])
def test_no_shuffle_of_the_labels_stands_further_apart(separation, when):
    """Among very few posts a shuffle can fall on the true labels, so a tie is no failure."""
    measured = getattr(separation, when)
    own, shuffled = measured.silhouette, measured.null_high
    assert own >= shuffled - 1e-9, f"silhouette {own:.4f}, of shuffled labels up to {shuffled:.4f}"


@pytest.mark.parametrize("when", ["before", "after"])
def test_the_plane_has_every_sampled_post(separation, when):
    plane = getattr(separation, f"plane_{when}")
    assert plane.shape == (len(separation.rows), 2)
    assert np.isfinite(plane).all()


def test_gate(answer, gate):
    if gate in answer.not_applicable:
        pytest.skip(answer.not_applicable[gate])
    answer.check(gate)
