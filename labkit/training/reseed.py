"""The fine-tune again, with nothing changed but the seed of head, batches and dropout.

The accuracy of one trained model tells of the recipe only together with how far such trainings lie
apart (Bouthillier et al. 2021, https://arxiv.org/abs/2103.03098, section 3).
"""

from dataclasses import replace

import numpy as np

from labkit.model.encoding import classify
from labkit.model.predictions import Reseeded
from labkit.plumbing.hardware import free_memory
from labkit.plumbing.runner import Call
from labkit.training.classifier import trainer
from labkit.training.history import Start
from labkit.training.plan import Plan

SEEDS = 3  # with the fine-tune's own: the least from which a spread can be told
FURTHER_STEPS = 240  # optimizer steps that the others may take together, where nobody says how many


def seeds_of(plan: Plan, posts: int, wanted: int | None) -> tuple[int, ...]:
    """The seeds of the further trainings on so many posts; none where they would take long."""
    steps = plan.epochs * -(-posts // plan.recipe.batch_size)
    affordable = SEEDS if (SEEDS - 1) * steps <= FURTHER_STEPS else 1
    first = plan.recipe.seed + 1
    return tuple(range(first, first + (wanted or affordable) - 1))


def reseed(start: Start, plan: Plan, wanted: int | None, call: Call) -> Reseeded | None:
    """Train with further seeds, `wanted` in all with the fine-tune's; None where there is no other.

    None as well where several processes train: all but the first end with the fine-tune.
    """
    tokens, train = start.tokens, trainer(start, call)
    seeds = seeds_of(plan, len(tokens.train), wanted)
    if not seeds or start.hardware.processes > 1:
        return None
    logits, accuracies = [], []
    for seed in seeds:
        recipe = replace(plan.recipe, seed=seed)
        model, history = train(tokens.train, tokens.validation, recipe)
        logits.append(classify(model, list(tokens.test["input_ids"])).logits)
        accuracies.append(history.epochs[history.best_epoch - 1].validation_accuracy)
        del model
        free_memory()
    return Reseeded(seeds, np.stack(logits), np.array(accuracies))
