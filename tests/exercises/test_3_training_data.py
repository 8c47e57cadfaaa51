"""Exercise 3: training data.

Two groups of 20 Newsgroups, baseball against space. Posts that are empty once headers and
quotations are gone are dropped and counted. The test split is the data set's own: it lies later in
time. The tokenizer is the base model's; posts are cut at a limit and padded only when a batch is
put together.

Question: How many tokens does a typical example have? What does tokenized text look like?
"""

import numpy as np
import pytest

from labkit import corpus_checks
from labkit.plugin import gate_names

pytestmark = pytest.mark.exercise("training_data")
SPLITS = ("train", "validation", "test")


@pytest.fixture(params=SPLITS)
def split(request, lab):
    return getattr(lab.tokens, request.param)


@pytest.fixture(scope="module")
def corpus(lab, answer):
    """The posts of the lab's own corpus, all splits; measures the answer, but trains nothing."""
    if lab.config.data.source != "labkit:corpus":
        pytest.skip(
            f"the data are {lab.config.data.name}; these are promises of labkit's own corpus"
        )
    return corpus_checks.read_posts(lab.data_folder)


def test_no_post_is_empty(split):
    assert all(text.strip() for text in split["text"])


def test_every_class_is_there(lab, split):
    assert set(split["label"]) == set(range(len(lab.splits.labels)))


def test_train_and_validation_have_the_same_balance(lab):
    shares = [
        np.bincount(lab.truth[name], minlength=len(lab.splits.labels)) / len(lab.truth[name])
        for name in ("train", "validation")
    ]
    assert shares[0] == pytest.approx(shares[1], abs=1 / len(lab.truth["validation"]))


def test_every_dropped_post_is_counted(lab):
    cleaning = lab.splits.cleaning
    if cleaning.set_aside:
        expected = round((cleaning.loaded["train"] - cleaning.empty["train"]) / 5)
    else:
        expected = cleaning.loaded["test"] - cleaning.empty["test"]
    assert len(lab.splits.test) == expected


def test_sequences_start_with_cls_and_end_with_sep(lab, split):
    cls, sep = lab.tokenizer.cls_token_id, lab.tokenizer.sep_token_id
    assert all(ids[0] == cls and ids[-1] == sep for ids in split["input_ids"])


def test_sequences_fit_the_limit(lab, split):
    assert max(map(len, split["input_ids"])) <= lab.config.recipe.max_length


def test_length_is_the_one_before_truncation(lab, split):
    limit = lab.config.recipe.max_length
    for ids, length in zip(split["input_ids"], split["length"], strict=True):
        assert len(ids) == min(length, limit)


def test_decoding_gives_the_text_that_encodes_alike(lab, split):
    """What the tokenizer drops (case, accents, white space) is dropped once and for all."""
    limit = lab.config.recipe.max_length
    for ids in split["input_ids"][:20]:
        text = lab.tokenizer.decode(ids, skip_special_tokens=True)
        again = lab.tokenizer(text, truncation=True, max_length=limit)["input_ids"]
        assert lab.tokenizer.decode(again, skip_special_tokens=True) == text


@pytest.mark.parametrize("check", corpus_checks.CHECKS)
def test_the_corpus_keeps_its_promise(corpus, check):
    """Findings by name: no duplicates, no give-away, exact balance, slices large enough, ..."""
    assert corpus_checks.CHECKS[check](corpus) == []


@pytest.mark.parametrize("gate", gate_names("training_data"))
def test_gate(answer, gate):
    answer.check(gate)
