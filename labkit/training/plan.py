"""The numbers of a recipe that nobody gave: by a rule, or by validation loss.

The rate. BERT's papers found 5e-5 for a model 768 wide (Devlin et al. 2019, appendix A.3,
https://arxiv.org/abs/1810.04805). Under Adam the best rate of a layer falls as its width grows
(Yang et al. 2022, https://arxiv.org/abs/2203.03466, table 3), so half the width gets twice the rate.

The length. A new head starts at guessing and needs about so many steps for every class, whatever
the number of posts; on few posts that is more epochs than the three of the BERT papers (Mosbach et
al. 2021, https://arxiv.org/abs/2006.04884, section 6). Six are the limit, and where they are too
few a higher rate makes up for it: a step of Adam is about as long as the rate (Kingma and Ba 2015,
https://arxiv.org/abs/1412.6980, section 2.1). The epoch with the lowest validation loss is kept.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from labkit.config import Recipe
from labkit.training.history import History, Start, Train

BERT_RATE, BERT_WIDTH = 5e-5, 768
STEPS_PER_CLASS = 45
LEAST, MOST = 3, 6  # epochs
FASTER = 3.0  # times the rate, at most, where the steps are too few
TRIED_RATES = (0.5, 1.0, 2.0)  # times the rule's


@dataclass(frozen=True)
class Tried:
    """One of the trainings by which a recipe was chosen, with loss and accuracy on validation
    posts at the epoch that it kept."""

    learning_rate: float
    epochs: int
    best_epoch: int
    validation_loss: float
    validation_accuracy: float


@dataclass(frozen=True)
class Plan:
    """The whole recipe, the reason for what nobody gave, and what was tried to find it."""

    recipe: Recipe
    why: str
    tried: tuple[Tried, ...] = ()

    @property
    def learning_rate(self) -> float:
        assert self.recipe.learning_rate is not None
        return self.recipe.learning_rate

    @property
    def epochs(self) -> int:
        assert self.recipe.epochs is not None
        return self.recipe.epochs


def choose(start: Start, recipe: Recipe, train: Train) -> Plan:
    """By rule, or fitted where the recipe asks for it."""
    tokens = start.tokens
    rule = by_rule(recipe, start.base.width, len(tokens.train), len(tokens.labels))
    if recipe.choice != "fit":
        return rule
    return by_fit(recipe, rule, lambda one: train(tokens.train, tokens.validation, one)[1])


def by_rule(recipe: Recipe, width: int, posts: int, classes: int) -> Plan:
    """The recipe for a model so wide and so many train posts of so many classes."""
    reasons = []
    rate, epochs = recipe.learning_rate, recipe.epochs
    wanted, per_epoch = STEPS_PER_CLASS * classes, math.ceil(posts / recipe.batch_size)
    if epochs is None:
        enough = math.ceil(wanted / per_epoch)
        epochs = min(max(enough, LEAST), MOST)
        end = ", the least" if enough < LEAST else ", the most" if enough > MOST else ""
        reasons.append(
            f"{wanted} steps for {classes} classes; {posts} posts / {recipe.batch_size} = {per_epoch} "
            f"steps an epoch, so {epochs} epochs{end}"
        )
    if rate is None:
        faster = min(max(wanted / (epochs * per_epoch), 1.0), FASTER)
        rate = float(f"{faster * BERT_RATE * BERT_WIDTH / width:.2g}")
        higher = f", {faster:.1f} times it for too few steps" if faster > 1 else ""
        reasons.append(f"a rate of {rate:.2g} for embeddings of {width} numbers{higher}")
    why = (
        f"The lab's rule gives {'; '.join(reasons)}." if reasons else "Rate and epochs were given."
    )
    return Plan(replace(recipe, learning_rate=rate, epochs=epochs), why)


def by_fit(recipe: Recipe, rule: Plan, train: Callable[[Recipe], History]) -> Plan:
    """What of `recipe` is not given, chosen by validation loss over at most four trainings.

    Three rates as long as the rule says, then the best of them twice as long.
    """
    tried: list[Tried] = []

    def try_out(rate: float, epochs: int) -> None:
        history = train(replace(rule.recipe, learning_rate=rate, epochs=epochs))
        kept = history.epochs[history.best_epoch - 1]
        tried.append(
            Tried(rate, epochs, kept.epoch, kept.validation_loss, kept.validation_accuracy)
        )

    def best() -> Tried:
        return min(tried, key=lambda one: (not one.validation_loss < math.inf, one.validation_loss))

    for times in TRIED_RATES if recipe.learning_rate is None else (1.0,):
        try_out(times * rule.learning_rate, rule.epochs)
    if recipe.epochs is None:
        try_out(best().learning_rate, 2 * rule.epochs)
    found = best()
    why = (
        f"Fitted: the lowest validation loss of {len(tried)} trainings is that at "
        f"{found.learning_rate:.2g} over {found.epochs} epochs."
    )
    chosen = replace(rule.recipe, learning_rate=found.learning_rate, epochs=found.epochs)
    return Plan(chosen, why, tuple(tried))
