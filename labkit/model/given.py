"""A fine-tuned model that was trained elsewhere: found, checked, and taken as it is."""

from pathlib import Path

from labkit.config import ModelSource, local_path
from labkit.errors import LabError
from labkit.model import soundness
from labkit.model.checkpoints import WEIGHTS, Checkpoint, check_files, digest_files, hub_snapshot
from labkit.plumbing.reading import read_json

NAME = "--lab-fine-tuned"
PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")


def resolve(source: ModelSource, name: str = NAME) -> Checkpoint:
    """The classifier's checkpoint, checked without torch.

    Raises LabError with the reason, for what the user knows by `name`.
    """
    folder = local_path(name, source.source) or hub_snapshot(source, f"{name} {source.source}")
    check_files(folder)
    if not (folder / WEIGHTS).exists():
        pickled = sorted(path.name for pattern in PICKLED for path in folder.glob(pattern))
        raise LabError(
            f"{name} {source.source}: has no {WEIGHTS}"
            + (
                f", only {pickled[0]}; a pickle can run code when it is read and is never loaded; "
                "save the model with safetensors"
                if pickled
                else ""
            )
        )
    labels = label_order(folder, source, name)
    soundness.check(folder)
    return Checkpoint(folder, source.source, source.revision, digest_files(folder), labels)


def label_order(folder: Path, source: ModelSource, name: str = NAME) -> tuple[str, ...]:
    """The labels in the order of the model's outputs, from `id2label` in its config."""
    where = f"{name} {source.source}"
    try:
        config = read_json(folder / "config.json")
        architectures = config.get("architectures") or []
        # transformers leaves the default out: two labels without names.
        names = config.get("id2label", {"0": "LABEL_0", "1": "LABEL_1"})
        labels = tuple(str(names[key]) for key in sorted(names, key=int))
    except (OSError, ValueError, AttributeError, TypeError):
        raise LabError(f"{where}: has no config.json that can be read") from None
    if not any(kind.endswith("ForSequenceClassification") for kind in architectures):
        raise LabError(
            f"{where}: is {', '.join(architectures) or 'of no named architecture'}, "
            "not a model for sequence classification"
        )
    if sorted(map(int, names)) != list(range(len(names))) or len(set(labels)) < max(2, len(labels)):
        raise LabError(
            f"{where}: id2label in its config.json does not number two or more labels from 0"
        )
    return labels
