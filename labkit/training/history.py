"""What trainings leave: how they went, by step and by epoch, and what came out."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

NO_BETTER = 0.9  # of the loss of guessing: above it the text might as well not be looked at


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


@dataclass(frozen=True)
class FineTuned:
    """A fine-tuned checkpoint in `folder`, and how its training went, where that is known.

    `validation_logits` (posts, classes) are those of the model in memory, before it was written.
    """

    folder: Path
    history: History | None
    validation_logits: np.ndarray


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
    def smallest_underfits(self) -> bool:
        """The smallest rate has hardly begun: its training loss is still that of guessing."""
        _, history = self.by_rate[0]
        return history.epochs[-1].train_loss > NO_BETTER * self.guessing

    @property
    def largest_fails(self) -> bool:
        """The largest rate diverged (loss is NaN) or collapsed (no better than guessing)."""
        _, history = self.by_rate[-1]
        return not history.epochs[-1].validation_loss < NO_BETTER * self.guessing


@dataclass(frozen=True)
class Repeatability:
    """Two trainings with the same seed: their optimizer steps, and the digests of the weights."""

    steps: int
    sha256: tuple[str, ...]

    @property
    def identical(self) -> bool:
        return len(set(self.sha256)) == 1


def _accuracies(history: History) -> list[float]:
    return [epoch.validation_accuracy for epoch in history.epochs]
