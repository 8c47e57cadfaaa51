"""What a training that was cut off goes on from: checkpoints of the Trainer that are whole.

The Trainer writes one file after the other. When all are there, a record of their digests is put
beside them in one step; a checkpoint without it, or unlike it, does not count.
"""

import json
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from labkit.plumbing import processes
from labkit.plumbing.digests import file_digest
from labkit.plumbing.files import write_files
from labkit.plumbing.reading import read_json

WHOLE = "whole.json"
STATE = "trainer_state.json"


class MarkWhole(TrainerCallback):
    """Marks every checkpoint as whole once all processes have written their part of it."""

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        processes.wait_for_all()
        if state.is_world_process_zero:
            mark_whole(Path(str(args.output_dir), f"checkpoint-{state.global_step}"))


def mark_whole(checkpoint: Path) -> None:
    """Write down the digests of a checkpoint's files, last."""
    files = sorted(path for path in checkpoint.rglob("*") if path.is_file())
    digests = {str(file.relative_to(checkpoint)): file_digest(file) for file in files}
    write_files(checkpoint, {WHOLE: json.dumps(digests, indent=1)})


def is_whole(checkpoint: Path) -> bool:
    """Whether all files of a checkpoint are as they were when the last of them was written."""
    try:
        digests = read_json(checkpoint / WHOLE)
        return all(file_digest(checkpoint / name) == digest for name, digest in digests.items())
    except (OSError, ValueError, AttributeError, TypeError):
        return False


def last_whole(folder: Path) -> str | None:
    """The newest checkpoint in `folder` that is whole, and with it the best one until then.

    The Trainer goes on from the one and takes the best epoch's weights from the other.
    """
    newest_first = sorted(
        (path for path in folder.glob("checkpoint-*") if path.name[11:].isdecimal()),
        key=lambda path: -int(path.name[11:]),
    )
    for checkpoint in newest_first:
        if is_whole(checkpoint):
            best = read_json(checkpoint / STATE).get("best_model_checkpoint")
            if best is None or (
                Path(best).resolve().parent == folder.resolve() and is_whole(Path(best))
            ):
                return str(checkpoint)
    return None
