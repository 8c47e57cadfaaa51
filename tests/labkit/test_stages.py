"""What the stages give has the shape and the scale that the exercises rely on, on any subject."""

import math

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from labkit.data.posts import SPLITS
from labkit.data.tokens import load_tokenizer
from labkit.evaluation.metrics import METHODS
from labkit.evaluation.similarity import cosine_similarity


@pytest.fixture(params=SPLITS)
def split(request, tiny_lab):
    return getattr(tiny_lab.tokens, request.param)


@pytest.fixture(params=METHODS)
def evaluation(request, tiny_lab):
    if request.param == "trained_nli":
        assert request.param not in tiny_lab.evaluations  # without a trained head it is left out
        pytest.skip("the tiny lab has no checkpoint with a trained NLI head")
    return tiny_lab.evaluations[request.param]


def test_embeddings_have_unit_length(tiny_lab):
    assert np.linalg.norm(tiny_lab.probes.embeddings, axis=1) == pytest.approx(1, abs=1e-5)


def test_a_sentence_is_most_similar_to_itself(tiny_lab):
    similarity = cosine_similarity(tiny_lab.probes.embeddings, tiny_lab.probes.embeddings)
    assert np.diag(similarity) == pytest.approx(similarity.max(axis=1))


def test_every_post_gets_one_of_the_labels(tiny_lab, evaluation):
    assert evaluation.predicted.shape == (len(tiny_lab.posts.test),)
    assert np.isin(evaluation.predicted, range(len(tiny_lab.posts.labels))).all()


def test_accuracy_lies_in_its_interval(evaluation):
    estimate = evaluation.accuracy
    assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1


def test_numbers_are_those_of_scikit_learn(tiny_lab, evaluation):
    """Of a method that was drawn several times, the mean over its draws."""
    truth, labels = tiny_lab.posts.truth.test, range(len(tiny_lab.posts.labels))
    several = getattr(evaluation, "all_predicted", [evaluation.predicted])
    accuracies = [accuracy_score(truth, draw) for draw in several]
    f1s = [
        f1_score(truth, draw, average="macro", labels=labels, zero_division=0) for draw in several
    ]
    assert evaluation.accuracy.value == pytest.approx(np.mean(accuracies))
    assert evaluation.macro_f1.value == pytest.approx(np.mean(f1s))


def test_length_is_the_one_before_truncation(tiny_lab, split):
    limit = tiny_lab.settings["max_length"]
    for ids, length in zip(split["input_ids"], split["length"], strict=True):
        assert len(ids) == min(length, limit)


def test_decoding_gives_the_text_that_encodes_alike(tiny_lab, split):
    """What the tokenizer drops (case, accents, white space) is dropped once and for all."""
    tokenizer = load_tokenizer(tiny_lab.base.folder)
    limit = tiny_lab.settings["max_length"]
    for ids in split["input_ids"][:20]:
        text = tokenizer.decode(ids, skip_special_tokens=True)
        again = tokenizer(text, truncation=True, max_length=limit)["input_ids"]
        assert tokenizer.decode(again, skip_special_tokens=True) == text


def test_every_step_logged_a_finite_loss(tiny_lab):
    history = tiny_lab.fine_tuned.history
    assert len(history.step_losses) == history.steps
    assert all(math.isfinite(loss) for _, loss in history.step_losses)


@pytest.mark.parametrize("when", ["before", "after"])
def test_the_plane_has_every_sampled_post(tiny_lab, when):
    plane = getattr(tiny_lab.separation, f"plane_{when}")
    assert plane.shape == (len(tiny_lab.separation.rows), 2)
    assert np.isfinite(plane).all()
