"""What earlier runs measured, and whether this one is worse: `history.jsonl` and a pinned baseline.

Every run appends a record. A baseline is a record in a file of its own; only `--lab-pin` writes
one, and only of a run that passed, so no regression becomes the next yardstick by itself.
"""

import datetime
import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

from labkit.errors import LabError
from labkit.plumbing import results, schema
from labkit.plumbing.files import LOCK
from labkit.plumbing.locks import locked
from labkit.plumbing.reading import parse_json, read_text
from labkit.runs.description import differences

FILE, BASELINE = "history.jsonl", "baseline.json"
PREDICTIONS = "predictions"  # the folder beside each, of the answers to the test posts
SCHEMA = 1  # of a record in them


@dataclass(frozen=True)
class Record:
    """One run: what it was made of, whether it passed, and every value by exercise."""

    run: str
    when: str
    commit: str | None
    profile: str
    base_model: str
    data: str
    data_fingerprint: str
    labels: list[str]
    recipe: dict[str, Any]
    passed: bool
    values: dict[str, dict[str, Any]]
    predictions: str | None = None  # the name of the file that has them (`post_by_post`)
    # By metric and seed: what runs gave that differ in their seed only, this one among them.
    seeds: dict[str, dict[str, float]] = field(default_factory=dict)
    # What `description` says besides; records of an older labkit have it not.
    trained_elsewhere: str = ""
    posts: dict[str, int] = field(default_factory=dict)
    selection: dict[str, Any] = field(default_factory=dict)
    libraries: dict[str, str] = field(default_factory=dict)
    machine: dict[str, Any] = field(default_factory=dict)
    schema: int = SCHEMA

    def append(self, folder: Path) -> None:
        """Add the record as one line to the history in `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        line = json.dumps(results.plain(self), allow_nan=False) + "\n"
        with locked(folder / LOCK), (folder / FILE).open("ab+") as file:
            if file.tell() and not _ends_a_line(file):  # of a run that was cut off
                line = "\n" + line
            file.write(line.encode())


@dataclass(frozen=True)
class Metric:
    """A value that runs are compared by; `tolerance` is the worsening that is put down to luck.

    A project's own can be a function `of` true classes (posts,) and probabilities (posts, classes).
    """

    name: str
    exercise: str
    higher_is_better: bool
    tolerance: float
    of: Callable[[Any, Any], float] | None = None
    title: str = ""

    def in_values(self, values: Mapping[str, Mapping[str, Any]]) -> float | None:
        """Its number in measured values by exercise; None where there is none."""
        return _number(values.get(self.exercise, {}).get(self.name))


# A rerun on the same machine gives the same numbers. The tolerances allow for another processor or
# library version, which flips the odd post: one test post in a hundred, a little in embedding space.
# Another training flips more: what luck explains then is added by the comparison (`Change.luck`).
METRICS = (
    Metric("topic_gap", "pretrained_knowledge", True, 0.02),
    Metric("zero_shot_accuracy", "zero_shot", True, 0.01),
    Metric("truncated_share", "training_data", False, 0.01),
    Metric("fine_tuned_accuracy", "fine_tune", True, 0.01),
    Metric("fine_tuned_macro_f1", "fine_tune", True, 0.01),
    Metric("margin", "fine_tune", True, 0.01),
    Metric("silhouette_after", "compare", True, 0.05),
    Metric("calibration_error", "compare", False, 0.02),
    Metric("invariance_high", "compare", False, 0.05),
    Metric("size_ratio", "save_and_track", False, 0.01),
    Metric("reload_difference", "save_and_track", False, 1e-5),
)


@dataclass(frozen=True)
class Change:
    """A metric in an earlier run and in this one; None where it was not measured.

    `luck` is the worsening that another draw of posts or another seed explains.
    """

    metric: Metric
    before: float | None
    after: float | None
    luck: float = 0.0

    @property
    def allowed(self) -> float:
        """The worsening that fails no run."""
        return max(self.metric.tolerance, self.luck)

    @property
    def worsening(self) -> float:
        """How much worse than before, in the metric's own unit; negative where it is better."""
        if self.before is None or self.after is None:
            return 0.0
        change = self.after - self.before
        return -change if self.metric.higher_is_better else change

    @property
    def regressed(self) -> bool:
        """Worse than the tolerance allows, or measured before and now without a number."""
        return self.before is not None and (self.after is None or self.worsening > self.allowed)

    @property
    def shown(self) -> str:
        """The change in one line."""
        before, after = (
            "nothing" if value is None else f"{value:.4g}" for value in (self.before, self.after)
        )
        verdict = "REGRESSED" if self.regressed else "new" if self.before is None else "ok"
        better = "higher" if self.metric.higher_is_better else "lower"
        return (
            f"{verdict:<9} {self.metric.name:<20} {before} -> {after} "
            f"({better} is better, {self.limit})"
        )

    @property
    def limit(self) -> str:
        """What worsening is allowed, and why."""
        if self.luck > self.metric.tolerance:
            return f"luck explains {self.luck:.2g}"
        return f"tolerance {self.metric.tolerance:g}"


