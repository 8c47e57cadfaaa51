"""What training loss, learning rate and epochs do to quality, and how much of it is luck.

Small fine-tunes of the same recipe on a subset: one for each learning rate, read at every epoch,
and the middle rate again with other seeds. A last pair with the same seed says whether a training
can be repeated bit for bit.
"""

import gc
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import datasets
import numpy as np
from scipy.stats import entropy

from labkit.base_model import WEIGHTS
from labkit.config import Recipe
from labkit.data import stratified_sample
from labkit.statistics import Estimate, accuracy
from labkit.store import file_digest
from labkit.training_history import History

STEPS = (1 / 50, 1.0, 100.0)  # times the recipe's rate: 1e-6, 5e-5 and 5e-3 for the default one
SEEDS = 3
POSTS, TOKENS = 128, 64  # of the subset: at most so many posts, each cut at so many tokens
REPEATED_POSTS = 32
NO_BETTER = 0.9  # of the loss of guessing: above it the text might as well not be looked at

Train = Callable[[datasets.Dataset, Recipe], tuple[Any, History]]  # the model and how it went


@dataclass(frozen=True)
class Sweep:
    """Small fine-tunes on the same posts: one for each learning rate, one for each seed.

    The recipe's own rate and seed stand in both. Accuracies are those of `validation` posts.
    `guessing` is the loss (nats) of who knows how frequent each class is and does not look at the
    text: the entropy of the classes.
    """

    by_rate: tuple[tuple[float, History], ...]
    by_seed: tuple[tuple[int, History], ...]
    posts: int
    validation: int
    guessing: float

    @property
    def rates(self) -> tuple[float, ...]:
        """The learning rates, smallest first."""
        return tuple(rate for rate, _ in self.by_rate)

    @property
    def accuracies(self) -> np.ndarray:
        """Validation accuracy (rates, epochs)."""
        return np.array([_accuracies(history) for _, history in self.by_rate])

    @property
    def seed_accuracies(self) -> np.ndarray:
        """Validation accuracy (seeds,) after the last epoch: the same but for luck."""
        return np.array([_accuracies(history)[-1] for _, history in self.by_seed])

    @property
    def default(self) -> Estimate:
        """Accuracy after the last epoch at the recipe's own rate, with its interval."""
        hits = round(float(self.accuracies[1, -1]) * self.validation)
        return accuracy(np.arange(self.validation) < hits)

    @property
    def shortfall(self) -> float:
        """How far the best cell of the grid lies above the default's interval; below 0 is noise."""
        return float(self.accuracies.max()) - self.default.high

    @property
    def smallest_underfits(self) -> bool:
        """The smallest rate has hardly begun: its training loss is still that of guessing."""
        _, history = self.by_rate[0]
        return history.epochs[-1].train_loss > NO_BETTER * self.guessing

    @property
    def largest_fails(self) -> bool:
        """The largest rate diverged (loss is NaN) or collapsed (no better than guessing)."""
        _, history = self.by_rate[-1]
        return not history.epochs[-1].validation_loss < NO_BETTER * self.guessing

    def save(self, path: Path) -> None:
        """Write as JSON."""
        path.write_text(json.dumps(asdict(self), indent=2))

    @classmethod
    def load(cls, path: Path) -> "Sweep":
        """Read what `save` wrote."""
        plain = json.loads(path.read_text())
        for name in ("by_rate", "by_seed"):
            plain[name] = tuple((key, History.from_dict(run)) for key, run in plain[name])
        return cls(**plain)


def subset(posts: datasets.Dataset, size: int, seed: int) -> datasets.Dataset:
    """At most `size` tokenized posts by class share, each cut to `TOKENS` with its [SEP]."""
    labels = np.asarray(posts["label"])
    (rows,) = stratified_sample(labels, (min(size, len(labels)),), seed)
    kept = posts.select(sorted(rows))
    ids = [row[: TOKENS - 1] + row[-1:] if len(row) > TOKENS else row for row in kept["input_ids"]]
    return datasets.Dataset.from_dict({"input_ids": ids, "label": kept["label"]})


def sweep(train: Train, posts: datasets.Dataset, validation: int, recipe: Recipe) -> Sweep:
    """Train once for each rate and once more for each other seed; no model is kept."""

    def run(changed: Recipe) -> History:
        history = train(posts, changed)[1]
        gc.collect()  # a Trainer holds itself in a cycle, and with it model and optimizer
        return history

    by_rate = [
        (rate, run(replace(recipe, learning_rate=rate)))
        for rate in (step * recipe.learning_rate for step in STEPS)
    ]
    others = range(recipe.seed + 1, recipe.seed + SEEDS)
    by_seed = [
        (recipe.seed, by_rate[1][1]),
        *((seed, run(replace(recipe, seed=seed))) for seed in others),
    ]
    shares = np.unique(posts["label"], return_counts=True)[1] / len(posts)
    guessing = float(entropy(shares))
    return Sweep(tuple(by_rate), tuple(by_seed), len(posts), validation, guessing)


def repeat(train: Train, posts: datasets.Dataset, recipe: Recipe, scratch: Path) -> dict[str, Any]:
    """Train twice with the same seed for one epoch, and compare the digests of the weights.

    `scratch` takes the weights on the way.
    """
    digests, short = [], replace(recipe, epochs=1)
    for _ in range(2):
        model, history = train(posts, short)
        model.save_pretrained(scratch)
        digests.append(file_digest(scratch / WEIGHTS))
        del model
        gc.collect()
    return {
        "checked": True,
        "steps": history.steps,
        "identical": len(set(digests)) == 1,
        "sha256": digests,
    }


def _accuracies(history: History) -> list[float]:
    return [epoch.validation_accuracy for epoch in history.epochs]
