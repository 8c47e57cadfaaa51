"""The classes of a data set: which column names them, and which of them are asked for."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import datasets
import numpy as np
import pyarrow as pa

from labkit.config import Selection
from labkit.errors import LabError

Raw = Mapping[str, datasets.Dataset]
LAB_GROUPS = ("rec.sport.baseball", "sci.space")  # what the lab takes where it is not told
SHOWN = 12  # names in an error message
INDEX = "__index_level_"
LABEL_COLUMNS = ("label_text", "label")
SLICE = "slice"
TEXT = ("string", "large_string")


@dataclass(frozen=True)
class Classes:
    """The label column, its values' names where it has numbers for them, and the labels to keep."""

    column: str
    names: tuple[str, ...] | None
    labels: tuple[str, ...]

    def name(self, value: Any) -> str:
        """The label that a value of the column stands for."""
        return str(value) if self.names is None else self.names[value]


def choose_classes(data: str, selection: Selection, raw: Raw) -> Classes:
    """The classes to keep: those asked for, or the lab's two groups, or all there are.

    `data` is the data set's name, with which an error begins.

    Raises LabError for what cannot be classified: missing columns, text that is not text, labels
    that are missing or fractions, a single class.
    """
    column = label_column(data, selection, raw)
    for name, split in raw.items():
        check_text(data, selection, name, split)
        check_labels(data, name, split, column)
        if SLICE in split.column_names:
            check_slices(data, name, split)
    feature = raw["train"].features[column]
    names = tuple(feature.names) if isinstance(feature, datasets.ClassLabel) else None
    found = Classes(column, names, ())
    present = {found.name(value) for value in raw["train"].unique(column)}
    if missing := [label for label in selection.labels if label not in present]:
        raise LabError(
            f"{data}: no posts of {missing[0]!r}; its groups are {listed(_sorted(present))}"
        )
    if len(present) < 2:
        raise LabError(
            f"{data}: has one class only, {next(iter(present), 'none at all')!r}, in column "
            f"{column!r}; there is nothing to tell apart"
        )
    default = LAB_GROUPS if present.issuperset(LAB_GROUPS) else tuple(_sorted(present))
    return Classes(column, names, selection.labels or default)


def in_order(classes: Classes, order: tuple[str, ...]) -> Classes:
    """The classes in the order of a given model's outputs; none given leaves them as they are.

    Raises LabError that says which labels differ, unless both have the same ones.
    """
    only_model = sorted({*order} - {*classes.labels})
    only_data = sorted({*classes.labels} - {*order})
    parts = [
        f"only the {who} has {listed([repr(label) for label in labels])}"
        for who, labels in (("model", only_model), ("data", only_data))
        if labels
    ]
    if order and parts:
        raise LabError(
            f"--lab-fine-tuned: its labels are not the data's: {'; '.join(parts)}; choose the "
            "data's with --lab-labels, or name the model's in id2label of its config.json"
        )
    return replace(classes, labels=order or classes.labels)


def label_column(data: str, selection: Selection, raw: Raw) -> str:
    """The column with the classes; raises LabError where it or the text column is missing."""
    for split in raw.values():
        columns = split.column_names
        wanted = (selection.label_column,) if selection.label_column else LABEL_COLUMNS
        if selection.text_column not in columns:
            raise _no_column(data, repr(selection.text_column), columns)
        if not any(name in columns for name in wanted):
            raise _no_column(data, " or ".join(map(repr, wanted)), columns)
        if any(column.startswith(INDEX) for column in columns):
            raise LabError(
                f"{data}: rows have more fields than the header; "
                "put texts that hold a comma into double quotes"
            )
    return next(name for name in wanted if name in columns)


