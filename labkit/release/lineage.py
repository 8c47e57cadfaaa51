"""Where a model comes from, recorded so that it can be checked: `lineage.json`.

Base model, data with a content fingerprint, hyperparameters, seed, packages, commit, machine,
durations, metrics, and the digest of every file of the model.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labkit import __version__
from labkit.plumbing import results, schema
from labkit.plumbing.digests import file_digest
from labkit.plumbing.hardware import Hardware, describe_machine
from labkit.plumbing.reading import read_json
from labkit.plumbing.store import library_versions

if TYPE_CHECKING:  # their imports take seconds, and who only reads a record need not wait
    from labkit.config import LabConfig
    from labkit.data.files import DataFiles
    from labkit.data.posts import Posts
    from labkit.evaluation.metrics import Evaluations
    from labkit.model.checkpoints import Checkpoint
    from labkit.training.history import FineTuned, Repeatability
    from labkit.training.plan import Plan

FILE = "lineage.json"
SCHEMA = 1  # of the file


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
    plan: dict[str, Any] = field(default_factory=dict)  # how the recipe was found
    schema: int = SCHEMA

    def save(self, folder: Path) -> None:
        """Write `lineage.json` into `folder`."""
        text = json.dumps(results.plain(self), indent=2, allow_nan=False)
        (folder / FILE).write_text(text + "\n")

    @classmethod
    def load(cls, folder: Path) -> Lineage:
        """Read `lineage.json` of `folder`; raises LabError for one of a newer schema."""
        document = read_json(folder / FILE)
        schema.check(document, SCHEMA, str(folder / FILE))
        return results.rebuild(cls, document)


@dataclass(frozen=True)
class Ingredients:
    """All that a saved model is made of and was measured by."""

    config: LabConfig
    data_files: DataFiles
    base: Checkpoint
    posts: Posts
    plan: Plan | None
    fine_tuned: FineTuned
    evaluations: Evaluations
    repeatability: Repeatability | None
    hardware: Hardware
    commit: str | None


def record(made_of: Ingredients, model: Path, durations: Mapping[str, float]) -> Lineage:
    """The lineage of the model in the folder `model`; `durations` are the seconds by stage."""
    config, history = made_of.config, made_of.fine_tuned.history
    metrics: dict[str, float] = {}
    for name, evaluation in made_of.evaluations.items():
        metrics[f"{name}_accuracy"] = evaluation.accuracy.value
        metrics[f"{name}_macro_f1"] = evaluation.macro_f1.value
    if history:
        metrics["best_epoch"] = history.best_epoch
        metrics["validation_loss"] = history.epochs[history.best_epoch - 1].validation_loss
    elsewhere = config.trained_elsewhere
    return Lineage(
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        labkit=__version__,
        commit=made_of.commit,
        profile=config.profile,
        config=results.plain(config),
        base_model=describe_base(made_of.base),
        data=describe_data(made_of),
        recipe=results.plain(made_of.plan.recipe) if made_of.plan else {},
        plan=describe_plan(made_of.plan) if made_of.plan else {},
        trained_elsewhere=elsewhere.source if elsewhere else None,
        hardware=results.plain(made_of.hardware),
        machine=describe_machine(),
        packages=library_versions(),
        bit_for_bit=describe_repeatability(made_of.repeatability),
        durations={stage: round(seconds, 3) for stage, seconds in durations.items()},
        metrics=metrics,
        files=describe_files(model),
    )


def describe_plan(plan: Plan) -> dict[str, Any]:
    """How the hyperparameters were found, and what was tried to find them."""
    return {"why": plan.why, "tried": results.plain(plan.tried)}


def describe_repeatability(found: Repeatability | None) -> dict[str, Any]:
    """Whether it was checked, and what came out."""
    if found is None:
        return {"checked": False}
    return {"checked": True, "identical": found.identical, **results.plain(found)}


def describe_base(base: Checkpoint) -> dict[str, Any]:
    """The base model by name, revision, and digest and size of its weights."""
    return {"name": base.name, "revision": base.revision, "sha256": base.sha256, "bytes": base.size}


def describe_data(made_of: Ingredients) -> dict[str, Any]:
    """The data set with its content fingerprint, and what was made of it."""
    config = made_of.config
    return {
        "source": made_of.data_files.name,
        "revision": config.data.revision,
        "fingerprint": made_of.data_files.fingerprint,
        "split_seed": config.selection.split_seed,
        **describe_posts(made_of.posts),
    }


def describe_posts(posts: Posts) -> dict[str, Any]:
    """What was made of the data: classes, splits, and how many posts each step dropped."""
    return {
        "labels": list(posts.labels),
        "split_sizes": {name: len(split) for name, split in posts.items()},
        "cleaning": results.plain(posts.cleaning),
    }


def describe_files(folder: Path) -> dict[str, dict[str, Any]]:
    """Size in bytes and SHA-256 of every file of a model folder."""
    return {
        path.name: {"bytes": path.stat().st_size, "sha256": file_digest(path)}
        for path in sorted(folder.iterdir())
        if path.is_file()
    }
