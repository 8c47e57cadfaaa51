"""The examples in the docs are ones that work: every option, value and setting is parsed."""

import re
import shlex
from typing import Any

import pytest

from labkit import profiles
from labkit.__main__ import parser
from labkit.evaluation import gates
from labkit.plugin import options, settings_file
from tests.running import ROOT

DOCS = sorted((ROOT / "docs").glob("*.md"))
FLAGS = {option.flag: option for option in options.OPTIONS}
SWITCHES = {f"--lab-{name}" for name in options.FLAGS}
BASELINES = {f"--lab-{name}" for name in options.BASELINE_OPTIONS}


def blocks(kind):
    """The fenced blocks of a kind in all pages, by page and number."""
    for page in DOCS:
        found = re.findall(rf"^( *)```{kind}\n(.*?)^ *```", page.read_text(), re.M | re.S)
        for number, (indent, text) in enumerate(found, start=1):
            lines = [line.removeprefix(indent) for line in text.splitlines()]
            yield pytest.param("\n".join(lines), id=f"{page.stem}-{number}")


def parse(command):
    """The settings in a `pytest` command line, by option name."""
    settings: dict[str, Any] = {}
    args = shlex.split(command)[1:]
    while args:
        flag, _, value = args.pop(0).partition("=")
        if not flag.startswith("--lab-") or flag in SWITCHES | BASELINES:
            continue
        option = FLAGS[flag]
        parsed = option.parse(value or args.pop(0))
        if option.repeats:
            settings.setdefault(option.name, {}).update([parsed])
        else:
            settings[option.name] = parsed
    return settings


@pytest.mark.parametrize("block", list(blocks("console")))
def test_a_command_of_the_docs_is_understood(block):
    commands = [line.removeprefix("$ ") for line in block.splitlines() if line.startswith("$ ")]
    assert commands
    for command in commands:
        if command.startswith("pytest"):
            settings = options.merge(parse(command))
            options.apply(profiles.EMBEDDED, settings)
            gates.thresholds("embedded", settings["gate"])
        elif command.startswith("labkit"):
            parser().parse_args(shlex.split(command.partition("<")[0])[1:])


@pytest.mark.parametrize("block", list(blocks("toml")))
def test_a_settings_file_of_the_docs_is_understood(tmp_path, block):
    path = tmp_path / "pyproject.toml"
    path.write_text(block)
    settings = options.merge(settings_file.read(path))
    options.apply(profiles.EMBEDDED, settings)
    gates.thresholds("embedded", settings["gate"])
