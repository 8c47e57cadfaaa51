"""The property tests fail on a kit that is wrong: each is run once on a sabotaged part."""

import numpy as np
import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from labkit import statistics, store
from tests.properties import (
    test_metrics_properties,
    test_model_input_properties,
    test_similarity_properties,
    test_splits_properties,
    test_store_properties,
)


def test_pooling_that_counts_padding_is_caught(monkeypatch):
    monkeypatch.setattr(
        test_model_input_properties, "mean_pool", lambda hidden, mask: hidden.mean(dim=1)
    )
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        test_model_input_properties.test_mean_pooling_ignores_padding()


def test_similarity_that_is_no_cosine_is_caught(monkeypatch):
    monkeypatch.setattr(test_similarity_properties, "cosine_similarity", lambda a, b: a @ b.T)
    with pytest.raises(AssertionError):
        test_similarity_properties.test_it_is_symmetric_and_bounded()


def test_a_split_that_takes_the_first_posts_is_caught(monkeypatch):
    def first(labels: np.ndarray, sizes: tuple[int, ...], seed: int) -> tuple[np.ndarray, ...]:
        return tuple(np.split(np.arange(len(labels)), np.cumsum(sizes))[: len(sizes)])

    monkeypatch.setattr(test_splits_properties, "stratified_sample", first)
    with pytest.raises(AssertionError):
        test_splits_properties.test_each_class_has_its_share_within_one_post()
    with pytest.raises(AssertionError):
        test_splits_properties.test_another_seed_draws_other_posts()


def test_a_macro_f1_that_counts_posts_is_caught(monkeypatch):
    monkeypatch.setattr(
        statistics, "macro_f1_of", lambda counts: np.trace(counts) / max(counts.sum(), 1)
    )
    with pytest.raises(AssertionError):
        test_metrics_properties.test_confusion_and_macro_f1_are_those_of_scikit_learn()


def test_a_store_that_believes_every_file_is_caught(monkeypatch):
    monkeypatch.setattr(store, "find_damage", lambda folder: None)
    quick = settings(
        max_examples=40,
        stateful_step_count=15,
        phases=[Phase.generate],
        report_multiple_bugs=False,
    )
    with pytest.raises((AssertionError, OSError, ValueError)):
        run_state_machine_as_test(test_store_properties.StoredModels, settings=quick)
