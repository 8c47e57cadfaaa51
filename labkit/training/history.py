"""How a fine-tune went: its losses by step and by epoch."""

from collections.abc import Iterator
from dataclasses import dataclass


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
