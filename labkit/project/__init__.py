"""`labkit init`: a small project around the lab, which runs at once and is then its owner's.

The exercises are those of the lab itself: in a checkout its tests, in a wheel a part of the package
(`setup.py` puts them there). So `pytest --pyargs labkit.project.exercises` runs them without files.
"""

import argparse
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from labkit import __version__
from labkit.config import local_path
from labkit.errors import LabError
from labkit.plugin.options import SETTINGS

TEMPLATE = Path(__file__).parent / "template"
NAMES = {  # of the template's files in the project
    "pyproject.toml.jinja": "pyproject.toml",
    "README.md.jinja": "README.md",
    "lab.yml": ".github/workflows/lab.yml",
    "gitignore": ".gitignore",
}
CHOSEN = (
    "dataset",
    "text-column",
    "label-column",
    "labels",
)  # settings that the project starts with


def declare(commands: Any) -> None:
    """Declare the command with argparse."""
    command = commands.add_parser(
        "init",
        help="write a small project that runs the lab",
        description="Write settings, the six exercises, a workflow and a README to an empty folder. "
        "The files are yours to change; a data file is copied into the project.",
    )
    command.add_argument("folder", type=Path, metavar="FOLDER", help="takes the project")
    for name in CHOSEN:
        SETTINGS[name].declare(command.add_argument, f"--{name}")


def run(args: argparse.Namespace) -> int:
    """Write the project and say what comes next."""
    settings = {name: getattr(args, SETTINGS[name].key) for name in CHOSEN}
    files = write(args.folder, settings)
    print(f"wrote {len(files)} files to {args.folder}; now: cd {args.folder} && pytest")
    return 0


def write(folder: Path, settings: Mapping[str, Any]) -> list[Path]:
    """Write the project, with settings by option name; returns its files.

    Raises LabError for a folder that is not empty and for data that is not there.
    """
    from jinja2 import Environment, StrictUndefined

    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise LabError(f"{folder}: there is something already; name a folder that is new or empty")
    table = {name: value for name, value in settings.items() if value is not None}
    data = local_path("--dataset", table["dataset"]) if "dataset" in table else None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if data is not None:
            table["dataset"] = _take(data, folder)
        templates = Environment(undefined=StrictUndefined, keep_trailing_newline=True)
        templates.filters["toml"] = lambda value: json.dumps(value, ensure_ascii=False)
        for template, name in NAMES.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            text = (TEMPLATE / template).read_text("utf-8")
            if template.endswith(".jinja"):
                text = templates.from_string(text).render(table=table, version=__version__)
            path.write_text(text, "utf-8")
        (folder / "exercises").mkdir()
        for file in exercises():
            shutil.copyfile(file, folder / "exercises" / file.name)
    except OSError as error:
        raise LabError(f"{folder}: the project cannot be written: {error}") from None
    return sorted(path for path in folder.rglob("*") if path.is_file())


def exercises() -> list[Path]:
    """The modules of the six exercises."""
    inside = Path(__file__).parent / "exercises"
    folder = inside if inside.is_dir() else Path(__file__).parents[2] / "tests" / "exercises"
    return sorted(folder.glob("*.py"))


def _take(data: Path, folder: Path) -> str:
    """The data as the project names it: a file is copied into it, a folder stays where it is."""
    if data.is_dir():
        return str(data.resolve())
    (folder / "data").mkdir()
    shutil.copyfile(data, folder / "data" / data.name)
    return f"data/{data.name}"
