"""Exercise 2: zero-shot classification.

No training example is used. One method compares a post's embedding with that of each label's
description. The other turns each label into a claim ("This example is about baseball.") and asks
an entailment model whether the post supports it, as transformers' `zero-shot-classification`
pipeline does. On the base checkpoint that model's head has never been trained, so its accuracy is
measured over many random heads.

Question: What accuracy does zero-shot get? Where does it make mistakes?
"""

import numpy as np
import pytest
from scipy import stats

from labkit.evaluation.intervals import cochran_q
from labkit.evaluation.metrics import ZERO_SHOT, evaluate_untrained
from labkit.report.wording import percent

pytestmark = pytest.mark.exercise("zero_shot")
BEYOND_DOUBT = 0.001  # a p-value; no run of the lab should be red by chance


@pytest.fixture(scope="module")
def untrained(lab, posts, baselines, zero_shot):
    """Every method that no post has trained, by name."""
    return evaluate_untrained(posts, lab.settings["seed"], baselines, zero_shot)


@pytest.fixture(params=ZERO_SHOT, ids=[method.replace("_", "-") for method in ZERO_SHOT])
def evaluation(request, untrained):
    if request.param not in untrained:
        pytest.skip("this profile has no checkpoint with a trained NLI head")
    return untrained[request.param]


def test_every_post_gets_one_of_the_labels(posts, evaluation):
    assert evaluation.predicted.shape == (len(posts.test),)
    assert np.isin(evaluation.predicted, range(len(posts.labels))).all()


def test_accuracy_lies_in_its_interval(evaluation):
    estimate = evaluation.accuracy
    assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1


@pytest.fixture(scope="module")
def heads(untrained):
    """Whether each untrained head is right on each post: (heads, posts)."""
    return untrained["untrained_nli"].all_correct


def test_an_untrained_head_says_nothing_on_average(posts, heads):
    """A head with its last layer's signs turned is as likely a draw and right where it was wrong.

    So with two labels heads are right on half of the posts on average; a t-test on their
    accuracies finds nothing else.
    """
    if len(posts.labels) > 2:
        pytest.skip("a head and its mirror image cancel out for two labels only")
    assert len(heads) >= 20
    p = stats.ttest_1samp(heads.mean(axis=1), 0.5).pvalue
    assert p > BEYOND_DOUBT, f"{percent(heads.mean())} on average, p = {p:.2g}"


def test_one_untrained_head_differs_from_the_next_by_luck(heads):
    """Heads are right on different numbers of the very same posts, beyond sampling error.

    Cochran's Q asks whether their accuracies could be equal and differ only through which posts
    are in the test split. They are not: the accuracy of one head says how it was drawn.
    """
    if heads.shape[1] < 100:
        pytest.skip("with so few test posts the sampling error hides how heads differ")
    p = cochran_q(heads)
    assert p < BEYOND_DOUBT, f"the accuracies of {len(heads)} heads could be equal, p = {p:.2g}"


def test_gate(answer, gate):
    answer.check(gate)
