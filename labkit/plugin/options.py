"""The lab's options, for pytest, for `labkit`'s commands and for TOML files.

Those of a run are made from the settings of `labkit.config`: the field `train_size` is
`--lab-train-size` for pytest, `lab_train_size` in its ini file, `--train-size` for `labkit
fine-tune`, and `train-size` in a `[tool.labkit]` table. Values are parsed here, before anything
heavy is imported.
"""

import csv
import os
import types
import typing
from argparse import ArgumentTypeError, Namespace
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, replace
from itertools import pairwise
from typing import Any

from labkit.config import (
    DataSource,
    LabConfig,
    ModelSource,
    Recipe,
    Selection,
    Setting,
    settings_of,
)
from labkit.errors import LabError
from labkit.profiles import PROFILES, check_label_texts
from labkit.runs.tracking import NONE, RUNS

Parser = Callable[[str], Any]


def one_of(*choices: str) -> Callable[[str], str]:
    """A parser that takes only `choices`."""

    def parse(text: str) -> str:
        if text not in choices:
            raise ArgumentTypeError(f"{text!r} is not one of {', '.join(choices)}")
        return text

    return parse


def whole_number(text: str) -> int:
    """A parser of integers."""
    try:
        return int(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r:.80} is not a whole number") from None


def real_number(text: str) -> float:
    """A parser of numbers."""
    try:
        return float(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r:.80} is not a number") from None


def text(value: str) -> str:
    """A parser of non-empty text."""
    if not value.strip():
        raise ArgumentTypeError("it must not be empty")
    return value


def names(value: str) -> tuple[str, ...]:
    """A parser of two or more different names between commas; quotes keep a comma in a name."""
    try:
        parts = next(csv.reader([value], skipinitialspace=True), [])
    except csv.Error as error:
        raise ArgumentTypeError(f"{value!r:.80} is no list of names: {error}") from None
    found = tuple(name.strip() for name in parts)
    if len(found) < 2 or not all(found) or len(set(found)) < len(found):
        raise ArgumentTypeError(f"{value!r:.200} is not two or more different names, as in a,b,c")
    return found


def named(parse: Parser) -> Callable[[str], tuple[str, Any]]:
    """A parser of `NAME=VALUE`, the value parsed by `parse`."""

    def parse_pair(pair: str) -> tuple[str, Any]:
        name, equals, value = pair.partition("=")
        if not (name.strip() and equals):
            raise ArgumentTypeError(f"{pair!r} is not of the form NAME=VALUE")
        try:
            return name.strip(), parse(value)
        except ArgumentTypeError as error:
            raise ArgumentTypeError(f"{name.strip()}: {error}") from None

    return parse_pair


@dataclass(frozen=True)
class Option:
    """One option: its name without prefix, parser, placeholder, and help.

    `kind` is the type that a TOML file gives it: a list for names, a table for an option that can
    be given several times as NAME=VALUE.
    """

    name: str
    parse: Parser
    metavar: str
    help: str
    kind: type = str

    @property
    def flag(self) -> str:
        return f"--lab-{self.name}"

    @property
    def key(self) -> str:
        return f"lab_{self.name.replace('-', '_')}"

    @property
    def repeats(self) -> bool:
        return self.kind is dict

    @property
    def toml(self) -> str:
        """The key in a TOML file: plural where it is a table."""
        return f"{self.name}s" if self.repeats else self.name

    def declare(self, add: Callable[..., Any], *spellings: str) -> None:
        """Declare it with argparse's `add_argument` or pytest's `addoption`, spelt as `flag` too."""
        add(
            *spellings,
            self.flag,
            dest=self.key,
            action="append" if self.repeats else "store",
            type=self.parse,
            metavar=self.metavar,
            help=self.help,
        )


KINDS: dict[Any, tuple[Parser, type]] = {  # by the type of a setting: its parser, TOML's type
    int: (whole_number, int),
    float: (real_number, float),
    str: (text, str),
    tuple[str, ...]: (names, list),
    Mapping[str, str]: (named(text), dict),
    ModelSource: (text, str),
    DataSource: (text, str),
}


def option_of(name: str, field: Field[Any], setting: Setting) -> Option:
    """The option that sets a field."""
    kind = field.type
    if isinstance(kind, types.UnionType):  # None besides
        (kind,) = (part for part in typing.get_args(kind) if part is not type(None))
    parse, toml = KINDS[kind]

    def checked(given: str) -> Any:
        value = parse(given)
        if wrong := setting.check(value):
            raise ArgumentTypeError(wrong.replace(str(value), given, 1))
        return value

    default = field.default
    shown = default not in (MISSING, None, ()) and field.default_factory is MISSING
    counted = f"{default} {setting.unit}".strip()
    about = f"{setting.help} (default: {counted})" if shown else setting.help
    return Option(name, checked, setting.placeholder, about, toml)


