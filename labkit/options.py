"""The lab's options: each one is `--lab-NAME` on the command line and `lab_NAME` in pytest's ini.

The command line wins. Values are parsed here, before anything heavy is imported.
"""

from argparse import ArgumentTypeError
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from labkit.config import DataSource, LabConfig, ModelSource
from labkit.errors import LabError
from labkit.profiles import PROFILES


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


def rate(text: str) -> float:
    """A parser of learning rates: above 0, at most 1."""
    try:
        number = float(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not a number") from None
    if not 0 < number <= 1:
        raise ArgumentTypeError(f"{text} is out of range, it takes a number above 0, at most 1")
    return number


def text(value: str) -> str:
    """A parser of non-empty text."""
    if not value.strip():
        raise ArgumentTypeError("it must not be empty")
    return value


@dataclass(frozen=True)
class Option:
    """One option: its name without prefix, parser, placeholder, and help."""

    name: str
    parse: Callable[[str], Any]
    metavar: str
    help: str

    @property
    def flag(self) -> str:
        return f"--lab-{self.name}"

    @property
    def key(self) -> str:
        return f"lab_{self.name.replace('-', '_')}"


OPTIONS = (
    Option(
        "profile",
        one_of("auto", *PROFILES),
        "NAME",
        "auto (default), embedded (offline) or distilbert (from the Hub)",
    ),
    Option("dataset", text, "PATH_OR_ID", "a data set's folder or Hub id, for the profile's own"),
    Option("base-model", text, "PATH_OR_ID", "a DistilBERT's folder or Hub id, likewise"),
    Option("train-size", whole_number(2), "N", "train posts (default: up to 600)"),
    Option("validation-size", whole_number(2), "N", "validation posts (default: up to 150)"),
    Option("epochs", whole_number(1), "N", "epochs of fine-tuning (default: 3)"),
    Option("learning-rate", rate, "RATE", "peak learning rate (default: 5e-5)"),
    Option("batch-size", whole_number(1), "N", "posts in a training batch (default: 16)"),
    Option("max-length", whole_number(8, 512), "N", "token limit of a post (default: 256)"),
    Option("seed", whole_number(0, 2**32 - 1), "N", "seed of head, batches and splits (42)"),
    Option("reports", text, "DIR", "folder for report, answers and model (default: reports)"),
)


def join_paths(args: Sequence[str]) -> list[str]:
    """The arguments with `--lab-x PATH` written as `--lab-x=PATH` wherever PATH exists."""
    flags = {option.flag for option in OPTIONS}
    joined: list[str] = []
    for arg in args:
        if joined and joined[-1] in flags and Path(arg).exists():
            joined[-1] += f"={arg}"
        else:
            joined.append(arg)
    return joined


def parse_ini(option: Option, value: str) -> Any:
    """Parse an option's value from the ini file; raises LabError that names the key."""
    try:
        return option.parse(value)
    except ArgumentTypeError as error:
        raise LabError(f"{option.key} in the ini file: {error}") from None


def apply(profile: LabConfig, settings: Mapping[str, Any]) -> LabConfig:
    """The profile with the user's settings, by option name, in place of its own."""
    data, base, recipe = profile.data, profile.base_model, profile.recipe
    if dataset := settings.get("dataset"):
        data = DataSource(dataset, labels=data.labels, label_texts=data.label_texts)
    if source := settings.get("base-model"):
        base = ModelSource(source)
    data = _override(data, settings, "train-size", "validation-size", "seed")
    recipe = _override(
        recipe, settings, "epochs", "learning-rate", "batch-size", "max-length", "seed"
    )
    return replace(profile, data=data, base_model=base, recipe=recipe)


def _override(part: Any, settings: Mapping[str, Any], *names: str) -> Any:
    given = {
        name.replace("-", "_"): settings[name] for name in names if settings.get(name) is not None
    }
    return replace(part, **given)
