"""From a data set to three clean splits, with every dropped post counted.

Load -> keep the groups asked for -> drop empty posts -> drop train posts that repeat -> drop train
posts whose text also stands in the test split, or nearly -> stratified train/validation split. The test
split is the data set's own: in 20 Newsgroups "bydate" it lies later in time. Where a data set brings
none, a stratified fifth of its posts is set aside first. It is measured on whole, or on a stratified part;
no post of it is learned from either way.
"""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, TypeVar

import datasets
import numpy as np

from labkit.config import Selection
from labkit.data.classes import LAB_GROUPS, LABEL_COLUMNS, SLICE, Classes, choose_classes, in_order
from labkit.data.enough import check_class_sizes, check_every_class, check_what_is_left
from labkit.data.files import DataFiles, read
from labkit.data.stratified import stratified_sample
from labkit.data.texts import Known, text_digest
from labkit.errors import LabError

SPLITS = ("train", "validation", "test")
EXTRAS: tuple[str, ...] = (SLICE, "id")  # columns kept where the data set brings them
DEFAULT_TRAIN, DEFAULT_VALIDATION = 600, 150
NO_SLICE = "(none)"  # of a post that names none where others do
MOST_SLICES, OTHER_SLICES = 20, "(all other slices)"


@dataclass(frozen=True)
class Cleaning:
    """How many posts of the groups asked for each step dropped, for train and test together.

    `set_aside` is the size of a test split that was made because the data set brings none. `unused`
    are the posts that were left of each split, where there were more than were asked for.
    """

    loaded: dict[str, int]
    empty: dict[str, int]
    repeated: int
    also_in_test: int
    set_aside: int = 0
    unused: dict[str, int] = field(default_factory=dict)


T = TypeVar("T")


@dataclass(frozen=True)
class BySplit(Generic[T]):
    """One value for each split; of arrays, a row for each post."""

    train: T
    validation: T
    test: T

    def items(self) -> Iterator[tuple[str, T]]:
        """The values by split, in the order of their use."""
        yield from ((name, getattr(self, name)) for name in SPLITS)


Embeddings = BySplit[np.ndarray]  # (posts, dim)


@dataclass(frozen=True)
class Posts:
    """The posts of one experiment.

    Every split has the columns `text` and `label` (index into `labels`), and `slice` and `id`
    where the data set brings them.
    """

    train: datasets.Dataset
    validation: datasets.Dataset
    test: datasets.Dataset
    labels: tuple[str, ...]
    cleaning: Cleaning

    def items(self) -> Iterator[tuple[str, datasets.Dataset]]:
        """The splits by name, in the order of their use."""
        yield from ((name, getattr(self, name)) for name in SPLITS)

    @cached_property
    def truth(self) -> BySplit[np.ndarray]:
        """Class indices (posts,) of each split."""
        return BySplit(*(column(split, "label") for _, split in self.items()))

    @cached_property
    def slices(self) -> np.ndarray | None:
        """The slice of each test post (posts,); None where the data set has no slices.

        Of more than `MOST_SLICES` the rare ones are one together.
        """
        if SLICE not in self.test.column_names:
            return None
        names = column(self.test, SLICE).astype(str)
        found, counts = np.unique(names, return_counts=True)
        kept = found[np.argsort(-counts, kind="stable")[:MOST_SLICES]]
        return names if len(found) <= MOST_SLICES else _rest(names, kept)


def column(split: datasets.Dataset, name: str) -> np.ndarray:
    """A column of numbers or short names as one array (posts,), not value by value."""
    return np.asarray(split.with_format("arrow")[:][name])


def load_posts(
    files: DataFiles, selection: Selection, order: tuple[str, ...], cache: Path
) -> Posts:
    """Read, clean and split the posts; `cache` takes the Arrow files made on the way.

    `order` are the same labels as a given model numbers them, empty for none.

    Raises LabError where a column, a group or enough posts are missing.
    """
    verbatim = (selection.label_column or "", *LABEL_COLUMNS, SLICE)
    raw = read(files.path, cache, verbatim)
    if "train" not in raw:
        raise LabError(f"{files.name}: needs a train split, has {', '.join(sorted(raw))}")
    classes = in_order(choose_classes(files.name, selection, raw), order)
    labelled = {name: _keep_groups(split, selection, classes) for name, split in raw.items()}
    loaded = {name: len(split) for name, split in labelled.items()}
    filled = {name: split.filter(_has_text, batched=True) for name, split in labelled.items()}
    check_class_sizes(files.name, filled, classes.labels)
    empty = {name: loaded[name] - len(filled[name]) for name in loaded}
    set_aside = 0
    if "test" not in filled:
        filled["train"], filled["test"] = set_test_aside(filled["train"], selection.split_seed)
        set_aside = len(filled["test"])
    train, repeated, in_test = _drop_repeats(filled["train"], filled["test"])
    check_what_is_left(files.name, train, classes.labels, repeated, in_test)
    available = {"train": len(train), "test": len(filled["test"])}
    test, seed = filled["test"], selection.split_seed
    if selection.test_size is not None:
        test = _take(files.name, test, selection.test_size, 0, "test", seed, "")
    which = ""
    if not selection.labels and classes.labels == LAB_GROUPS:
        which = f" of {' and '.join(LAB_GROUPS)}, which are taken unless --lab-labels names others"
    if "validation" in filled:
        validation, _, _ = _drop_repeats(filled["validation"], filled["test"], train)
        available["validation"] = len(validation)
        train = _take(files.name, train, selection.train_size, DEFAULT_TRAIN, "train", seed, which)
        validation = _take(
            *(files.name, validation, selection.validation_size, len(validation)),
            *("validation", seed, which),
        )
    else:
        train, validation = split_train_validation(files.name, selection, train, which)
        available["train"] -= len(validation)
    used = {"train": train, "validation": validation, "test": test}
    left = {name: count - len(used[name]) for name, count in available.items()}
    unused = {name: count for name, count in left.items() if count}
    cleaning = Cleaning(loaded, empty, repeated, in_test, set_aside, unused)
    posts = Posts(train, validation, test, classes.labels, cleaning)
    check_every_class(files.name, dict(posts.items()), posts.labels)
    return posts