PARTS = (LabConfig, Selection, Recipe)
SETTINGS = {
    name: option_of(name, field, setting)
    for part in PARTS
    for name, (field, setting) in settings_of(part).items()
}
RUN_OPTIONS = (
    Option(
        "profile",
        one_of("auto", *PROFILES),
        "NAME",
        "auto (default), embedded (offline) or distilbert (from the Hub)",
    ),
    *SETTINGS.values(),
    Option(
        "report-to",
        one_of(NONE, *RUNS),
        "TRACKER",
        "follow the run in tensorboard, mlflow or wandb (default: none)",
    ),
)
OPTIONS = (
    *RUN_OPTIONS,
    Option("gate", named(real_number), "NAME=VALUE", "a gate's threshold; repeatable", dict),
    Option(
        "tolerance",
        named(real_number),
        "NAME=VALUE",
        "how much worse a metric may get under --lab-compare; repeatable",
        dict,
    ),
    Option("reports", text, "DIR", "folder for report, answers and model (default: reports)"),
)
PATHS = (
    "dataset",
    "base-model",
    "fine-tuned",
    "reports",
)  # relative to the TOML file that names them
FLAGS = {
    "fresh": "compute everything, whatever earlier runs stored",
    "gates": "print the gates with their thresholds and exit",
    "report-only": "compute and report; a claim or gate that fails does not fail the run",
}
REPORT_ONLY = "--lab-report-only"

# Options that can stand alone: without a value they mean the baseline in the reports folder.
BASELINE_OPTIONS = {
    "compare": ("RUN_OR_FILE", "fail where a metric is worse than in the baseline or another run"),
    "pin": ("FILE", "make this run the baseline if it passes"),
}


def typed(given: Namespace) -> list[str]:
    """The flags of the lab's options on pytest's command line."""
    valued = {option.flag: option.key for option in OPTIONS}
    valued |= {f"--lab-{name}": f"lab_{name}" for name in ("config", *BASELINE_OPTIONS)}
    flags = {f"--lab-{name}": f"lab_{name.replace('-', '_')}" for name in FLAGS}
    return [
        *(flag for flag, key in valued.items() if getattr(given, key) is not None),
        *(flag for flag, key in flags.items() if getattr(given, key)),
    ]


def separate_paths(args: Sequence[Any]) -> list[tuple[str, str]]:
    """Options and their values, as they were typed one after the other, where these are paths."""
    flags = {f"--lab-{name}" for name in (*PATHS, "config", *BASELINE_OPTIONS)}
    words = [str(arg) for arg in args]
    pairs = pairwise(words)
    return [(flag, value) for flag, value in pairs if flag in flags and os.path.exists(value)]


def parse_ini(option: Option, lines: Sequence[str]) -> Any:
    """Parse an option's value from the ini file; raises LabError that names the key."""
    try:
        values = [option.parse(line) for line in lines]
    except ArgumentTypeError as error:
        raise LabError(f"{option.key} in the ini file: {error}") from None
    return dict(values) if option.repeats else values[-1]


def merge(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by option name, the first layer that has one winning; tables are joined."""
    settings: dict[str, Any] = {}
    for option in OPTIONS:
        given = [layer[option.name] for layer in layers if layer.get(option.name) is not None]
        if option.repeats:
            settings[option.name] = {k: v for table in reversed(given) for k, v in table.items()}
        else:
            settings[option.name] = given[0] if given else None
    return settings


def apply(profile: LabConfig, settings: Mapping[str, Any]) -> LabConfig:
    """The profile with the user's settings, by option name, in place of its own."""
    changed: dict[str, Any] = {}
    selection = Selection() if settings.get("dataset") else profile.selection
    for name, (field, _) in settings_of(LabConfig).items():
        if (value := settings.get(name)) is None or value == {}:
            continue
        if isinstance(value, Mapping):
            value = {**getattr(profile, field.name), **value}
        kinds = {"dataset": DataSource, "base-model": ModelSource, "fine-tuned": ModelSource}
        changed[field.name] = kinds[name](value) if name in kinds else value
    config = replace(
        profile,
        selection=_override(selection, settings),
        recipe=_override(profile.recipe, settings),
        **changed,
    )
    if config.selection.labels:
        check_label_texts(config, config.selection.labels)
    return config


def _override(part: Any, settings: Mapping[str, Any]) -> Any:
    """A part of the configuration with the settings that are given."""
    given = {
        field.name: settings[name]
        for name, (field, _) in settings_of(part).items()
        if settings.get(name) is not None
    }
    return replace(part, **given)
