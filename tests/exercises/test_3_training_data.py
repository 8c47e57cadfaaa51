"""Exercise 3: training data.

What you see: Text goes into the model as numbers. The tokenizer cuts a post into tokens, each
a row number in the model's vocabulary. Rare words fall into pieces marked ##. [CLS] stands first
and [SEP] last. Posts of a batch must be equally long, so the shorter ones are filled up with [PAD],
and the attention mask says what is a token (1) and what is padding (0). Posts longer than the limit
are cut.

The posts are about baseball or about space, in three splits: `train` to learn from, `validation`
to choose the epoch by, `test` to measure at the end. The `embedded` profile has the corpus written
for this lab, divided at random within each class; `distilbert` has two groups of 20 Newsgroups, whose
test split is the data set's own and lies later in time. Empty and repeated posts are dropped and
counted.

Predict first: How many tokens does a post of 100 words have: 80, 100 or 130? Then look:

    pytest -k training_data -v

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


def test_from_a_post_to_token_ids_by_hand(tokenizer, posts, tokens, limit):
    """The first train post, as the model gets it."""
    words = tokenizer.tokenize(posts.train[0]["text"])  # pieces of words
    ids = tokenizer.convert_tokens_to_ids(words)  # their rows in the vocabulary
    ids = [tokenizer.cls_token_id, *ids[: limit - 2], tokenizer.sep_token_id]

    assert ids == tokens.train[0]["input_ids"]


def test_a_padded_batch_by_hand(tokenizer, posts, tokens, limit):
    """Four posts of different lengths become two tensors of one shape."""
    batch = tokenizer(
        posts.train[:4]["text"],
        padding=True,  # up to the longest of these four, not to the limit
        truncation=True,
        max_length=limit,
        return_tensors="pt",
    )
    ids, mask = batch["input_ids"], batch["attention_mask"]
    lengths = [len(tokens.train[row]["input_ids"]) for row in range(4)]

    assert ids.shape == mask.shape == (4, max(lengths))  # (posts, tokens)
    assert mask.sum(dim=1).tolist() == lengths  # 1 for every token
    assert (ids[mask == 0] == tokenizer.pad_token_id).all()  # 0 for padding


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


def test_gate(answer, gate):
    answer.check(gate)
