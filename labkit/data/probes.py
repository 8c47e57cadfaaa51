"""Sentences for exercise 1, to be compared in pairs: a dozen or more for each topic.

Curated pairs lie beside this module in `probes.toml`, by label; for labels without any, posts of
the train split stand in.
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from labkit.data.posts import Posts

PER_TOPIC = 12
MOST_TOPICS = 20  # of which posts are drawn: pairs are quadratic in them
EXCERPT = 200  # characters of a drawn post


CURATED = Path(__file__).with_name("probes.toml")


@dataclass(frozen=True)
class Sentences:
    """`texts` with their class indices `topics`; `curated` tells where they come from.

    Texts stand topic by topic, and in a topic pair by pair: the 1st and 2nd are a pair, the 3rd
    and 4th, and so on.
    """

    texts: tuple[str, ...]
    topics: tuple[int, ...]
    curated: bool

    def with_embeddings(self, embeddings: np.ndarray) -> "Probes":
        """The same with their embeddings (sentences, dim)."""
        return Probes(self.texts, self.topics, self.curated, embeddings)


@dataclass(frozen=True)
class Probes(Sentences):
    """Sentences with their unit embeddings (sentences, dim)."""

    embeddings: np.ndarray


def choose_sentences(posts: Posts, seed: int, curated: Path = CURATED) -> Sentences:
    """The curated sentences for the posts' labels, or as many posts drawn from the train split.

    Of more than `MOST_TOPICS` classes, those with most posts.
    """
    pairs: dict[str, list[list[str]]] = tomllib.loads(curated.read_text(encoding="utf-8"))
    if all(label in pairs for label in posts.labels):
        sentences = [
            (text, topic)
            for topic, label in enumerate(posts.labels)
            for pair in pairs[label]
            for text in pair
        ]
        texts, topics = zip(*sentences, strict=True)
        return Sentences(texts, topics, curated=True)
    rng = np.random.default_rng(seed)
    labels = np.asarray(posts.train["label"])
    counts = np.bincount(labels, minlength=len(posts.labels))
    rows = [
        int(row)
        for topic in np.sort(np.argsort(-counts, kind="stable")[:MOST_TOPICS])
        for row in rng.permutation(np.flatnonzero(labels == topic))[:PER_TOPIC]
    ]
    drawn = tuple(" ".join(text.split())[:EXCERPT] for text in posts.train.select(rows)["text"])
    return Sentences(drawn, tuple(int(labels[row]) for row in rows), curated=False)
