"""Exercise 1: what a pre-trained model already knows.

What you see: The model turns a sentence into a list of numbers, its embedding. The hidden states
of the tokens, one list of numbers for each, are averaged (mean pooling) and scaled to length 1. The cosine of the angle between
two embeddings says how alike the model finds the sentences: 1 is the same direction, 0 has
nothing in common.

What the model was trained for depends on the profile. DistilBERT (`distilbert`) learned to fill in
masked words and was never told which sentences belong together. MiniLM (`embedded`) was also
trained on pairs: two sentences that belong together were pulled close, all others pushed apart
(contrastive training). Its weights were copied into DistilBERT's layout, so one class of
Transformers, DistilBertModel, loads both. Neither has seen the labels of this lab.

Predict first: Of two sentences about one topic and two about different topics, how far apart will
the mean cosines be: 0.02, 0.2 or 0.8? Then look:

    pytest -k pretrained -v

Question: How similar are the embeddings of two sentences about the same topic?
"""

import numpy as np
import pytest

from labkit.evaluation.similarity import (
    but_paraphrases,
    cosine_similarity,
    every_pair,
    nearest_topic_share,
    pair_similarities,
)
from labkit.report.wording import percent

pytestmark = pytest.mark.exercise("pretrained_knowledge")


@pytest.fixture(scope="module")
def similarity(probes):
    return cosine_similarity(probes.embeddings, probes.embeddings)


@pytest.fixture(scope="module")
def topics(probes):
    return np.array(probes.topics)


def test_mean_pooling_and_cosine_by_hand(base, probes, similarity, lab):
    """Two sentences become two embeddings; their cosine is the one in the heat map."""
    import torch
    from transformers import AutoTokenizer, DistilBertModel

    two_sentences = list(probes.texts[:2])
    tokenizer = AutoTokenizer.from_pretrained(base.folder)
    encoder = DistilBertModel.from_pretrained(base.folder, dtype=torch.float32)

    batch = tokenizer(
        two_sentences,
        padding=True,  # the shorter one is filled up with [PAD]
        truncation=True,
        max_length=lab.settings["max_length"],
        return_tensors="pt",
    )
    with torch.no_grad():
        hidden = encoder(batch["input_ids"], batch["attention_mask"]).last_hidden_state

    is_token = batch["attention_mask"].unsqueeze(-1)  # 1 for a token, 0 for padding
    mean = (hidden * is_token).sum(dim=1) / is_token.sum(dim=1)  # (2 sentences, dim)
    embedding = mean / mean.norm(dim=1, keepdim=True)  # length 1
    cosine = embedding[0] @ embedding[1]  # the dot product of unit vectors

    assert float(cosine) == pytest.approx(similarity[0, 1], abs=1e-3)


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


def test_most_nearest_neighbours_share_the_topic(probes, similarity, topics):
    """A sentence's own paraphrase does not count: it would be the nearest of almost every one."""
    compared = (but_paraphrases if probes.curated else every_pair)(len(topics))
    share, chance = nearest_topic_share(similarity, topics, compared), 1 / len(np.unique(topics))
    assert share > chance, f"{percent(share)} share it, by chance {percent(chance)} would"


def test_gate(answer, gate):
    answer.check(gate)
