"""Settings from TOML: a `[tool.labkit]` table in pyproject.toml, or a file of their own."""

import csv
import difflib
import io
import tomllib
from argparse import ArgumentTypeError
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from labkit.config import is_path
from labkit.errors import LabError
from labkit.plugin.options import OPTIONS, PATHS, Option

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
    return path if path.is_file() and "labkit" in _load(path).get("tool", {}) else None


def read(path: Path) -> dict[str, Any]:
    """Settings by option name. Relative paths start from the file's folder.

    A file of its own has the settings at its top, one with a `[tool.labkit]` table has them there.
    Raises LabError, with the valid names, for anything that is no setting.
    """
    document = _load(path)
    table = document["tool"].get("labkit", {}) if "tool" in document else document
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
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise LabError(f"{path}: is not valid TOML: {error}") from None


def _value(path: Path, option: Option, value: Any) -> Any:
    if not _fits(value, option.kind):
        raise LabError(f"{path}: {option.toml} takes {KINDS[option.kind]}, not {value!r}")
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
    """A path as seen from `folder`; a Hub id stays what it is."""
    beside = folder / Path(value).expanduser()
    return str(beside) if is_path(value) or beside.exists() else value
