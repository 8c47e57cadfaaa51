"""Exercise 3: training data.

Two groups of 20 Newsgroups, baseball against space. Posts that are empty once headers and
quotations are gone are dropped and counted. The test split is the data set's own: it lies later in
time. The tokenizer is the base model's; posts are cut at a limit and padded only when a batch is
put together.

Question: How many tokens does a typical example have? What does tokenized text look like?
"""

import numpy as np
import pytest

from labkit.data.posts import SPLITS
from labkit.data.tokens import load_tokenizer

pytestmark = pytest.mark.exercise("training_data")


@pytest.fixture(params=SPLITS)
def texts(request, posts):
    return getattr(posts, request.param)


@pytest.fixture(params=SPLITS)
def split(request, tokens):
    return getattr(tokens, request.param)


@pytest.fixture(scope="module")
def tokenizer(given, base):
    return load_tokenizer((given or base).folder)


@pytest.fixture(scope="module")
def limit(lab):
    return lab.settings["max_length"]


def test_no_post_is_empty(texts):
    assert all(text.strip() for text in texts["text"])


def test_every_class_is_there(posts, texts):
    assert set(texts["label"]) == set(range(len(posts.labels)))


def test_train_and_validation_have_the_same_balance(posts):
    shares = [
        np.bincount(labels, minlength=len(posts.labels)) / len(labels)
        for labels in (posts.truth.train, posts.truth.validation)
    ]
    assert shares[0] == pytest.approx(shares[1], abs=1 / len(posts.validation))


def test_every_dropped_post_is_counted(posts):
    cleaning = posts.cleaning
    if cleaning.set_aside:
        expected = round((cleaning.loaded["train"] - cleaning.empty["train"]) / 5)
    else:
        expected = cleaning.loaded["test"] - cleaning.empty["test"]
    assert len(posts.test) == expected


def test_sequences_start_with_cls_and_end_with_sep(tokenizer, split):
    cls, sep = tokenizer.cls_token_id, tokenizer.sep_token_id
    assert all(ids[0] == cls and ids[-1] == sep for ids in split["input_ids"])


def test_sequences_fit_the_limit(limit, split):
    assert max(map(len, split["input_ids"])) <= limit


def test_length_is_the_one_before_truncation(limit, split):
    for ids, length in zip(split["input_ids"], split["length"], strict=True):
        assert len(ids) == min(length, limit)


def test_decoding_gives_the_text_that_encodes_alike(tokenizer, limit, split):
    """What the tokenizer drops (case, accents, white space) is dropped once and for all."""
    for ids in split["input_ids"][:20]:
        text = tokenizer.decode(ids, skip_special_tokens=True)
        again = tokenizer(text, truncation=True, max_length=limit)["input_ids"]
        assert tokenizer.decode(again, skip_special_tokens=True) == text


def test_gate(answer, gate):
    answer.check(gate)
