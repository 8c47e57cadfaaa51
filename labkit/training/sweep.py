"""What training loss, learning rate and epochs do to quality, and how much of it is luck.

Small fine-tunes of the same recipe on a subset: one for each learning rate, read at every epoch,
and the middle rate again with other seeds. A last pair with the same seed says whether a training
can be repeated bit for bit.
"""

import gc
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import datasets
import numpy as np
from scipy.stats import entropy

from labkit.config import Recipe
from labkit.data.stratified import stratified_sample
from labkit.data.tokens import Tokens, cut
from labkit.model.checkpoints import WEIGHTS, Checkpoint
from labkit.plumbing.digests import file_digest
from labkit.plumbing.hardware import Hardware
from labkit.plumbing.progress import Report, ignore
from labkit.training.classifier import new_classifier
from labkit.training.history import History, Repeatability, Sweep

STEPS = (1 / 50, 1.0, 100.0)  # times the recipe's rate: 1e-6, 5e-5 and 5e-3 for the default one
SEEDS = 3
POSTS, TOKENS = 128, 64  # of the subset: at most so many posts, each cut at so many tokens
REPEATED_POSTS = 32


def subset(posts: datasets.Dataset, size: int, seed: int) -> datasets.Dataset:
    """At most `size` tokenized posts by class share, shortened."""
    labels = np.asarray(posts["label"])
    (rows,) = stratified_sample(labels, (min(size, len(labels)),), seed)
    return shortened(posts.select(sorted(rows)))


def shortened(posts: datasets.Dataset) -> datasets.Dataset:
    """Tokenized posts, each cut to `TOKENS` with its [SEP]."""
    ids = [cut(row, TOKENS) for row in posts["input_ids"]]
    return datasets.Dataset.from_dict({"input_ids": ids, "label": posts["label"]})


def sweep(
    base: Checkpoint,
    tokens: Tokens,
    recipe: Recipe,
    split_seed: int,
    hardware: Hardware,
    scratch: Path,
    report: Report = ignore,
) -> Sweep:
    """Train once for each rate and once more for each other seed; no model is kept."""
    posts = subset(tokens.train, POSTS, split_seed)
    validation = shortened(tokens.validation)

    def train(changed: Recipe) -> History:
        _, history = new_classifier(
            base, tokens.labels, posts, validation, changed, hardware, scratch, report=report
        )
        gc.collect()  # a Trainer holds itself in a cycle, and with it model and optimizer
        return history

    return gather(train, np.asarray(posts["label"]), len(validation), recipe)


def gather(
    train: Callable[[Recipe], History], labels: np.ndarray, validation: int, recipe: Recipe
) -> Sweep:
    """The sweep of a training on posts with these class indices (posts,)."""
    by_rate = [
        (rate, train(replace(recipe, learning_rate=rate)))
        for rate in (step * recipe.learning_rate for step in STEPS)
    ]
    others = range(recipe.seed + 1, recipe.seed + SEEDS)
    by_seed = [
        (recipe.seed, by_rate[1][1]),
        *((seed, train(replace(recipe, seed=seed))) for seed in others),
    ]
    shares = np.unique(labels, return_counts=True)[1] / len(labels)
    guessing = float(entropy(shares))
    return Sweep(tuple(by_rate), tuple(by_seed), len(labels), validation, guessing)


def repeat(
    base: Checkpoint,
    tokens: Tokens,
    recipe: Recipe,
    split_seed: int,
    hardware: Hardware,
    scratch: Path,
    report: Report = ignore,
) -> Repeatability:
    """Train twice with the same seed for one epoch, and compare the digests of the weights."""
    posts = subset(tokens.train, REPEATED_POSTS, split_seed)
    train = partial(
        new_classifier,
        base,
        tokens.labels,
        posts,
        shortened(tokens.validation),
        replace(recipe, epochs=1),
        hardware,
        scratch,
        report=report,
    )
    digests = []
    for _ in range(2):
        model, history = train()
        model.save_pretrained(scratch)
        digests.append(file_digest(scratch / WEIGHTS))
        del model
        gc.collect()
    return Repeatability(history.steps, tuple(digests))