@dataclass(frozen=True)
class Comparison:
    """This run against an earlier one; `differences` are what besides the code is not the same."""

    baseline: Record
    changes: tuple[Change, ...]
    differences: tuple[str, ...]

    @property
    def regressions(self) -> tuple[Change, ...]:
        return tuple(change for change in self.changes if change.regressed)


def compare(
    baseline: Record,
    values: Mapping[str, Mapping[str, Any]],
    now: Mapping[str, Any],
    tolerances: Mapping[str, float],
    metrics: Sequence[Metric] = METRICS,
    luck: Mapping[str, float] | None = None,
) -> Comparison:
    """Compare the metrics of the exercises in `values` with those of an earlier run.

    `values` has an entry, perhaps empty, for each exercise that was asked; `now` the fields of
    `Record` that describe this run. `luck` has, by metric, what it explains; a tolerance that the
    user gave counts as it is.
    """
    explained = {k: v for k, v in (luck or {}).items() if k not in tolerances}
    changes = []
    for metric in with_tolerances(tolerances, metrics):
        if metric.exercise in values:
            before, after = metric.in_values(baseline.values), metric.in_values(values)
            if before is not None or after is not None:
                changes.append(Change(metric, before, after, explained.get(metric.name, 0.0)))
    return Comparison(baseline, tuple(changes), tuple(differences(vars(baseline), now)))


def _number(value: object) -> float | None:
    """A measured number; None for what is none, as NaN, with which nothing can be compared."""
    try:
        return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else None
    except OverflowError:  # a whole number beyond all measuring
        return None


def with_tolerances(
    given: Mapping[str, float], metrics: Sequence[Metric] = METRICS
) -> tuple[Metric, ...]:
    """The metrics with the user's tolerances; raises LabError for a wrong name or number."""
    names = [metric.name for metric in metrics]
    for name, value in given.items():
        if name not in names:
            raise LabError(f"tolerance {name}: no such metric; there are {', '.join(names)}")
        if not 0 <= value < float("inf"):
            raise LabError(f"tolerance {name}: {value:g} is out of range, it takes 0 or more")
    return tuple(
        replace(metric, tolerance=given.get(metric.name, metric.tolerance)) for metric in metrics
    )


def find(asked: str, folder: Path) -> tuple[Record, tuple[str, ...]]:
    """The record to compare with: a file, a run in the history, or, for "", the baseline.

    With remarks on what in the history could not be read. Raises LabError where there is none, or
    where it is not one that passed.
    """
    path = Path(asked).expanduser() if asked else folder / BASELINE
    remarks: tuple[str, ...] = ()
    if path.exists():
        record = load(path, "--lab-compare")
    elif not asked:
        raise LabError(f"--lab-compare: no baseline in {path}; a run with --lab-pin writes one")
    else:
        record, remarks = _from_history(asked, folder / FILE)
    if not record.passed:
        raise LabError(f"--lab-compare: run {record.run} failed, and is no yardstick")
    return record, remarks


def load(path: Path, option: str) -> Record:
    """The record in a file; raises LabError, with the option's name, where there is none."""
    try:
        return _parse(read_text(path), f"{option}: {path}")
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        raise LabError(f"{option}: {path} is not the record of a run") from None


def new_run_name(started: float) -> str:
    """A run's name: its start (seconds since 1970) in UTC to the second, `20260131T235959Z`."""
    return datetime.datetime.fromtimestamp(started, datetime.UTC).strftime("%Y%m%dT%H%M%SZ")


def read(path: Path) -> tuple[list[Record], tuple[str, ...]]:
    """The records of a history, oldest first, and remarks on lines that cannot be read."""
    lines = path.read_text("utf-8", "replace").splitlines() if path.is_file() else []
    found, remarks = [], []
    for number, line in enumerate(lines, start=1):
        try:
            found.append(_parse(line, f"{path}: line {number}"))
        except LabError as error:
            remarks.append(f"{error}; it is left out")
        except (ValueError, TypeError, KeyError, AttributeError):
            if line.strip():
                remarks.append(f"{path}: line {number} is no record of a run; it is left out")
    return found, tuple(remarks)


def _from_history(asked: str, path: Path) -> tuple[Record, tuple[str, ...]]:
    known, remarks = read(path)
    found = [record for record in known if record.run.startswith(asked)]
    if not found:
        last = ", ".join(record.run for record in known[-5:]) or "none"
        raise LabError(f"--lab-compare {asked}: no such file or run; the last runs are {last}")
    return found[-1], remarks


def _parse(text: str, what: str) -> Record:
    """A record from its JSON; raises ValueError where a field is of another type."""
    document = parse_json(text)
    schema.check(document, SCHEMA, what)
    record = results.rebuild(Record, document)
    plain = results.plain(record)
    same = {name: document.get(name, default) for name, default in plain.items()}
    if json.dumps(same) != json.dumps(plain):  # in which 1 is not true
        raise ValueError
    return record


def _ends_a_line(file: BinaryIO) -> bool:
    file.seek(-1, os.SEEK_END)
    return file.read(1) == b"\n"
