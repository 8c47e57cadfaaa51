"""Faults of the posts."""

from dataclasses import replace
from pathlib import Path

import datasets
import numpy as np

from benchmarks.faults.planted import planted
from labkit.data.posts import Posts
from labkit.plumbing.runner import Run
from labkit.puzzles.faults import Fault, of_posts
from labkit.puzzles.subject import COMMON


@planted("data", {"1 post": 1, "6 posts": 6, "60 of 120 posts": 60})
def test_posts_leaked(dose: int, healthy: Run, work: Path) -> Fault:
    """Test posts stand among the train posts."""

    def change(posts: Posts) -> Posts:
        leaked = posts.test.select(range(dose))
        return replace(posts, train=datasets.concatenate_datasets([posts.train, leaked]))

    return of_posts(change)


@planted("data", {"48 of 288 left": 48, "20 left": 20, "8 left": 8})
def train_posts_lost(dose: int, healthy: Run, work: Path) -> Fault:
    """Most train posts are gone."""
    return Fault(selection={"train_size": dose})


@planted("data", {"36 of 144 left": 36, "12 left": 12, "2 left": 2})
def one_class_rare(dose: int, healthy: Run, work: Path) -> Fault:
    """Most train posts of one class are gone."""

    def change(posts: Posts) -> Posts:
        first, second = (np.flatnonzero(posts.truth.train == label) for label in (0, 1))
        rows = np.sort(np.concatenate([first, second[:dose]]))
        return replace(posts, train=posts.train.select(rows))

    return of_posts(change)


@planted("data", {"a third of the words": 1 / 3, "two thirds": 2 / 3, "all": 1.0})
def texts_of_noise(dose: float, healthy: Run, work: Path) -> Fault:
    """Words of the train and validation posts are replaced by words that say nothing."""

    def noisy(split: datasets.Dataset, seed: int) -> datasets.Dataset:
        rng, nothing = np.random.default_rng(seed), COMMON.split()
        texts = [
            " ".join(
                str(rng.choice(nothing)) if rng.random() < dose else word for word in text.split()
            )
            for text in split["text"]
        ]
        features = split.features
        return split.remove_columns("text").add_column("text", texts).cast(features)

    def change(posts: Posts) -> Posts:
        return replace(posts, train=noisy(posts.train, 0), validation=noisy(posts.validation, 1))

    return of_posts(change)


@planted("data", {"to 20 tokens": 20, "to 16": 16, "to 10": 10})
def posts_cut_short(dose: int, healthy: Run, work: Path) -> Fault:
    """The model reads the beginning of a post and no more."""
    return Fault(recipe={"max_length": dose})
