"""Exercise 6: the files of the saved model, their size against the original, and its lineage."""

import json
from dataclasses import asdict
from pathlib import Path

from labkit.answers.model import Answer, Listing, Table
from labkit.base_model import WEIGHTS
from labkit.lab import Lab
from labkit.lineage import Lineage

MEGABYTE = 1e6
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


def answer(lab: Lab) -> Answer:
    folder = lab.saved_model
    sizes = {path.name: path.stat().st_size for path in sorted(folder.iterdir())}
    ratio = sizes[WEIGHTS] / lab.base.size
    difference = lab.reload_difference
    record = Lineage.load(folder)
    return Answer(
        "save_and_track",
        f"{len(sizes)} files, {sum(sizes.values()) / MEGABYTE:.1f} MB; weights {ratio:.3f} times "
        f"the original's",
        f"A fine-tuned model is {len(sizes)} files, {sum(sizes.values()) / MEGABYTE:.1f} MB "
        f"together: {', '.join(sizes)}. Its weights are {sizes[WEIGHTS] / MEGABYTE:.1f} MB, "
        f"{ratio:.3f} times the original's {lab.base.size / MEGABYTE:.1f} MB: the same network "
        f"with a small head on top. Read back from disk, its logits differ by at most "
        f"{difference:.1g}.",
        {
            "files": len(sizes),
            "total_bytes": sum(sizes.values()),
            "weights_bytes": sizes[WEIGHTS],
            "base_weights_bytes": lab.base.size,
            "size_ratio": ratio,
            "reload_difference": difference,
        },
        (file_table(sizes, folder), Listing("Lineage", json.dumps(asdict(record), indent=2))),
    )


def file_table(sizes: dict[str, int], folder: Path) -> Table:
    """Every file of the model, largest first."""
    ranked = sorted(sizes.items(), key=lambda item: -item[1])
    return Table(
        f"The files of {folder.name}/",
        ("file", "bytes", "what it is"),
        tuple((name, f"{size:,}", PURPOSE.get(name, "")) for name, size in ranked),
    )
