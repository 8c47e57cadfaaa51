"""What trainings leave: how they went, by step and by epoch, and what came out."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import datasets
import numpy as np

from labkit.config import Recipe
from labkit.data.tokens import Tokens
from labkit.model.checkpoints import Checkpoint
from labkit.plumbing.hardware import Hardware

if TYPE_CHECKING:
    from transformers import PreTrainedModel

NO_BETTER = 0.9  # of the loss of guessing: above it the text might as well not be looked at


@dataclass(frozen=True)
class Start:
    """What every training starts from: base model, tokenized posts, machine."""

    base: Checkpoint
    tokens: Tokens
    hardware: Hardware


@dataclass(frozen=True)
class Epoch:
    """What one epoch brought: mean training loss, and loss and accuracy on validation posts."""

    epoch: int
    train_loss: float
    validation_loss: float
    validation_accuracy: float


@dataclass(frozen=True)
class History:
    """A finished fine-tune: its epochs, the loss at every logged step, and what it took."""

    epochs: tuple[Epoch, ...]
    step_losses: tuple[tuple[int, float], ...]
    best_epoch: int
    steps: int
    seconds: float
    bf16: bool
    device: str

    def logs(self) -> Iterator[tuple[int, dict[str, float]]]:
        """What the Trainer logged, by step and in its words, as far as it is recorded."""
        steps = self.steps // len(self.epochs)
        ends = {epoch.epoch * steps: epoch for epoch in self.epochs}
        for step, loss in self.step_losses:
            yield step, {"loss": loss}
            if epoch := ends.get(step):
                accuracy = epoch.validation_accuracy
                yield step, {"eval_post_loss": epoch.validation_loss, "eval_accuracy": accuracy}


# A training of a new classifier: on train posts, with validation posts, by a recipe.
Train = Callable[[datasets.Dataset, datasets.Dataset, Recipe], "tuple[PreTrainedModel, History]"]


@dataclass(frozen=True)
class FineTuned:
    """A fine-tuned checkpoint in `folder`, and how its training went, where that is known.

    `validation_logits` (posts, classes) are those of the model in memory, before it was written.
    """

    folder: Path
    history: History | None
    validation_logits: np.ndarray


@dataclass(frozen=True)
class Trial:
    """A small training, and how it does on the validation posts at the epoch that it kept.

    `losses` (validation posts,) are cross-entropies in nats, `correct` is of the same length.
    """

    learning_rate: float
    seed: int
    posts: int
    history: History
    losses: np.ndarray
    correct: np.ndarray

    @property
    def accuracy(self) -> float:
        return float(self.correct.mean())

    @property
    def loss(self) -> float:
        """Mean loss; infinite where it is no number."""
        return float(self.losses.mean()) if np.isfinite(self.losses).all() else np.inf


@dataclass(frozen=True)
class Sweep:
    """Small trainings on the same posts by learning rate and seed, and a long one.

    `rate` is the recipe's. Of the `posts` each is cut at `tokens`. `guessing` is the loss (nats)
    of who knows how frequent each class is and does not look at the text: the entropy of the
    classes.
    """

    trials: tuple[Trial, ...]
    long: Trial
    rate: float
    posts: int
    tokens: int
    guessing: float

    @property
    def rates(self) -> tuple[float, ...]:
        """The learning rates, smallest first."""
        return tuple(sorted({trial.learning_rate for trial in self.trials}))

    def at(self, rate: float) -> tuple[Trial, ...]:
        """The trainings at a rate, one for each seed."""
        return tuple(trial for trial in self.trials if trial.learning_rate == rate)

    @property
    def neighbours(self) -> tuple[float, ...]:
        """The rates next to the recipe's; above 1 there is none."""
        own = self.rates.index(self.rate)
        return self.rates[own - 1], *self.rates[own + 1 : own + 2]

    @property
    def smallest_underfits(self) -> bool:
        """The smallest rate has hardly begun: its training loss is still that of guessing."""
        history = self.at(self.rates[0])[0].history
        return history.epochs[-1].train_loss > NO_BETTER * self.guessing

    @property
    def largest_fails(self) -> bool:
        """The largest rate diverged (loss is NaN) or collapsed (no better than guessing)."""
        history = self.at(self.rates[-1])[0].history
        return not history.epochs[-1].validation_loss < NO_BETTER * self.guessing


@dataclass(frozen=True)
class LearningCurve:
    """Validation accuracy by the number of train posts.

    `trials` are small fine-tunes, those of one amount with other seeds. `tfidf` and `probe`
    (amounts,) are logistic regression on words and on the base model's embeddings, at the
    amounts of `posts`. `validation` posts were looked at.
    """

    trials: tuple[Trial, ...]
    posts: tuple[int, ...]
    tfidf: np.ndarray
    probe: np.ndarray
    validation: int

    @property
    def fine_tuned(self) -> np.ndarray:
        """Mean accuracy over the seeds (amounts,)."""
        return np.array([np.mean(self.at(amount)) for amount in self.posts])

    def at(self, amount: int) -> list[float]:
        """The accuracies of the fine-tunes on so many posts, one for each seed."""
        return [one.accuracy for one in self.trials if one.posts == amount]


@dataclass(frozen=True)
class Repeatability:
    """Two trainings with the same seed: their optimizer steps, and the digests of the weights."""

    steps: int
    sha256: tuple[str, ...]

    @property
    def identical(self) -> bool:
        return len(set(self.sha256)) == 1
