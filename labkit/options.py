"""The lab's options, each defined once for pytest, for `labkit`'s commands and for TOML files.

`Option("train-size", ...)` is `--lab-train-size` for pytest, `lab_train_size` in its ini file,
`--train-size` for `labkit fine-tune`, and `train-size` in a `[tool.labkit]` table. Values are
parsed here, before anything heavy is imported.
"""

import csv
from argparse import ArgumentTypeError
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from labkit.config import DataSource, LabConfig, ModelSource
from labkit.errors import LabError
from labkit.profiles import PROFILES
from labkit.tracking import NONE, RUNS


def one_of(*choices: str) -> Callable[[str], str]:
    """A parser that takes only `choices`."""

    def parse(text: str) -> str:
        if text not in choices:
            raise ArgumentTypeError(f"{text!r} is not one of {', '.join(choices)}")
        return text

    return parse


def whole_number(low: int, high: int | None = None) -> Callable[[str], int]:
    """A parser of integers from `low` to `high`."""

    def parse(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            raise ArgumentTypeError(f"{text!r} is not a whole number") from None
        if number < low or (high is not None and number > high):
            limits = f"from {low} to {high}" if high is not None else f"{low} or more"
            raise ArgumentTypeError(f"{number} is out of range, it takes {limits}")
        return number

    return parse


def real_number(text: str) -> float:
    """A parser of numbers."""
    try:
        return float(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not a number") from None


def rate(text: str) -> float:
    """A parser of learning rates: above 0, at most 1."""
    number = real_number(text)
    if not 0 < number <= 1:
        raise ArgumentTypeError(f"{text} is out of range, it takes a number above 0, at most 1")
    return number


def text(value: str) -> str:
    """A parser of non-empty text."""
    if not value.strip():
        raise ArgumentTypeError("it must not be empty")
    return value


def names(value: str) -> tuple[str, ...]:
    """A parser of two or more different names between commas; quotes keep a comma in a name."""
    found = tuple(name.strip() for name in next(csv.reader([value], skipinitialspace=True), []))
    if len(found) < 2 or not all(found) or len(set(found)) < len(found):
        raise ArgumentTypeError(f"{value!r} is not two or more different names, as in a,b,c")
    return found


def named(parse: Callable[[str], Any]) -> Callable[[str], tuple[str, Any]]:
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
    parse: Callable[[str], Any]
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


RUN_OPTIONS = (
    Option(
        "profile",
        one_of("auto", *PROFILES),
        "NAME",
        "auto (default), embedded (offline) or distilbert (from the Hub)",
    ),
    Option(
        "dataset",
        text,
        "PATH_OR_ID",
        "a folder, a CSV, JSON lines or Parquet file, or a Hub id, for the profile's own data",
    ),
    Option("text-column", text, "NAME", "column with the posts (default: text)"),
    Option("label-column", text, "NAME", "column with the classes (default: label_text or label)"),
    Option("labels", names, "A,B,...", "two or more classes to keep (default: all)", list),
    Option(
        "label-text",
        named(text),
        "LABEL=WORDS",
        "a label's wording for zero-shot (default: its name made readable); repeatable",
        dict,
    ),
    Option("base-model", text, "PATH_OR_ID", "a DistilBERT's folder or Hub id, likewise"),
    Option(
        "fine-tuned",
        text,
        "PATH_OR_ID",
        "a classifier that was trained elsewhere, to be measured instead of training one",
    ),
    Option("train-size", whole_number(2), "N", "train posts (default: up to 600)", int),
    Option("validation-size", whole_number(2), "N", "validation posts (default: up to 150)", int),
    Option("epochs", whole_number(1), "N", "epochs of fine-tuning (default: 3)", int),
    Option("learning-rate", rate, "RATE", "peak learning rate (default: 5e-5)", float),
    Option("batch-size", whole_number(1), "N", "posts in a training batch (default: 16)", int),
    Option("max-length", whole_number(8, 512), "N", "token limit of a post (default: 256)", int),
    Option("seed", whole_number(0, 2**32 - 1), "N", "seed of head, batches and splits (42)", int),
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


# Options that can stand alone: without a value they mean the baseline in the reports folder.
BASELINE_OPTIONS = {
    "compare": ("RUN_OR_FILE", "fail where a metric is worse than in the baseline or another run"),
    "pin": ("FILE", "make this run the baseline if it passes"),
}


def join_paths(args: Sequence[str]) -> list[str]:
    """The arguments with `--lab-x PATH` written as `--lab-x=PATH` wherever PATH exists."""
    flags = {option.flag for option in OPTIONS} | {"--lab-config", "--lab-compare"}
    joined: list[str] = []
    for arg in args:
        if joined and joined[-1] in flags and Path(arg).exists():
            joined[-1] += f"={arg}"
        else:
            joined.append(arg)
    return joined


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
    data, base, recipe = profile.data, profile.base_model, profile.recipe
    if dataset := settings.get("dataset"):
        data = DataSource(dataset, label_texts=data.label_texts)
    if source := settings.get("base-model"):
        base = ModelSource(source)
    data = _override(
        data, settings, "text-column", "label-column", "labels", "train-size", "validation-size"
    )
    data = _override(data, settings, "seed")
    data = replace(data, label_texts={**data.label_texts, **(settings.get("label-text") or {})})
    recipe = _override(
        recipe, settings, "epochs", "learning-rate", "batch-size", "max-length", "seed"
    )
    check_label_texts(data, settings.get("label-text") or {})
    given = settings.get("fine-tuned")
    fine_tuned = ModelSource(given) if given else None
    return replace(profile, data=data, base_model=base, recipe=recipe, fine_tuned=fine_tuned)


def check_label_texts(data: DataSource, given: Mapping[str, str]) -> None:
    """Raise LabError for the wording of a label that is not asked for."""
    for label in given:
        if data.labels and label not in data.labels:
            raise LabError(
                f"--lab-label-text {label}=...: no such label; "
                f"the labels are {', '.join(data.labels)}"
            )


def _override(part: Any, settings: Mapping[str, Any], *names: str) -> Any:
    given = {
        name.replace("-", "_"): settings[name] for name in names if settings.get(name) is not None
    }
    return replace(part, **given)