def _rest(names: np.ndarray, kept: np.ndarray) -> np.ndarray:
    return np.where(np.isin(names, kept), names, OTHER_SLICES)


def set_test_aside(posts: datasets.Dataset, seed: int) -> tuple[datasets.Dataset, datasets.Dataset]:
    """The posts without a stratified fifth, and that fifth; row order plays no part."""
    order = _canonical_order(posts)
    labels = np.asarray(posts["label"])[order]
    test_size = round(len(posts) / 5)
    test, rest = stratified_sample(labels, (test_size, len(posts) - test_size), seed)
    return posts.select(sorted(order[rest])), posts.select(sorted(order[test]))


def split_train_validation(
    data: str, selection: Selection, posts: datasets.Dataset, which: str = ""
) -> tuple[datasets.Dataset, datasets.Dataset]:
    """Disjoint stratified subsets of `posts`; the same posts in another order split the same.

    Raises LabError where there are too few, with `which` they are.
    """
    available = len(posts)
    train_size, validation_size = selection.train_size, selection.validation_size
    if train_size is None and validation_size is None:
        validation_size = min(DEFAULT_VALIDATION, available // 5)
    fewest = len(set(posts["label"]))  # one of each class
    if train_size is None:
        train_size = min(DEFAULT_TRAIN, max(fewest, available - (validation_size or 0)))
    if validation_size is None:
        validation_size = min(DEFAULT_VALIDATION, max(fewest, available - train_size))
    if train_size + validation_size > available:
        raise LabError(
            f"{data}: {train_size} train and {validation_size} validation posts asked for, "
            f"{available} are there after cleaning{which}; ask for fewer"
        )
    order = _canonical_order(posts)
    chosen = stratified_sample(
        np.asarray(posts["label"])[order], (train_size, validation_size), selection.split_seed
    )
    train, validation = (posts.select(sorted(order[part])) for part in chosen)
    return train, validation


def _keep_groups(
    split: datasets.Dataset, selection: Selection, classes: Classes
) -> datasets.Dataset:
    """Rows of the classes asked for, with `label` as the index into their labels."""
    index = {label: i for i, label in enumerate(classes.labels)}

    def relabel(batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
        labels = [classes.name(value) for value in batch[classes.column]]
        rows = [i for i, label in enumerate(labels) if label in index]
        kept: dict[str, list[Any]] = {
            name: [batch[name][i] for i in rows] for name in EXTRAS if name in batch
        }
        if SLICE in kept:
            kept[SLICE] = [NO_SLICE if name is None else str(name) for name in kept[SLICE]]
        kept["text"] = [batch[selection.text_column][i] or "" for i in rows]
        kept["label"] = [index[labels[i]] for i in rows]
        return kept

    # Named, or a column of texts called `label` would turn the indices into texts.
    features = {"text": datasets.Value("string"), "label": datasets.Value("int64")}
    extras = {name: split.features[name] for name in EXTRAS if name in split.features}
    if SLICE in extras:
        extras[SLICE] = datasets.Value("string")
    return split.map(
        relabel,
        batched=True,
        remove_columns=split.column_names,
        features=datasets.Features(features | extras),
    )


def _has_text(batch: dict[str, list[str]]) -> list[bool]:
    return [any(map(_is_visible, text)) for text in batch["text"]]


def _is_visible(character: str) -> bool:
    """Whether a character is more than white space, a control or a mark of zero width."""
    return not character.isspace() and unicodedata.category(character) not in ("Cc", "Cf")


def _drop_repeats(
    posts: datasets.Dataset, *taken: datasets.Dataset
) -> tuple[datasets.Dataset, int, int]:
    """Posts that stand neither in `taken`, or nearly, nor before; how many repeated; how many taken.

    Case, punctuation and white space do not tell two posts apart.
    """
    known = Known(text for split in taken for text in split["text"])
    texts, seen = list(posts["text"]), Known()
    keep, repeated, in_taken = [], 0, 0
    for row in _canonical_order(posts):
        if texts[row] in known:
            in_taken += 1
        elif texts[row] in seen:
            repeated += 1
        else:
            seen.add(texts[row])
            keep.append(row)
    return posts.select(sorted(keep)), repeated, in_taken


def _canonical_order(posts: datasets.Dataset) -> np.ndarray:
    """Row numbers sorted by content, so that the order in the file plays no part."""
    digests = [text_digest(text) for text in posts["text"]]
    return np.array(sorted(range(len(posts)), key=digests.__getitem__), dtype=int)


def _take(
    data: str,
    posts: datasets.Dataset,
    size: int | None,
    default: int,
    name: str,
    seed: int,
    which: str,
) -> datasets.Dataset:
    """A stratified subset of `size` posts, or of `default` where there are more than that."""
    if size is None:
        size = min(default, len(posts))
    if size > len(posts):
        raise LabError(
            f"{data}: {size} {name} posts asked for, {len(posts)} are there{which}; ask for fewer"
        )
    order = _canonical_order(posts)
    (rows,) = stratified_sample(np.asarray(posts["label"])[order], (size,), seed)
    return posts.select(sorted(order[rows]))
