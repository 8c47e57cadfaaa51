"""Settings from TOML: a `[tool.labkit]` table in pyproject.toml, or a file of their own."""

import csv
import difflib
import io
import os
import tomllib
from argparse import ArgumentTypeError
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from labkit.config import is_path
from labkit.errors import LabError
from labkit.plugin.options import OPTIONS, PATHS, Option
from labkit.plumbing.reading import read_text

KINDS = {
    str: "text in quotes",
    int: "a whole number",
    float: "a number",
    list: "a list",
    dict: "a table",
}


def find(root: Path, asked: str | None) -> Path | None:
    """The file that was asked for, else the project's pyproject.toml where it has our table."""
    if asked is not None:
        path = Path(asked).expanduser()
        if not path.is_file():
            raise LabError(f"--lab-config {asked}: there is no such file")
        return path
    path = root / "pyproject.toml"
    return path if path.is_file() and "labkit" in _tool(_load(path)) else None


def read(path: Path) -> dict[str, Any]:
    """Settings by option name. Relative paths start from the file's folder.

    A file of its own has the settings at its top, one with a `[tool.labkit]` table has them there.
    Raises LabError, with the valid names, for anything that is no setting.
    """
    document = _load(path)
    table = _tool(document).get("labkit", {}) if "tool" in document else document
    if not isinstance(table, dict):
        raise LabError(f"{path}: labkit takes a table, not {table!r:.80}")
    known = {option.toml: option for option in OPTIONS}
    settings = {}
    for key, value in table.items():
        if key not in known:
            near = difflib.get_close_matches(key, known, 1)
            hint = f"did you mean {near[0]}? " if near else ""
            raise LabError(
                f"{path}: there is no setting {key!r}; {hint}the settings are {', '.join(known)}"
            )
        settings[known[key].name] = _value(path, known[key], value)
    return settings


def _load(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(read_text(path))
    except (OSError, ValueError, RecursionError) as error:  # ValueError: also of tomllib
        raise LabError(f"{path}: is not valid TOML: {error}") from None


def _tool(document: dict[str, Any]) -> dict[str, Any]:
    """The table `tool` of a TOML document; empty where there is none."""
    tool = document.get("tool")
    return tool if isinstance(tool, dict) else {}


def _value(path: Path, option: Option, value: Any) -> Any:
    if not _fits(value, option.kind):
        raise LabError(f"{path}: {option.toml} takes {KINDS[option.kind]}, not {value!r:.80}")
    try:
        if isinstance(value, Mapping):
            return dict(option.parse(f"{name}={_text(item)}") for name, item in value.items())
        parsed = option.parse(_text(value))
    except ArgumentTypeError as error:
        raise LabError(f"{path}: {option.toml}: {error}") from None
    if option.name in PATHS:
        return _from_folder(path.parent, parsed)
    return parsed


def _fits(value: Any, kind: type) -> bool:
    """Whether TOML's type is the wanted one; a whole number is a number, true is none."""
    if isinstance(value, bool):
        return False
    return isinstance(value, (int, float) if kind is float else kind)


def _text(value: Any) -> str:
    """The value as it would be typed on the command line."""
    if isinstance(value, list):
        line = io.StringIO()
        csv.writer(line, lineterminator="").writerow(value)
        return line.getvalue()
    return str(value)


def _from_folder(folder: Path, value: str) -> str:
    """A path in `folder` as seen from here; a Hub id stays what it is, an absolute path too."""
    path = Path(value).expanduser()
    if path.is_absolute() or not (is_path(value) or (folder / path).exists()):
        return value
    seen = os.path.relpath(folder / path)
    return seen if is_path(seen) or Path(seen).exists() else f"./{seen}"
