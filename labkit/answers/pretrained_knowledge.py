"""Exercise 1: what the base model's embeddings say about topics, before any training."""

import numpy as np

from labkit.data.posts import Posts
from labkit.data.probes import Probes
from labkit.evaluation.similarity import (
    cosine_similarity,
    nearest_topic_share,
    pair_similarities,
    topic_gap,
)
from labkit.report.answer import Answer
from labkit.report.blocks import Listing
from labkit.report.plots import embeddings as plots
from labkit.report.wording import with_interval


def answer(posts: Posts, probes: Probes, seed: int) -> Answer:
    topics = np.array(probes.topics)
    similarity = cosine_similarity(probes.embeddings, probes.embeddings)
    same, different = pair_similarities(similarity, topics)
    gap = topic_gap(similarity, topics, seed)
    nearest = nearest_topic_share(similarity, topics)
    return Answer(
        "pretrained_knowledge",
        f"same topic {gap.value:.2f} closer ({gap.low:.2f} to {gap.high:.2f}) than different",
        f"Two sentences about the same topic have a mean cosine similarity of {same.mean():.2f}, "
        f"about different topics {different.mean():.2f}: a gap of {gap.value:.2f} "
        f"({gap.low:.2f} to {gap.high:.2f}) before any training. The nearest neighbour of "
        f"{round(nearest * len(topics))} of {len(topics)} sentences is about its own topic.",
        {
            "same_topic_similarity": float(same.mean()),
            "different_topic_similarity": float(different.mean()),
            **with_interval("topic_gap", gap),
            "nearest_neighbour_share": nearest,
            "sentences": len(topics),
        },
        (
            plots.similarity_heat_map(similarity, probes.topics, posts.labels),
            plots.pair_histogram(same, different),
            Listing("Sentences compared", "\n".join(probes.texts)),
        ),
    )
