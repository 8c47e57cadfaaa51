"""Seal the answers into the package: `python -m tests.puzzles.seal`."""

import json
import tomllib
from dataclasses import asdict
from pathlib import Path
from typing import Any

from labkit.puzzles.sealed import FILE, Puzzle, seal

ANSWERS = Path(__file__).with_name("answers.toml")


def answers() -> list[dict[str, Any]]:
    """What only the author knows, puzzle by puzzle."""
    table: list[dict[str, Any]] = tomllib.loads(ANSWERS.read_text("utf-8"))["puzzle"]
    return table


def sealed() -> list[Puzzle]:
    """All puzzles, made from their answers."""
    return [
        seal(number, one["grade"], one["name"], one["hints"], one["reason"])
        for number, one in enumerate(answers(), start=1)
    ]


if __name__ == "__main__":
    FILE.write_text(json.dumps([asdict(puzzle) for puzzle in sealed()], indent=2) + "\n")
