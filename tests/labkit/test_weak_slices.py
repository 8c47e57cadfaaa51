"""A weak slice that is planted is found, and where there is none, none is found."""

import random

import numpy as np
import pytest

from labkit.answers.mistakes import weak_table
from labkit.evaluation.weak_slices import find_weak_slices
from tests.subjects import LABELS, TOPIC_WORDS, make_post

POSTS = 400


def subject(seed: int) -> tuple[list[str], np.ndarray]:
    """Posts, and embeddings (posts, 8) that tell the classes apart."""
    rng = random.Random(seed)
    texts = [make_post(LABELS[i % 2], rng) for i in range(POSTS)]
    texts = [f"{text} {text}" if rng.random() < 0.2 else text for text in texts]
    noise = np.random.default_rng(seed).normal(size=(POSTS, 8))
    return texts, noise + 3 * (np.arange(POSTS) % 2)[:, None]


def errs(where: np.ndarray, seed: int, inside: float = 0.6, outside: float = 0.05) -> np.ndarray:
    """Right or wrong by post: wrong at these rates inside and outside of a slice."""
    return np.random.default_rng(seed).random(POSTS) >= np.where(where, inside, outside)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_word_on_which_a_model_fails_is_found_first(seed):
    texts, vectors = subject(seed)
    word = TOPIC_WORDS[LABELS[1]][seed]
    has = np.array([word in text.split() for text in texts])
    worst = find_weak_slices(texts, vectors, errs(has, seed), seed)[0]
    assert worst.rule == f"has the word {word!r}"
    assert worst.posts == has.sum()
    assert worst.errors.low > worst.elsewhere


def test_long_posts_on_which_a_model_fails_are_found():
    texts, vectors = subject(1)
    long = np.array([len(text.split()) > 12 for text in texts])
    rules = [found.rule for found in find_weak_slices(texts, vectors, errs(long, 1), 1)]
    assert "at least 24 words" in rules


def test_a_region_of_the_embeddings_in_which_a_model_fails_is_found():
    texts, vectors = subject(1)
    region = np.zeros(POSTS, dtype=bool)
    region[::7] = True
    vectors[region] += 20
    rules = [found.rule for found in find_weak_slices(texts, vectors, errs(region, 1), 1)]
    assert any(rule.startswith("is like") for rule in rules)


def test_where_errors_fall_anywhere_a_slice_is_found_in_one_of_twenty_runs_at_most():
    """Of 60 draws; more than 7 would be fewer than one in a hundred times if it were 5 %."""
    texts, vectors = subject(1)
    nowhere = np.zeros(POSTS, dtype=bool)
    alarms = sum(
        bool(find_weak_slices(texts, vectors, errs(nowhere, seed, outside=0.15), seed))
        for seed in range(60)
    )
    assert alarms <= 7


def test_no_posts_and_no_mistakes_have_no_weak_slice():
    texts, vectors = subject(1)
    assert find_weak_slices(texts, vectors, np.ones(POSTS, dtype=bool), 1) == ()
    assert find_weak_slices(["a"], np.zeros((1, 8)), np.zeros(1, dtype=bool), 1) == ()
    assert weak_table(()) == []


def test_the_table_says_how_much_worse():
    texts, vectors = subject(1)
    has = np.array(["probe" in text.split() for text in texts])
    (table,) = weak_table(find_weak_slices(texts, vectors, errs(has, 1), 1))
    assert table.rows[0][0] == "has the word 'probe'"
