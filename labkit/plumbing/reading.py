"""Files that somebody else may have written: read within bounds, before anything is believed."""

import json
from pathlib import Path
from typing import Any

LARGEST = 2**27  # bytes of a configuration, a tokenizer or a record; the largest take a quarter


def check_regular(path: Path) -> None:
    """Raise OSError unless `path` is a file with an end: a pipe keeps us waiting, a device is endless.

    A link counts as what it leads to.
    """
    if not path.exists():
        reason = "is a link that leads nowhere" if path.is_symlink() else "is not there"
        raise OSError(f"{path}: {reason}")
    if not path.is_file():
        raise OSError(f"{path}: is no regular file")


def read_text(path: Path, largest: int = LARGEST) -> str:
    """The text of a small file; raises OSError or ValueError for what is none."""
    check_regular(path)
    with path.open("rb") as file:
        content = file.read(largest + 1)
    if len(content) > largest:
        raise ValueError(f"{path}: is larger than {largest / 2**20:g} MiB")
    return content.decode("utf-8")


def read_json(path: Path) -> Any:
    """The value in a JSON file; raises OSError or ValueError for what is none."""
    return parse_json(read_text(path))


def parse_json(text: str) -> Any:
    """The value of a JSON text; raises ValueError, also for one that is nested too deeply."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
