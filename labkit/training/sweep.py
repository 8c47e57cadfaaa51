"""What learning rate, epochs and seed do to quality: small trainings on a part of the posts.

All are compared on the same validation posts, and run side by side where there are cores. A last
pair with the same seed says whether a training can be repeated bit for bit.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import datasets
import numpy as np
from scipy.special import log_softmax
from scipy.stats import entropy

from labkit.config import Recipe
from labkit.data.stratified import stratified_sample
from labkit.data.tokens import cut
from labkit.model.checkpoints import WEIGHTS
from labkit.model.encoding import classify
from labkit.plumbing.digests import file_digest
from labkit.plumbing.hardware import free_memory
from labkit.plumbing.progress import ignore
from labkit.plumbing.runner import Call
from labkit.training.classifier import trainer
from labkit.training.fast.side_by_side import alone, side_by_side
from labkit.training.history import Repeatability, Start, Sweep, Train, Trial
from labkit.training.plan import FASTER, Plan

# Trainings by their rate, in times the recipe's: from too small to diverging.
STEPS = {1 / 27: 1, 1 / 9: 1, 1 / 3: 2, 1.0: 3, 3.0: 2, 9.0: 1}
SEEDS = STEPS[1.0]
EPOCHS, LONG = 4, 12  # of a small training; of the one that is to overfit
POSTS, TOKENS = 120, 48  # train and validation posts at most, and tokens at which each is cut
REPEATED_POSTS = 32


def part(posts: datasets.Dataset, size: int, seed: int) -> datasets.Dataset:
    """At most `size` tokenized posts by class share, each cut to `TOKENS` with its [SEP]."""
    labels = np.asarray(posts["label"])
    (rows,) = stratified_sample(labels, (min(size, len(labels)),), seed)
    chosen = posts.select(sorted(rows))
    ids = [cut(row, TOKENS) for row in chosen["input_ids"]]
    return datasets.Dataset.from_dict({"input_ids": ids, "label": chosen["label"]})


def trial(
    train: Train, posts: datasets.Dataset, validation: datasets.Dataset, recipe: Recipe
) -> Trial:
    """A small training, looked at on the validation posts and then forgotten."""
    assert recipe.learning_rate is not None
    watched = validation.select(range(0, len(validation), 2))  # after every epoch; in the end all
    model, history = train(posts, watched, recipe)
    logits = classify(model, list(validation["input_ids"])).logits
    labels = np.asarray(validation["label"])
    losses = -log_softmax(logits.astype(float), axis=1)[np.arange(len(labels)), labels]
    del model
    free_memory()
    return Trial(
        recipe.learning_rate,
        recipe.seed,
        len(posts),
        history,
        losses,
        logits.argmax(axis=1) == labels,
    )


def small(start: Start, plan: Plan, posts: int) -> Recipe:
    """The recipe for a small training on so many posts: with fewer steps, at a higher rate.

    The plan's rule says so as well (`labkit.training.plan`), and no more than `FASTER` times.
    """
    steps, fewer = (
        epochs * math.ceil(count / plan.recipe.batch_size)
        for epochs, count in ((plan.epochs, len(start.tokens.train)), (EPOCHS, posts))
    )
    rate = plan.learning_rate * min(max(steps / fewer, 1.0), FASTER)
    return replace(plan.recipe, epochs=EPOCHS, learning_rate=min(rate, 1.0))


def trials(
    start: Start,
    asked: Sequence[tuple[datasets.Dataset, Recipe]],
    validation: datasets.Dataset,
    call: Call,
) -> list[Trial]:
    """A small training on the posts and by the recipe of each pair, side by side, in their order."""
    train = trainer(replace(start, hardware=alone(start.hardware)), call, ignore)

    def one(pair: tuple[datasets.Dataset, Recipe]) -> Trial:
        posts, recipe = pair
        return trial(train, posts, validation, recipe)

    return side_by_side(one, asked, start.hardware, call.report)


def sweep(
    start: Start,
    plan: Plan,
    split_seed: int,
    call: Call,
    steps: Mapping[float, int] = STEPS,
    long: int = LONG,
) -> Sweep:
    """Every rate once, the recipe's and its neighbours with every seed, and one for `long` epochs."""
    posts = part(start.tokens.train, POSTS, split_seed)
    validation = part(start.tokens.validation, POSTS, split_seed)
    recipe = small(start, plan, len(posts))
    assert recipe.learning_rate is not None
    rate = recipe.learning_rate
    recipes = [
        replace(recipe, learning_rate=step * rate, seed=seed)
        for step, seeds in steps.items()
        if step * rate <= 1  # a rate that may be
        for seed in range(recipe.seed, recipe.seed + seeds)
    ]
    # The longest first, so that no core is left to wait for it.
    asked = [replace(recipe, epochs=long), *recipes]
    longest, *short = trials(start, [(posts, one) for one in asked], validation, call)
    shares = np.unique(posts["label"], return_counts=True)[1] / len(posts)
    return Sweep(tuple(short), longest, rate, len(posts), TOKENS, float(entropy(shares)))


def repeat(start: Start, plan: Plan, split_seed: int, call: Call) -> Repeatability | None:
    """Train twice with the same seed for one epoch, and compare the digests of the weights.

    None where several processes train: all but the first end with the fine-tune.
    """
    if start.hardware.processes > 1:
        return None
    train = trainer(start, call)
    posts = part(start.tokens.train, REPEATED_POSTS, split_seed)
    validation = part(start.tokens.validation, REPEATED_POSTS, split_seed)
    digests = []
    for _ in range(2):
        model, history = train(posts, validation, replace(plan.recipe, epochs=1))
        model.save_pretrained(call.scratch)
        digests.append(file_digest(call.scratch / WEIGHTS))
        del model
        free_memory()
    return Repeatability(history.steps, tuple(digests))
