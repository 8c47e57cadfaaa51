"""Faults of the labels, and of the texts that describe them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import datasets
import numpy as np

from benchmarks.faults.planted import planted
from labkit.data.posts import Posts
from labkit.plumbing.runner import Run
from labkit.puzzles.faults import Fault, of_posts, relabelled
from labkit.puzzles.subject import LABELS

Change = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def learned_from(change: Change) -> Fault:
    """Other labels of the train and validation posts."""

    def changed(posts: Posts) -> Posts:
        train, validation = (
            change(truth.copy(), np.random.default_rng(seed))
            for seed, truth in enumerate((posts.truth.train, posts.truth.validation))
        )
        return replace(
            posts,
            train=relabelled(posts.train, train),
            validation=relabelled(posts.validation, validation),
        )

    return of_posts(changed)


def some(rows: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """That share of the rows, drawn at random."""
    drawn: np.ndarray = rng.permutation(rows)[: round(share * len(rows))]
    return drawn


@planted("labels", {"10 %": 0.1, "20 %": 0.2, "40 %": 0.4})
def labels_flipped(dose: float, healthy: Run, work: Path) -> Fault:
    """Train and validation posts have the other label."""

    def flip(truth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        rows = some(np.arange(len(truth)), dose, rng)
        truth[rows] = 1 - truth[rows]
        return truth

    return learned_from(flip)


@planted("labels", {"20 % of one class": 0.2, "40 %": 0.4, "80 %": 0.8})
def one_class_mislabelled(dose: float, healthy: Run, work: Path) -> Fault:
    """Train and validation posts of one class have the label of the other."""

    def flip(truth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        truth[some(np.flatnonzero(truth == 1), dose, rng)] = 0
        return truth

    return learned_from(flip)


@planted("labels", {"10 %": 0.1, "30 %": 0.3, "all": 1.0})
def classes_overlap(dose: float, healthy: Run, work: Path) -> Fault:
    """Train posts stand there a second time, with the other label."""

    def change(posts: Posts) -> Posts:
        rows = some(np.arange(len(posts.train)), dose, np.random.default_rng(0))
        twins = posts.train.select(rows)
        twins = relabelled(twins, 1 - np.asarray(twins["label"]))
        return replace(posts, train=datasets.concatenate_datasets([posts.train, twins]))

    return of_posts(change)


@planted("labels", {"5 %": 0.05, "15 %": 0.15, "a third": 1 / 3})
def test_labels_wrong(dose: float, healthy: Run, work: Path) -> Fault:
    """Test posts have the other label."""

    def change(posts: Posts) -> Posts:
        truth = posts.truth.test.copy()
        rows = some(np.arange(len(truth)), dose, np.random.default_rng(0))
        truth[rows] = 1 - truth[rows]
        return replace(posts, test=relabelled(posts.test, truth))

    fault = of_posts(change)  # no training looks at the test posts
    untouched = {name: healthy[name] for name in ("fine_tuned", "sweep")}
    return replace(fault, stages={**fault.stages, **untouched})


@planted(
    "labels",
    {
        "one says nothing": (LABELS[0], "old"),
        "both say nothing": ("new", "old"),
        "swapped": LABELS[::-1],
    },
)
def label_texts_wrong(dose: tuple[str, str], healthy: Run, work: Path) -> Fault:
    """The words that describe the classes to zero-shot methods do not."""
    return Fault(label_texts=dict(zip(LABELS, dose, strict=True)))
