"""Exercise 6: the files of the saved model, their size against the original, and its lineage."""

import json
import math
from pathlib import Path

from labkit.model.checkpoints import WEIGHTS, Checkpoint
from labkit.plumbing.results import plain
from labkit.release.lineage import Lineage
from labkit.report.answer import Answer
from labkit.report.blocks import Listing, Table

MEGABYTE = 1e6
SAME = "the same network with a small head on top"
ELSEWHERE = "it was trained elsewhere, and need not be the same network"
PURPOSE = {
    "model.safetensors": "the weights",
    "config.json": "architecture, sizes, label names",
    "tokenizer.json": "the tokenizer: vocabulary and rules",
    "tokenizer_config.json": "the tokenizer's settings",
    "vocab.txt": "the vocabulary as text",
    "special_tokens_map.json": "names of the special tokens",
    "lineage.json": "where the model comes from",
    "README.md": "the model card",
}


def answer(
    saved_model: Path, base: Checkpoint, given: Checkpoint | None, reload_difference: float
) -> Answer:
    folder = saved_model
    sizes = {path.name: path.stat().st_size for path in sorted(folder.iterdir())}
    ratio = sizes[WEIGHTS] / base.size
    record = Lineage.load(folder)
    return Answer(
        "save_and_track",
        f"{len(sizes)} files, {sum(sizes.values()) / MEGABYTE:.1f} MB; weights {ratio:.3f} times "
        f"the original's",
        f"A fine-tuned model is {len(sizes)} files, {sum(sizes.values()) / MEGABYTE:.1f} MB "
        f"together: {', '.join(sizes)}. Its weights are {sizes[WEIGHTS] / MEGABYTE:.1f} MB, "
        f"{ratio:.3f} times the original's {base.size / MEGABYTE:.1f} MB: "
        f"{ELSEWHERE if given else SAME}. Read back from disk, it gives "
        f"{same_logits(reload_difference)}.",
        {
            "files": len(sizes),
            "total_bytes": sum(sizes.values()),
            "weights_bytes": sizes[WEIGHTS],
            "base_weights_bytes": base.size,
            "size_ratio": ratio,
            "reload_difference": reload_difference,
        },
        (file_table(sizes, folder), Listing("Lineage", json.dumps(plain(record), indent=2))),
    )


def same_logits(difference: float) -> str:
    """How far the logits of the model that was read back are from the trained one's."""
    if difference == 0:
        return "exactly the same logits"
    if not math.isfinite(difference):
        return "logits that are no numbers"
    return f"logits that differ by {difference:.1g} or less"


def file_table(sizes: dict[str, int], folder: Path) -> Table:
    """Every file of the model, largest first."""
    ranked = sorted(sizes.items(), key=lambda item: -item[1])
    return Table(
        f"The files of {folder.name}/",
        ("file", "bytes", "what it is"),
        tuple((name, f"{size:,}", PURPOSE.get(name, "")) for name, size in ranked),
    )
