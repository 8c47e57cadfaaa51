"""How much data: fine-tuning against what trains no network, by the number of train posts.

All methods see the same posts, cut at the same length, and are measured on the same validation
posts. An amount is a sample of its own by class share, not a part of a larger one.
"""

from dataclasses import replace

import numpy as np

from labkit.evaluation.baselines import embedding_logistic, tfidf_logistic
from labkit.model.encoding import reader
from labkit.plumbing.runner import Call
from labkit.training.history import LearningCurve, Start, Sweep
from labkit.training.plan import Plan
from labkit.training.sweep import POSTS, SEEDS, part, small, trials

AMOUNTS = (30, 60, 240)  # posts, besides those of the sweep
REPEATED = 60  # the amount that is trained with every seed, as that of the sweep is


def learning_curve(
    start: Start | None, plan: Plan | None, sweep: Sweep | None, split_seed: int, call: Call
) -> LearningCurve | None:
    """The trainings of the sweep at the recipe's rate, and as many epochs on fewer and on more
    posts, as far as there are twice as many; None where nothing is trained."""
    if not (start and plan and sweep):
        return None
    tokens = start.tokens
    read = reader(start.base, start.hardware)
    validation = part(tokens.validation, POSTS, split_seed)
    asked = []
    amounts = {sweep.posts: part(tokens.train, POSTS, split_seed)}
    for amount in AMOUNTS:
        if 2 * amount > len(tokens.train) or amount == sweep.posts:
            continue
        amounts[amount] = posts = part(tokens.train, amount, split_seed)
        for seed in range(
            plan.recipe.seed, plan.recipe.seed + (SEEDS if amount == REPEATED else 1)
        ):
            asked.append((posts, replace(small(start, plan, amount), seed=seed)))
    found = (*sweep.at(sweep.rate), *trials(start, asked, validation, call))
    truth = np.asarray(validation["label"])
    ids = {amount: list(posts["input_ids"]) for amount, posts in amounts.items()}
    seen = list(validation["input_ids"])
    words, vectors = read.texts(seen), read.embed(seen)
    scores = []
    for amount in sorted(amounts):
        labels = np.asarray(amounts[amount]["label"])
        by_words = tfidf_logistic(read.texts(ids[amount]), labels, words)
        by_vectors = embedding_logistic(read.embed(ids[amount]), labels, vectors)
        scores.append([np.mean(one.argmax(axis=1) == truth) for one in (by_words, by_vectors)])
    tfidf, probe = np.array(scores).T
    return LearningCurve(found, tuple(sorted(amounts)), tfidf, probe, len(validation))
