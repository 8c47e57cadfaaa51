"""The fine-tuned model as a folder that someone else can use: weights, tokenizer, lineage, card."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from labkit.errors import LabError
from labkit.model.checkpoints import CHECKPOINT_FILES
from labkit.plumbing.digests import file_digest
from labkit.plumbing.files import replace_folder
from labkit.plumbing.runner import Call
from labkit.release.card import CARD, model_card
from labkit.release.lineage import FILE, Ingredients, Lineage, describe_files, record


def assemble(made_of: Ingredients, call: Call) -> Path:
    """Write everything that makes up the lab's fine-tuned model; returns its folder."""
    model = call.folder / "model"
    model.mkdir()
    trained = made_of.fine_tuned.folder
    for file in sorted(trained.iterdir()):
        if file.name in CHECKPOINT_FILES:
            shutil.copyfile(file, model / file.name)
    lineage = record(made_of, model, call.durations)
    (model / CARD).write_text(model_card(made_of, lineage), encoding="utf-8")
    replace(lineage, files=describe_files(model)).save(model)  # the card is one of them
    return model


def publish(source: Path, target: Path) -> None:
    """Make `target` a copy of the folder `source`: whole, or as it was before.

    Raises LabError where `target` holds what no run of the lab has put there.
    """
    check_target(target)
    if not target.exists() or describe_files(source) != describe_files(target):
        replace_folder(target, lambda fresh: copy_files(source, fresh))


def copy_files(source: Path, target: Path) -> None:
    shutil.copytree(source, target, dirs_exist_ok=True)
    target.chmod(0o755)  # temporary folders are closed to others, a report is not


def check_target(target: Path) -> None:
    """Raise LabError unless a model may be put at `target`: nothing there, or one of the lab's own.

    It is the lab's own when its lineage accounts for every file in it.
    """
    if not os.path.lexists(target) or (target.is_dir() and not any(target.iterdir())):
        return
    stranger = find_stranger(target)
    if stranger:
        raise LabError(
            f"{target}: would be replaced by the saved model, but {stranger}; "
            "move it away, or name another folder"
        )


def find_stranger(target: Path) -> str | None:
    """What in a folder its lineage does not account for, in words; None for nothing."""
    if not target.is_dir():
        return "is no folder"
    try:
        known = Lineage.load(target).files
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return f"has no {FILE} of the lab"
    return unaccounted(target, known, FILE)


def unaccounted(target: Path, known: Mapping[str, Mapping[str, Any]], record: str) -> str | None:
    """What in a folder is neither its `record` nor `known` by that with its digest; None for nothing."""
    for path in sorted(target.rglob("*")):
        name = str(path.relative_to(target))
        if name != record and name not in known:
            return f"{name} is none of the lab's files"
        if name in known and not (
            path.is_file() and file_digest(path) == known[name].get("sha256")
        ):
            return f"{name} is not as the lab wrote it"
    return None
