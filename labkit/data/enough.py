"""Whether there are posts enough of every class, to learn from and to measure on."""

from collections.abc import Mapping

import datasets
import numpy as np

from labkit.data.classes import listed
from labkit.errors import LabError

FEWEST = 4  # posts of a class: one to validate, one to test, two to learn from


def check_class_sizes(
    data: str, filled: dict[str, datasets.Dataset], labels: tuple[str, ...]
) -> None:
    """Raise LabError for classes that have too few posts to learn from and to measure on."""
    counts = np.bincount(
        np.concatenate([np.asarray(split["label"], dtype=int) for split in filled.values()]),
        minlength=len(labels),
    )
    few = [f"{label!r} has {n}" for label, n in zip(labels, counts, strict=True) if n < FEWEST]
    if few:
        more = f" and {len(few) - 5} more" if len(few) > 5 else ""
        raise LabError(
            f"{data}: a class needs {FEWEST} posts or more that are not empty; "
            f"{', '.join(few[:5])}{more}"
        )


def check_what_is_left(
    data: str, train: datasets.Dataset, labels: tuple[str, ...], repeated: int, in_test: int
) -> None:
    """Raise LabError where too few different posts of a class are left to learn from."""
    counts = np.bincount(np.asarray(train["label"], dtype=int), minlength=len(labels))
    few = [f"{label!r} has {n}" for label, n in zip(labels, counts, strict=True) if n < 2]
    if few:
        raise LabError(
            f"{data}: too few different posts are left to train and validate on, as {repeated} "
            f"repeat another and {in_test} also stand in the test split: {listed(few)}"
        )


def check_every_class(
    data: str, splits: Mapping[str, datasets.Dataset], labels: tuple[str, ...]
) -> None:
    """Raise LabError where a split lacks a class, which then could not be learned or measured."""
    for name, split in splits.items():
        present = set(split["label"])
        missing = [label for i, label in enumerate(labels) if i not in present]
        if missing:
            raise LabError(
                f"{data}: the {name} split has no posts of {listed(list(map(repr, missing)))}; "
                "add some, ask for more posts, or leave the class out with --lab-labels"
            )
