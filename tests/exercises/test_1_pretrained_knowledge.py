"""Exercise 1: what a pre-trained model already knows.

DistilBERT was trained to fill in masked words, never to tell topics apart. Averaged over the
tokens of a sentence and scaled to unit length, its hidden states are an embedding; the cosine of
the angle between two embeddings says how alike the model finds the sentences.

Question: How similar are the embeddings of two sentences about the same topic?
"""

import numpy as np
import pytest

from labkit.evaluation.similarity import cosine_similarity, nearest_topic_share, pair_similarities
from labkit.report.wording import percent

pytestmark = pytest.mark.exercise("pretrained_knowledge")


@pytest.fixture(scope="module")
def similarity(probes):
    return cosine_similarity(probes.embeddings, probes.embeddings)


@pytest.fixture(scope="module")
def topics(probes):
    return np.array(probes.topics)


def test_embeddings_have_unit_length(probes):
    assert np.linalg.norm(probes.embeddings, axis=1) == pytest.approx(1, abs=1e-5)


def test_a_sentence_is_most_similar_to_itself(similarity):
    assert (similarity.argmax(axis=1) == np.arange(len(similarity))).all()


def test_same_topic_beats_different_topic_on_average(similarity, topics):
    same, different = pair_similarities(similarity, topics)
    assert same.mean() > different.mean(), (
        f"mean cosine {same.mean():.3f} within a topic, {different.mean():.3f} between topics"
    )


@pytest.mark.parametrize("number", range(6), ids=lambda number: f"pair-{number + 1}")
def test_same_topic_beats_different_topic_pair_by_pair(probes, similarity, topics, number):
    """Both sentences of a pair are closer to each other than to a pair of another topic."""
    if not probes.curated:
        pytest.skip("these labels bring no curated pairs; the gap is measured on drawn posts")
    pairs = [np.flatnonzero(topics == t)[2 * number : 2 * number + 2] for t in np.unique(topics)]
    for own in pairs:
        rivals = np.concatenate([pair for pair in pairs if pair is not own])
        pair, nearest = similarity[own[0], own[1]], similarity[np.ix_(own, rivals)].max()
        assert pair > nearest, (
            f"cosine {pair:.3f} within the pair, {nearest:.3f} with one of another topic: "
            f"{[probes.texts[i] for i in own]}"
        )


def test_most_nearest_neighbours_share_the_topic(similarity, topics):
    share, chance = nearest_topic_share(similarity, topics), 1 / len(np.unique(topics))
    assert share > chance, f"{percent(share)} share it, by chance {percent(chance)} would"


def test_gate(answer, gate):
    answer.check(gate)
