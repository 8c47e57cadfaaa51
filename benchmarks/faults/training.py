"""Faults of the training: its settings, the weights that it starts from, and those that are kept."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.faults.planted import planted
from labkit.errors import LabError
from labkit.model.checkpoints import WEIGHTS, Checkpoint
from labkit.plumbing.runner import Run
from labkit.puzzles.faults import Fault, Tensors, rewritten
from labkit.puzzles.subject import LABELS, TOPICS


@planted("training", {"5 times": 5, "20 times": 20, "100 times": 100})
def rate_too_large(dose: float, healthy: Run, work: Path) -> Fault:
    """The learning rate is too large."""
    return Fault(recipe={"learning_rate": dose * healthy.settings["learning_rate"]})


@planted("training", {"5 times": 5, "50 times": 50, "10,000 times": 10_000})
def rate_too_small(dose: float, healthy: Run, work: Path) -> Fault:
    """The learning rate is too small."""
    return Fault(recipe={"learning_rate": healthy.settings["learning_rate"] / dose})


@planted("training", {"48 of 288 posts": 48, "144": 144, "288": 288})
def batch_too_large(dose: int, healthy: Run, work: Path) -> Fault:
    """A batch has so many posts that an epoch has few steps."""
    return Fault(recipe={"batch_size": dose})


@planted("training", {"1": 1.0, "10": 10.0, "100": 100.0})
def decay_too_strong(dose: float, healthy: Run, work: Path) -> Fault:
    """Weight decay, usually 0.01, pulls every weight towards zero."""
    return Fault(recipe={"weight_decay": dose})


@planted("training", {"a third of the words": 1 / 3, "two thirds": 2 / 3, "all": 1.0})
def base_not_pretrained(dose: float, healthy: Run, work: Path) -> Fault:
    """Words of the base model have random embeddings."""

    def change(tensors: Tensors) -> None:
        import torch

        name = next(name for name in tensors if name.endswith("word_embeddings.weight"))
        noise = torch.Generator().manual_seed(1)
        rows = torch.rand(len(tensors[name]), generator=noise) < dose
        drawn = 0.02 * torch.randn(tensors[name].shape, generator=noise)
        tensors[name] = torch.where(rows[:, None], drawn, tensors[name])

    return Fault(stages={"base": checkpoint(healthy.base, work, change)})


def checkpoint(base: Checkpoint, work: Path, change: Callable[[Tensors], None]) -> Checkpoint:
    """The base model with its tensors changed."""
    from labkit.model.checkpoints import digest_files

    folder = rewritten(base.folder, work / "base", change)
    return replace(base, folder=folder, files=digest_files(folder))


def kept(healthy: Run, work: Path, change: Callable[[Tensors], None]) -> Fault:
    """Other weights at the end of the training, which are those that are saved."""
    from labkit.model.encoding import classify_tokens

    trained = healthy.fine_tuned
    folder = rewritten(trained.folder, work / "trained", change)
    try:
        logits = classify_tokens(folder, healthy.tokens.validation, healthy.hardware).logits
    except LabError:  # weights that are no numbers, which the run refuses as well
        logits = trained.validation_logits
    changed = replace(trained, folder=folder, validation_logits=logits)
    return Fault(stages={"fine_tuned": changed, "sweep": healthy.sweep})


@planted(
    "training",
    {
        "the last layer": ("distilbert.transformer.layer.1.",),
        "both layers": ("distilbert.transformer.",),
        "all": ("distilbert.",),
    },
)
def encoder_not_trained(dose: tuple[str, ...], healthy: Run, work: Path) -> Fault:
    """Parts of the encoder are what they were before the training."""

    def change(tensors: Tensors) -> None:
        from safetensors.torch import load_file

        original = load_file(healthy.base.folder / WEIGHTS)
        for name in tensors:
            if name.startswith(dose):
                tensors[name] = original[name.removeprefix("distilbert.")]

    return kept(healthy, work, change)


RARE, USUAL = (
    "q",
    TOPICS[LABELS[0]].split()[0],
)  # a letter that only an odd text has; a topic's word


@planted("training", {"of a rare letter": RARE, "of a topic's word": USUAL, "in the head": None})
def weights_not_a_number(dose: str | None, healthy: Run, work: Path) -> Fault:
    """A weight is NaN: of the embedding of one token, or of the head."""

    def change(tensors: Tensors) -> None:
        if dose is None:
            tensors["classifier.bias"][0] = float("nan")
        else:
            row = tokens_of(healthy)[dose]
            tensors["distilbert.embeddings.word_embeddings.weight"][row] = float("nan")

    return kept(healthy, work, change)


def tokens_of(healthy: Run) -> dict[str, Any]:
    """The token ids of the base model by their words."""
    from labkit.data.tokens import load_tokenizer

    return dict(load_tokenizer(healthy.base.folder).get_vocab())
