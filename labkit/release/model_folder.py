"""The fine-tuned model as a folder that someone else can use: weights, tokenizer, lineage, card."""

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from filelock import FileLock

from labkit.model.checkpoints import CHECKPOINT_FILES
from labkit.plumbing.runner import Call
from labkit.release.card import CARD, model_card
from labkit.release.lineage import Ingredients, describe_files, record


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
    """Make `target` a copy of the folder `source`: whole, or as it was before."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(target.parent / f".{target.name}.lock"):
        if target.exists() and _same(source, target):
            return
        folder = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
        try:
            fresh, old = folder / "new", folder / "old"
            shutil.copytree(source, fresh)
            fresh.chmod(0o755)  # temporary folders are closed to others, a report is not
            if target.exists():
                target.rename(old)
            fresh.rename(target)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _same(source: Path, target: Path) -> bool:
    return describe_files(source) == describe_files(target)
