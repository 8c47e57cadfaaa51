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

from labkit.evaluation import ZERO_SHOT
from labkit.plugin import gate_names

pytestmark = pytest.mark.exercise("zero_shot")


@pytest.fixture(params=ZERO_SHOT, ids=[method.replace("_", "-") for method in ZERO_SHOT])
def evaluation(request, lab):
    if request.param not in lab.zero_shot_evaluations:
        pytest.skip(f"profile {lab.config.profile} has no checkpoint with a trained NLI head")
    return lab.zero_shot_evaluations[request.param]


def test_every_post_gets_one_of_the_labels(lab, evaluation):
    assert evaluation.predicted.shape[1] == len(lab.splits.test)
    assert np.isin(evaluation.predicted, range(len(lab.splits.labels))).all()


def test_accuracy_lies_in_its_interval(evaluation):
    estimate = evaluation.accuracy
    assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1


def test_an_untrained_head_says_nothing_on_average(lab):
    """The mean over random heads stays near chance: further off than 3 errors would be news."""
    if len(lab.splits.labels) > 2:
        pytest.skip("a head and its mirror image cancel out for two labels only")
    heads = lab.zero_shot_evaluations["untrained_nli"].correct.mean(axis=1)
    chance = 1 / len(lab.splits.labels)
    assert len(heads) >= 20
    assert abs(heads.mean() - chance) < 3 * heads.std(ddof=1) / np.sqrt(len(heads))


def test_one_untrained_head_differs_from_the_next_by_luck(lab):
    """Heads spread far wider than the test posts' sampling error could make them."""
    if len(lab.splits.test) < 100:
        pytest.skip("with so few test posts the sampling error hides how heads differ")
    heads = lab.zero_shot_evaluations["untrained_nli"].correct.mean(axis=1)
    sampling_error = np.sqrt(0.25 / len(lab.splits.test))
    assert heads.std(ddof=1) > 2 * sampling_error


@pytest.mark.parametrize("gate", gate_names("zero_shot"))
def test_gate(answer, gate):
    answer.check(gate)
