"""Sentences for exercise 1, to be compared in pairs: a dozen or more for each topic.

Curated pairs lie beside the corpus in `probes.toml`, by label; for labels without any, posts of
the train split stand in.
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from labkit.data import Splits
from labkit.data_files import CORPUS

PER_TOPIC = 12
EXCERPT = 200  # characters of a drawn post


@dataclass(frozen=True)
class Probes:
    """`texts` with their class indices `topics`; `curated` tells where they come from.

    Texts stand topic by topic, and in a topic pair by pair: the 1st and 2nd are a pair, the 3rd
    and 4th, and so on.
    """

    texts: tuple[str, ...]
    topics: tuple[int, ...]
    curated: bool


def choose_probes(splits: Splits, seed: int, curated: Path = CORPUS / "probes.toml") -> Probes:
    """The curated sentences for the splits' labels, or as many posts drawn from the train split."""
    pairs: dict[str, list[list[str]]] = tomllib.loads(curated.read_text(encoding="utf-8"))
    if all(label in pairs for label in splits.labels):
        sentences = [
            (text, topic)
            for topic, label in enumerate(splits.labels)
            for pair in pairs[label]
            for text in pair
        ]
        texts, topics = zip(*sentences, strict=True)
        return Probes(texts, topics, curated=True)
    rng = np.random.default_rng(seed)
    labels = np.asarray(splits.train["label"])
    rows = [
        int(row)
        for topic in range(len(splits.labels))
        for row in rng.permutation(np.flatnonzero(labels == topic))[:PER_TOPIC]
    ]
    drawn = tuple(" ".join(text.split())[:EXCERPT] for text in splits.train.select(rows)["text"])
    return Probes(drawn, tuple(int(labels[row]) for row in rows), curated=False)
