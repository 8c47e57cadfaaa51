"""Exercise 1: what the base model's embeddings say about topics, before it is fine-tuned here."""

import numpy as np

from labkit.data.posts import Posts
from labkit.data.probes import Probes
from labkit.evaluation.finite import check_finite
from labkit.evaluation.intervals import Estimate
from labkit.evaluation.similarity import (
    but_paraphrases,
    cosine_similarity,
    every_pair,
    nearest_topic_share,
    pair_similarities,
    topic_gap,
)
from labkit.report.answer import Answer
from labkit.report.blocks import Listing
from labkit.report.plots import embeddings as plots
from labkit.report.wording import percent, with_interval


def answer(posts: Posts, probes: Probes, seed: int) -> Answer:
    check_finite(probes.embeddings, "embeddings of the sentences", "probes")
    topics = np.array(probes.topics)
    similarity = cosine_similarity(probes.embeddings, probes.embeddings)
    compared = (but_paraphrases if probes.curated else every_pair)(len(topics))
    same, different = pair_similarities(similarity, topics, compared)
    gap = topic_gap(similarity, topics, seed, compared)
    nearest = nearest_topic_share(similarity, topics, compared)
    chance = float((np.equal.outer(topics, topics) & compared).sum() / compared.sum())
    return Answer(
        "pretrained_knowledge",
        f"cosine {gap.value:.2f} higher on one topic ({gap.low:.2f} to {gap.high:.2f})",
        sentence(float(same.mean()), float(different.mean()), gap, probes.curated)
        + f"For {nearest_of(round(nearest * len(topics)), len(topics))} the nearest other sentence is "
        f"on the same topic (by chance: {percent(chance)})."
        + about_some(len(set(probes.topics)), len(posts.labels)),
        {
            "same_topic_similarity": float(same.mean()),
            "different_topic_similarity": float(different.mean()),
            **with_interval("topic_gap", gap),
            "nearest_neighbour_share": nearest,
            "nearest_neighbour_chance": chance,
            "sentences": len(topics),
        },
        (
            plots.similarity_heat_map(similarity, probes.topics, posts.labels),
            plots.pair_histogram(same, different),
            Listing("Sentences compared", "\n".join(probes.texts)),
        ),
    )


def nearest_of(near: int, sentences: int) -> str:
    """So many of the sentences, or all of them."""
    return f"all {sentences} sentences" if near == sentences else f"{near} of {sentences} sentences"


def about_some(topics: int, classes: int) -> str:
    """That only some classes are looked at here, where they are many."""
    if topics == classes:
        return ""
    return f" The sentences are of the {topics} classes of {classes} with most train posts."


def sentence(same: float, different: float, gap: Estimate, curated: bool) -> str:
    """What the gap is, and whether it is one."""
    ends = f"{gap.low:.2f} to {gap.high:.2f}"
    if gap.low > 0:
        found = f"a gap of {gap.value:.2f} ({ends})"
    elif gap.high < 0:
        found = f"{-gap.value:.2f} ({-gap.high:.2f} to {-gap.low:.2f}) the wrong way round"
    else:
        found = f"a gap of {gap.value:.2f} ({ends}), no more than chance explains,"
    without = "; no sentence is compared with its own paraphrase" if curated else ""
    return (
        f"Two sentences about the same topic have a mean cosine similarity of {same:.2f}, about "
        f"different topics {different:.2f}: {found} before fine-tuning{without}. "
    )
