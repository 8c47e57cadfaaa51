"""Splits: disjoint, exhaustive, stratified, the same for the same seed whatever the row order."""

from itertools import product

import datasets
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.config import Selection
from labkit.data.posts import set_test_aside, split_train_validation
from labkit.data.stratified import stratified_sample
from labkit.errors import LabError
from tests.strategies import labels, labels_and_sizes, seeds


@given(labels_and_sizes(), seeds())
def test_parts_are_disjoint_and_as_large_as_asked(case, seed):
    truth, sizes = case
    parts = stratified_sample(truth, sizes, seed)
    rows = np.concatenate(parts)
    assert tuple(map(len, parts)) == sizes
    assert len(set(rows.tolist())) == len(rows)
    assert set(rows.tolist()) <= set(range(len(truth)))


@given(labels(), st.floats(0, 1), seeds())
def test_parts_that_add_up_are_exhaustive(truth, share, seed):
    first = round(share * len(truth))
    parts = stratified_sample(truth, (first, len(truth) - first), seed)
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(truth)))


@given(labels_and_sizes(), seeds())
def test_each_class_has_its_share_within_one_post(case, seed):
    truth, sizes = case
    shares = np.bincount(truth) / len(truth)
    for part in stratified_sample(truth, sizes, seed):
        counts = np.bincount(truth[part], minlength=len(shares))
        assert (np.abs(counts - shares * len(part)) < 1).all()


@pytest.mark.parametrize("posts", range(1, 6))
def test_all_splits_of_few_posts_keep_what_is_promised(posts):
    """Every labelling of up to five posts with three classes, split in every way in two parts."""
    for labelling in product(range(3), repeat=posts):
        truth = np.array(labelling)
        shares = np.bincount(truth, minlength=3) / posts
        for sizes in product(range(posts + 1), repeat=2):
            if sum(sizes) > posts:
                continue
            parts = stratified_sample(truth, sizes, 0)
            rows = np.concatenate(parts).tolist()
            assert tuple(map(len, parts)) == sizes
            assert len(set(rows)) == len(rows), (truth, sizes)
            for part in parts:
                counts = np.bincount(truth[part], minlength=3)
                assert (np.abs(counts - shares * len(part)) < 1).all(), (truth, sizes)


@pytest.mark.parametrize(
    ("common", "rare", "sizes", "expected"),
    [
        (10, 2, (10, 2), [1, 1]),  # the larger part gives one of its two
        (18, 2, (10, 2), [1, 1]),  # the posts that are left over give their only one
        (11, 1, (10, 2), [1, 0]),  # there is but one, and it stays
        (16, 2, (12, 2), [1, 1]),
    ],
)
def test_a_rare_class_is_in_every_part_that_it_has_a_post_for(common, rare, sizes, expected):
    truth = np.repeat([0, 1], [common, rare])
    for seed in range(20):
        assert [
            int(truth[part].sum()) for part in stratified_sample(truth, sizes, seed)
        ] == expected


@given(labels_and_sizes(), seeds())
def test_the_seed_decides(case, seed):
    truth, sizes = case
    for once, again in zip(
        stratified_sample(truth, sizes, seed), stratified_sample(truth, sizes, seed), strict=True
    ):
        np.testing.assert_array_equal(once, again)


def test_another_seed_draws_other_posts():
    truth = np.arange(60) % 2
    (one,), (other,) = (stratified_sample(truth, (20,), seed) for seed in (1, 2))
    assert set(one.tolist()) != set(other.tolist())


def posts_of(truth: np.ndarray, order: list[int]) -> datasets.Dataset:
    rows = [{"text": f"post {row}", "label": int(truth[row])} for row in order]
    return datasets.Dataset.from_list(rows)


@given(labels(max_classes=3, max_size=30).filter(lambda truth: len(truth) >= 4), st.data())
def test_row_order_plays_no_part(truth, data):
    shuffled = data.draw(st.permutations(range(len(truth))))
    selection = Selection(train_size=len(truth) // 2, validation_size=len(truth) // 4)
    straight = split_train_validation("any", selection, posts_of(truth, list(range(len(truth)))))
    mixed = split_train_validation("any", selection, posts_of(truth, shuffled))
    for a, b in zip(straight, mixed, strict=True):
        assert set(a["text"]) == set(b["text"])
    assert not set(straight[0]["text"]) & set(straight[1]["text"])


@given(labels(max_classes=3, max_size=30), st.data())
def test_the_test_split_that_is_made_is_a_fifth_whatever_the_row_order(truth, data):
    shuffled = data.draw(st.permutations(range(len(truth))))
    rest, test = set_test_aside(posts_of(truth, list(range(len(truth)))), seed=3)
    assert len(test) == round(len(truth) / 5)
    assert sorted([*rest["text"], *test["text"]]) == sorted(f"post {i}" for i in range(len(truth)))
    shares = np.bincount(truth) / len(truth)
    counts = np.bincount(test["label"], minlength=len(shares))
    assert (np.abs(counts - shares * len(test)) < 1).all()
    assert set(set_test_aside(posts_of(truth, shuffled), seed=3)[1]["text"]) == set(test["text"])


@pytest.mark.parametrize(
    ("posts", "train", "validation", "expected"),
    [
        (1000, None, None, (600, 150)),
        (100, None, None, (80, 20)),
        (100, 30, None, (30, 70)),
        (1000, 30, None, (30, 150)),
        (100, None, 30, (70, 30)),
        (1000, None, 30, (600, 30)),
        (100, 60, 40, (60, 40)),
        (100, None, 1, (99, 1)),
    ],
)
def test_sizes_left_open_take_their_defaults(posts, train, validation, expected):
    selection = Selection(train_size=train, validation_size=validation)
    truth = np.arange(posts) % 2
    parts = split_train_validation("any", selection, posts_of(truth, list(range(posts))))
    assert tuple(map(len, parts)) == expected


def test_more_than_there_is_cannot_be_split_off():
    selection = Selection(train_size=6, validation_size=5)
    with pytest.raises(LabError, match="6 train and 5 validation posts asked for, 10 are there"):
        split_train_validation("any", selection, posts_of(np.arange(10) % 2, list(range(10))))


def test_no_posts_split_into_no_posts():
    assert [len(part) for part in stratified_sample(np.array([], dtype=int), (0, 0), 0)] == [0, 0]
