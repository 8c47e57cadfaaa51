"""Where a model comes from, recorded so that it can be checked: `lineage.json`.

Base model, data with a content fingerprint, hyperparameters, seed, packages, commit, machine,
durations, metrics, and the digest of every file of the model.
"""

import datetime
import importlib.metadata
import json
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labkit.config import fingerprint
from labkit.store import file_digest, library_versions

if TYPE_CHECKING:
    from labkit.lab import Lab

FILE = "lineage.json"


@dataclass(frozen=True)
class Lineage:
    """The record of one fine-tuned model; all fields are JSON-able."""

    created: str
    labkit: str
    commit: str | None
    profile: str
    config: dict[str, Any]
    base_model: dict[str, Any]
    data: dict[str, Any]
    recipe: dict[str, Any]
    trained_elsewhere: str | None
    hardware: dict[str, Any]
    machine: dict[str, Any]
    packages: dict[str, str]
    bit_for_bit: dict[str, Any]
    durations: dict[str, float]
    metrics: dict[str, float]
    files: dict[str, dict[str, Any]]

    def save(self, folder: Path) -> None:
        """Write `lineage.json` into `folder`."""
        (folder / FILE).write_text(json.dumps(asdict(self), indent=2, allow_nan=False) + "\n")

    @classmethod
    def load(cls, folder: Path) -> "Lineage":
        """Read `lineage.json` of `folder`."""
        return cls(**json.loads((folder / FILE).read_text()))


def record(lab: "Lab", model: Path) -> Lineage:
    """The lineage of the model in the folder `model`, from what the lab measured."""
    from labkit.hardware import describe_machine

    metrics: dict[str, float] = {}
    for name, evaluation in lab.evaluations.items():
        metrics[f"{name}_accuracy"] = evaluation.accuracy.value
        metrics[f"{name}_macro_f1"] = evaluation.macro_f1.value
    if lab.trains:
        best = lab.history.best_epoch
        metrics["best_epoch"] = best
        metrics["validation_loss"] = lab.history.epochs[best - 1].validation_loss
    return Lineage(
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        labkit=importlib.metadata.version("labkit"),
        commit=commit(),
        profile=lab.config.profile,
        config=lab.config.to_dict(),
        base_model=lab.base.describe(),
        data=describe_data(lab),
        recipe=asdict(lab.config.recipe) if lab.trains else {},
        trained_elsewhere=lab.config.fine_tuned.source if lab.config.fine_tuned else None,
        hardware=asdict(lab.hardware),
        machine=describe_machine(),
        packages=library_versions(),
        bit_for_bit=lab.repeatability,
        durations={stage: round(entry.seconds, 3) for stage, entry in lab.entries.items()},
        metrics=metrics,
        files=describe_files(model),
    )


def describe_data(lab: "Lab") -> dict[str, Any]:
    """The data set with its content fingerprint, and what was made of it."""
    source = lab.config.data
    return {
        "source": source.name,
        "revision": source.revision,
        "fingerprint": fingerprint(lab.data_digests),
        "labels": list(lab.splits.labels),
        "split_sizes": {name: len(split) for name, split in lab.splits.items()},
        "split_seed": source.seed,
        "cleaning": asdict(lab.splits.cleaning),
    }


def describe_files(folder: Path) -> dict[str, dict[str, Any]]:
    """Size in bytes and SHA-256 of every file of a model folder."""
    return {
        path.name: {"bytes": path.stat().st_size, "sha256": file_digest(path)}
        for path in sorted(folder.iterdir())
        if path.is_file()
    }


def commit(folder: Path = Path(__file__).parent) -> str | None:
    """The commit of the checkout around `folder`, `+` for local changes; None outside git.

    Without a folder, of the one that labkit runs from.
    """
    try:
        head = subprocess.run(
            ["git", "-C", str(folder), "describe", "--always", "--abbrev=12", "--dirty=+"],
            capture_output=True,
            text=True,
            timeout=10,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return head.stdout.strip() or None
