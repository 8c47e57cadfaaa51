"""`labkit export`: a saved model in a format that runs elsewhere."""

import argparse
import os
import tempfile
from pathlib import Path
from typing import Any

from labkit.commands.output import Lines
from labkit.errors import LabError, visible


def declare(commands: Any) -> None:
    """Declare the command with argparse."""
    command = commands.add_parser(
        "export",
        help="write a model as ONNX, compared with PyTorch on its test posts",
        description="Write a model that the lab saved as ONNX, with its tokenizer, and compare the "
        "logits of both on its test posts, of several lengths and in batches of several sizes. "
        "Exits with 1, and writes nothing, where a logit differs by more than the limit.",
    )
    command.add_argument("model", type=Path, metavar="FOLDER", help="a model that the lab saved")
    command.add_argument("--onnx", action="store_true", required=True, help="the format, ONNX")
    command.add_argument(
        "--output", type=Path, metavar="DIR", help="takes the export (default: FOLDER-onnx)"
    )
    command.add_argument("--dataset", metavar="PATH", help="where the data lies now")


def run(args: argparse.Namespace) -> int:
    """Export, print each comparison, and put the folder in its place where all hold."""
    from labkit.release import export

    model = args.model.absolute()
    target = args.output or args.model.with_name(f"{model.name}-onnx")
    export.check_extra()
    export.check_target(target)
    os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
    with tempfile.TemporaryDirectory(prefix="labkit-export-") as name:
        posts, fresh = Path(name, "posts"), Path(name, "fresh")
        posts.mkdir()
        fresh.mkdir()
        texts, max_length = export.posts_of(model, args.dataset, posts)
        Lines().say("tracing the model ...")
        found = export.export(model, texts, max_length, fresh)
        for one in found:
            print(
                f"{'ok  ' if one.holds else 'FAIL'} {one.posts} posts of {one.shortest} to "
                f"{one.longest} tokens, {one.batch} to a batch: a logit differs by at most "
                f"{one.difference:.2g} (limit {export.LIMIT:g})"
            )
        if not all(one.holds for one in found):
            return 1
        try:
            export.publish(fresh, target)
        except OSError as error:
            raise LabError(f"{target}: cannot be written to: {error.strerror or error}") from None
    print(visible(f"wrote {target}"))
    return 0
