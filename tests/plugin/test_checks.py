"""The checks of any classifier pass what is sound, and each catches the fault it is there for."""

import itertools
from typing import Any, cast

import numpy as np
import pytest

from labkit import checks
from labkit.checks import check_classifier, parametrize_with_checks

CALLS = itertools.count()


def sound(texts):
    """How much of a text is vowels, against the rest."""
    share = [sum(c in "aeiou" for c in text.strip()) / max(1, len(text.strip())) for text in texts]
    return np.array([[s, 1 - s] for s in share])


def lost_for_the_empty(texts):
    return np.array([[np.nan, np.nan] if not text else [0.5, 0.5] for text in texts])


def unbounded(texts):
    return np.array([[1.5, -0.5] for _ in texts])


def logits(texts):
    return np.array([[0.4, 0.4] for _ in texts])


def flat(texts):
    return np.array([0.5 for _ in texts])


def batch_wise(texts):
    longest = max(map(len, texts))
    share = np.array([len(text) / max(1, longest) for text in texts])
    return np.stack([share, 1 - share], axis=1)


def place_wise(texts):
    share = np.arange(len(texts)) / (2 * len(texts))
    return np.stack([share, 1 - share], axis=1)


def moody(texts):
    share = sound(texts)[:, 0] * (1 - 1e-6 * next(CALLS))
    return np.stack([share, 1 - share], axis=1)


def by_first_letter(texts):
    share = np.array([text[:1].isspace() for text in texts], dtype=float)
    return np.stack([share, 1 - share], axis=1)


def more_for_the_long(texts):
    return np.full((len(texts), 3 if max(map(len, texts)) > 4000 else 2), 1 / 2)


@parametrize_with_checks([sound])
def test_a_sound_classifier_passes(classifier, check):
    check(classifier)


@pytest.mark.parametrize(
    ("classifier", "check", "message"),
    [
        (lost_for_the_empty, checks.check_any_text, "a text of empty: a probability is not finite"),
        (unbounded, checks.check_any_text, "not between 0 and 1"),
        (logits, checks.check_any_text, r"they sum to \[0.8"),
        (flat, checks.check_any_text, r"4 texts gave an array of shape \(4,\)"),
        (more_for_the_long, checks.check_any_text, "they sum to|has 3 classes"),
        (batch_wise, checks.check_batch, "in a batch and alone"),
        (place_wise, checks.check_order, "in one order and in the other"),
        (moody, checks.check_determinism, "the first time and the second"),
        (by_first_letter, checks.check_white_space, "with white space around it and without"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_fault_is_caught_by_its_check(classifier, check, message):
    with pytest.raises(AssertionError, match=message):
        check(classifier)
    with pytest.raises(AssertionError):
        check_classifier(classifier)


def test_all_checks_run_one_by_one_or_together():
    mark = parametrize_with_checks([sound, sound])
    assert len(mark.args[1]) == 2 * len(checks.CHECKS)
    check_classifier(sound)


def test_what_is_no_classifier_is_said():
    with pytest.raises(TypeError, match="42 is no classifier: give a folder, a pipeline"):
        check_classifier(cast(Any, 42))


@pytest.fixture(scope="module")
def folder(tmp_path_factory, tiny_checkpoint):
    """A classifier with a head that nobody trained."""
    from labkit.data.tokens import load_tokenizer
    from labkit.model.checkpoints import load_classifier

    path = tmp_path_factory.mktemp("checks") / "classifier"
    load_classifier(tiny_checkpoint, ("one", "other")).save_pretrained(path)
    load_tokenizer(tiny_checkpoint).save_pretrained(path)
    return path


@pytest.mark.parametrize("check", checks.CHECKS, ids=lambda check: check.__name__)
def test_a_folder_and_its_pipeline_pass(folder, check):
    from transformers import pipeline

    check(folder)
    check(pipeline("text-classification", model=str(folder)))


def test_a_head_that_is_not_saved_is_caught(folder, monkeypatch):
    from transformers import pipeline

    model = pipeline("text-classification", model=str(folder))
    forgets = type(model).save_pretrained

    def save(self, path, **more):
        forgets(self, path, **more)
        self.model.classifier.bias.data[0] += 1.0
        self.model.save_pretrained(path)

    monkeypatch.setattr(type(model), "save_pretrained", save)
    with pytest.raises(AssertionError, match="before it was saved and after"):
        checks.check_round_trip(model)
