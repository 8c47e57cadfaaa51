"""Exercise 5: compare.

Every method on the same test posts: always the most frequent class, words alone (TF-IDF), zero-shot,
a linear classifier on the frozen embeddings, and the fine-tuned model. Then the classes in
embedding space before and after: measured with the silhouette in the full space, drawn with t-SNE.

Question: How clearly separated are the classes in embedding space?
"""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from labkit.answers.model import percent
from labkit.evaluation import METHODS, ZERO_SHOT
from labkit.plugin import gate_names

pytestmark = pytest.mark.exercise("compare")


@pytest.fixture(params=METHODS, ids=[method.replace("_", "-") for method in METHODS])
def evaluation(request, lab):
    if request.param not in lab.evaluations:
        pytest.skip(f"profile {lab.config.profile} has no checkpoint with a trained NLI head")
    return lab.evaluations[request.param]


def test_numbers_are_those_of_scikit_learn(lab, evaluation):
    truth, labels = lab.truth["test"], range(len(lab.splits.labels))
    accuracies = [accuracy_score(truth, draw) for draw in evaluation.predicted]
    f1s = [
        f1_score(truth, draw, average="macro", labels=labels, zero_division=0)
        for draw in evaluation.predicted
    ]
    assert evaluation.accuracy.value == pytest.approx(np.mean(accuracies))
    assert evaluation.macro_f1.value == pytest.approx(np.mean(f1s))


def test_it_is_at_least_as_good_as_the_majority(lab, evaluation):
    if evaluation.method in ZERO_SHOT:
        pytest.skip("it knows nothing of the classes' sizes; a gate of exercise 2 judges it")
    own, majority = (e.accuracy.value for e in (evaluation, lab.evaluations["majority"]))
    assert own >= majority, f"{evaluation.name} {percent(own)}, majority {percent(majority)}"


@pytest.mark.parametrize("when", ["before", "after"])
def test_no_shuffle_of_the_labels_stands_further_apart(lab, when):
    """Among very few posts a shuffle can fall on the true labels, so a tie is no failure."""
    own, shuffled = lab.separations[when]["silhouette"], lab.separations[when]["null_high"]
    assert own >= shuffled - 1e-9, f"silhouette {own:.4f}, of shuffled labels up to {shuffled:.4f}"


@pytest.mark.parametrize("when", ["before", "after"])
def test_the_plane_has_every_sampled_post(lab, when):
    assert lab.planes[when].shape == (len(lab.planes["rows"]), 2)
    assert np.isfinite(lab.planes[when]).all()


@pytest.mark.parametrize("gate", gate_names("compare"))
def test_gate(answer, gate):
    if gate in answer.not_applicable:
        pytest.skip(answer.not_applicable[gate])
    answer.check(gate)
