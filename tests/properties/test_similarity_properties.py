"""Cosine similarity: symmetric, bounded, blind to scale, 1 with itself."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from labkit.evaluation.similarity import (
    cosine_similarity,
    nearest_topic_share,
    pair_similarities,
    topic_gap,
)
from tests.strategies import seeds

NUMBERS = st.floats(-1e3, 1e3).map(lambda x: 0.0 if abs(x) < 1e-3 else x)  # squares underflow
MATRICES = st.tuples(st.integers(1, 6), st.integers(1, 8)).flatmap(
    lambda shape: arrays.arrays(np.float64, shape, elements=NUMBERS)
)


@given(MATRICES)
def test_it_is_symmetric_and_bounded(rows):
    similarity = cosine_similarity(rows, rows)
    np.testing.assert_allclose(similarity, similarity.T, atol=1e-12)
    assert (np.abs(similarity) <= 1).all()


@given(MATRICES)
def test_a_row_is_like_itself_unless_it_is_zero(rows):
    expected = np.where(rows.any(axis=1), 1.0, 0.0)
    np.testing.assert_allclose(np.diag(cosine_similarity(rows, rows)), expected, atol=1e-12)


@given(MATRICES, st.floats(1e-3, 1e3))
def test_it_is_blind_to_scale_and_turns_with_the_sign(rows, scale):
    similarity = cosine_similarity(rows, rows)
    np.testing.assert_allclose(cosine_similarity(rows * scale, rows), similarity, atol=1e-9)
    np.testing.assert_allclose(cosine_similarity(-rows, rows), -similarity, atol=1e-12)


@given(MATRICES)
def test_it_is_the_dot_product_of_unit_rows(rows):
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit = rows / np.where(lengths > 0, lengths, 1.0)
    np.testing.assert_allclose(cosine_similarity(rows, rows), unit @ unit.T, atol=1e-12)


@given(MATRICES)
def test_it_is_computed_in_64_bits(rows):
    """Embeddings come in 32."""
    narrow = rows.astype(np.float32)
    expected = cosine_similarity(narrow.astype(np.float64), narrow.astype(np.float64))
    np.testing.assert_array_equal(cosine_similarity(narrow, narrow), expected)


@given(st.integers(2, 12), seeds())
def test_every_pair_of_sentences_counts_once(sentences, seed):
    rng = np.random.default_rng(seed)
    topics = rng.integers(0, 2, sentences)
    similarity = rng.random((sentences, sentences))
    same, different = pair_similarities(similarity, topics)
    assert len(same) + len(different) == sentences * (sentences - 1) // 2
    assert len(same) == sum(n * (n - 1) // 2 for n in np.bincount(topics))


@pytest.mark.parametrize(("within", "between"), [(0.9, 0.1), (0.1, 0.9)])
def test_topic_gap_of_two_clean_blocks(within, between):
    topics = np.repeat([0, 1], 6)
    similarity = np.where(np.equal.outer(topics, topics), within, between)
    gap = topic_gap(similarity, topics, seed=0)
    assert [gap.value, gap.low, gap.high] == pytest.approx([within - between] * 3)
    assert nearest_topic_share(similarity, topics) == (1.0 if within > between else 0.0)