def check_text(data: str, selection: Selection, name: str, split: datasets.Dataset) -> None:
    """Raise LabError unless the text column holds text."""
    kind = _kind(split.features[selection.text_column])
    if kind not in TEXT:
        held = "nothing" if kind == "null" else kind
        raise LabError(
            f"{data}: column {selection.text_column!r} holds {held}, not text "
            f"({name} split); name the one with the posts with --lab-text-column"
        )
    check_encoding(data, name, split, selection.text_column)


def check_labels(data: str, name: str, split: datasets.Dataset, column: str) -> None:
    """Raise LabError where a label is missing, or where labels are neither text nor integers."""
    check_encoding(data, name, split, column)
    feature = split.features[column]
    values = split.data.column(column)
    missing = np.asarray(values.is_null())
    kind = _kind(feature)
    if kind in TEXT:
        texts = values.to_pylist()
        missing |= np.array([not (value or "").strip() for value in texts], dtype=bool)
        if are_fractions({text for text in texts if text}):
            kind = "fractions"
    elif isinstance(feature, datasets.ClassLabel):
        missing |= np.asarray(values.to_numpy()) < 0  # -1 means unlabelled on the Hub
    if missing.any():
        raise LabError(
            f"{data}: {int(missing.sum())} of {len(split)} rows of the {name} split have no "
            f"label in column {column!r}, the first is row {int(missing.argmax()) + 1}"
        )
    if not (kind in (*TEXT, "bool") or kind.startswith(("int", "uint"))):
        raise LabError(
            f"{data}: labels in column {column!r} are {kind}; they must be text or whole "
            "numbers, one for each class"
        )


def are_fractions(labels: set[str]) -> bool:
    """Whether labels that stand there as text are all numbers, not all of them whole."""
    try:
        numbers = [float(label) for label in labels]
    except ValueError:
        return False
    return any(math.isfinite(number) and number % 1 for number in numbers)


def check_slices(data: str, name: str, split: datasets.Dataset) -> None:
    """Raise LabError unless the column `slice` holds names or numbers; a post may have none."""
    kind = _kind(split.features[SLICE])
    if not (kind in (*TEXT, "bool", "null") or kind.startswith(("int", "uint", "float"))):
        raise LabError(
            f"{data}: column {SLICE!r} holds {kind} ({name} split); it takes the name of the "
            "group that a post is reported with, or goes by another name"
        )
    check_encoding(data, name, split, SLICE)


def check_encoding(data: str, name: str, split: datasets.Dataset, column: str) -> None:
    """Raise LabError for a column of text that is not UTF-8, as a Parquet file can hold it."""
    try:
        split.data.column(column).validate(full=True)
    except pa.ArrowInvalid:
        raise LabError(
            f"{data}: column {column!r} holds text that is not UTF-8 ({name} split)"
        ) from None


def _kind(feature: Any) -> str:
    """The type of a column's values: `string`, `int64`, ..., in words where it is no plain one."""
    return str(getattr(feature, "dtype", "values of several kinds, or nested ones"))


def _no_column(data: str, wanted: str, columns: list[str]) -> LabError:
    """The error for a column that is not there.

    pandas takes the first fields of rows that are longer than the header for an index.
    """
    named = [column for column in columns if not column.startswith(INDEX)]
    hint = ""
    if len(named) == 1 and any(mark in named[0] for mark in ";\t|"):
        hint = "; is the delimiter a comma, as it must be?"
    return LabError(f"{data}: no column {wanted}; it has {listed(named)}{hint}")


def _sorted(labels: set[str]) -> list[str]:
    """Labels by name, numbers by value, which may have more digits than Python converts."""

    def place(name: str) -> tuple[int, str, str]:
        digits = name.lstrip("0")
        return (len(digits), digits, name) if name.isdecimal() else (-1, "", name)

    return sorted(labels, key=place)


def listed(names: list[str]) -> str:
    """The first dozen names, each cut short, and how many more there are."""
    shown = [name if len(name) <= 40 else f"{name[:40]}…" for name in names[:SHOWN]]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(shown) + more
