"""From a data set to three clean splits, with every dropped post counted.

Load -> keep the groups asked for -> drop empty posts -> drop train posts that repeat -> drop train
posts whose text also stands in the test split -> stratified train/validation split. The test
split is the data set's own, whole: in 20 Newsgroups "bydate" it lies later in time. Where a data
set brings none, a stratified fifth of its posts is set aside first.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import datasets
import numpy as np

from labkit.classes import Classes, choose_classes, in_order
from labkit.config import DataSource
from labkit.data_files import read
from labkit.errors import LabError

EXTRAS: tuple[str, ...] = ("slice", "id")  # columns kept where the data set brings them
DEFAULT_TRAIN, DEFAULT_VALIDATION = 600, 150
FEWEST = 4  # posts of a class: one to validate, one to test, two to learn from


@dataclass(frozen=True)
class Cleaning:
    """How many posts of the groups asked for each step dropped, for train and test together.

    `set_aside` is the size of a test split that was made because the data set brings none.
    """

    loaded: dict[str, int]
    empty: dict[str, int]
    repeated: int
    also_in_test: int
    set_aside: int = 0


@dataclass(frozen=True)
class Splits:
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
        yield from (("train", self.train), ("validation", self.validation), ("test", self.test))


def load_splits(source: DataSource, path: Path, cache: Path, order: tuple[str, ...] = ()) -> Splits:
    """Read, clean and split the posts of `path`; `cache` takes the Arrow files made on the way.

    `order` are the same labels as a given model numbers them.

    Raises LabError where a column, a group or enough posts are missing.
    """
    raw = read(path, cache)
    if "train" not in raw:
        raise LabError(f"{source.name}: needs a train split, has {', '.join(sorted(raw))}")
    classes = in_order(choose_classes(source, raw), order)
    labelled = {name: _keep_groups(split, source, classes) for name, split in raw.items()}
    loaded = {name: len(split) for name, split in labelled.items()}
    filled = {name: split.filter(_has_text, batched=True) for name, split in labelled.items()}
    _check_class_sizes(source, filled, classes.labels)
    empty = {name: loaded[name] - len(filled[name]) for name in loaded}
    set_aside = 0
    if "test" not in filled:
        filled["train"], filled["test"] = set_test_aside(filled["train"], source.seed)
        set_aside = len(filled["test"])
    test_texts = _digest_set(filled["test"])
    train, repeated, in_test = _drop_repeats(filled["train"], test_texts)
    if "validation" in filled:
        validation, _, _ = _drop_repeats(filled["validation"], test_texts | _digest_set(train))
        train = _take(source, train, source.train_size, DEFAULT_TRAIN, "train")
        validation = _take(
            source, validation, source.validation_size, len(validation), "validation"
        )
    else:
        train, validation = split_train_validation(source, train)
    splits = Splits(
        train,
        validation,
        filled["test"],
        classes.labels,
        Cleaning(loaded, empty, repeated, in_test, set_aside),
    )
    _check_every_class(source, splits)
    return splits


def set_test_aside(posts: datasets.Dataset, seed: int) -> tuple[datasets.Dataset, datasets.Dataset]:
    """The posts without a stratified fifth, and that fifth; row order plays no part."""
    order = _canonical_order(posts)
    labels = np.asarray(posts["label"])[order]
    test_size = round(len(posts) / 5)
    test, rest = stratified_sample(labels, (test_size, len(posts) - test_size), seed)
    return posts.select(sorted(order[rest])), posts.select(sorted(order[test]))


def split_train_validation(
    source: DataSource, posts: datasets.Dataset
) -> tuple[datasets.Dataset, datasets.Dataset]:
    """Disjoint stratified subsets of `posts`; the same posts in another order split the same."""
    available = len(posts)
    train_size, validation_size = source.train_size, source.validation_size
    if train_size is None and validation_size is None:
        validation_size = min(DEFAULT_VALIDATION, available // 5)
    if train_size is None:
        train_size = min(DEFAULT_TRAIN, available - (validation_size or 0))
    if validation_size is None:
        validation_size = min(DEFAULT_VALIDATION, available - train_size)
    if train_size + validation_size > available:
        raise LabError(
            f"{source.name}: {train_size} train and {validation_size} validation posts asked for, "
            f"{available} are there after cleaning; ask for fewer"
        )
    order = _canonical_order(posts)
    chosen = stratified_sample(
        np.asarray(posts["label"])[order], (train_size, validation_size), source.seed
    )
    train, validation = (posts.select(sorted(order[part])) for part in chosen)
    return train, validation


def stratified_sample(
    labels: np.ndarray, sizes: tuple[int, ...], seed: int
) -> tuple[np.ndarray, ...]:
    """Disjoint index arrays of the given sizes, each with the class shares of `labels` within one.

    Every class is shuffled once and gives each part its exact share rounded down; the posts that
    are then missing come from the classes that were rounded down most (largest remainder). A class
    so rare that a part would go without gives it one post where it has enough of them.
    """
    rng = np.random.default_rng(seed)
    classes, counts = np.unique(labels, return_counts=True)
    shuffled = [rng.permutation(np.flatnonzero(labels == label)) for label in classes]
    taken = np.zeros_like(counts)
    parts = []
    for size in sizes:
        share, remainder = np.divmod(size * counts, max(len(labels), 1))
        spare = taken + share < counts
        first = np.lexsort((-remainder, ~spare))[: size - share.sum()]
        share[first] += 1
        rows = [
            posts[start : start + n] for posts, start, n in zip(shuffled, taken, share, strict=True)
        ]
        parts.append(np.concatenate([np.arange(0), *rows]))  # also of no posts
        taken += share
    left = [posts[start:] for posts, start in zip(shuffled, taken, strict=True)]
    _fill_gaps(parts, np.concatenate([np.arange(0), *left]), labels)
    return tuple(parts)


def _fill_gaps(parts: list[np.ndarray], left: np.ndarray, labels: np.ndarray) -> None:
    """Swap posts, in place, until every part has every class that can spare one for it.

    The post comes from those `left` over, else from the part that has most of its class; it goes
    against one of the class that the part has most above its share.
    """
    classes, members = np.unique(labels, return_inverse=True)
    totals = np.bincount(members)
    for part in parts:
        for rare in np.flatnonzero(np.bincount(members[part], minlength=len(classes)) == 0):
            counts = np.bincount(members[part], minlength=len(classes))
            common = (counts - len(part) * totals / len(labels)).argmax()
            most = max(parts, key=lambda other: int(np.sum(members[other] == rare)))
            donor = left if rare in members[left] else most
            enough = 1 if donor is left else 2
            if counts[common] > 1 and np.sum(members[donor] == rare) >= enough:
                here = np.flatnonzero(members[part] == common)[-1]
                there = np.flatnonzero(members[donor] == rare)[-1]
                part[here], donor[there] = donor[there], part[here]


def save_splits(splits: Splits, folder: Path) -> None:
    """Write the splits as Arrow files and the counts as JSON."""
    for name, split in splits.items():
        split.save_to_disk(str(folder / name))
    facts = {"labels": splits.labels, "cleaning": asdict(splits.cleaning)}
    (folder / "splits.json").write_text(json.dumps(facts))


def open_splits(folder: Path) -> Splits:
    """The splits that `save_splits` wrote, memory-mapped."""
    facts = json.loads((folder / "splits.json").read_text())
    parts = {
        name: datasets.load_from_disk(str(folder / name))
        for name in ("train", "validation", "test")
    }
    return Splits(**parts, labels=tuple(facts["labels"]), cleaning=Cleaning(**facts["cleaning"]))


def text_digest(text: str) -> bytes:
    """16 bytes that stand for a text, whatever its white space."""
    return hashlib.blake2b(" ".join(text.split()).encode(), digest_size=16).digest()


def _keep_groups(split: datasets.Dataset, source: DataSource, classes: Classes) -> datasets.Dataset:
    """Rows of the classes asked for, with `label` as the index into their labels."""
    index = {label: i for i, label in enumerate(classes.labels)}

    def relabel(batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
        labels = [classes.name(value) for value in batch[classes.column]]
        rows = [i for i, label in enumerate(labels) if label in index]
        kept: dict[str, list[Any]] = {
            name: [batch[name][i] for i in rows] for name in EXTRAS if name in batch
        }
        kept["text"] = [batch[source.text_column][i] or "" for i in rows]
        kept["label"] = [index[labels[i]] for i in rows]
        return kept

    # Named, or a column of texts called `label` would turn the indices into texts.
    features = {"text": datasets.Value("string"), "label": datasets.Value("int64")}
    extras = {name: split.features[name] for name in EXTRAS if name in split.features}
    return split.map(
        relabel,
        batched=True,
        remove_columns=split.column_names,
        features=datasets.Features(features | extras),
    )


def _check_class_sizes(
    source: DataSource, filled: dict[str, datasets.Dataset], labels: tuple[str, ...]
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
            f"{source.name}: a class needs {FEWEST} posts or more that are not empty; "
            f"{', '.join(few[:5])}{more}"
        )


def _check_every_class(source: DataSource, splits: Splits) -> None:
    """Raise LabError where a split lacks a class, which then could not be learned or measured."""
    for name, split in splits.items():
        present = set(split["label"])
        missing = [label for i, label in enumerate(splits.labels) if i not in present]
        if missing:
            raise LabError(
                f"{source.name}: the {name} split has no posts of {', '.join(map(repr, missing))}; "
                "add some, ask for more posts, or leave the class out with --lab-labels"
            )


def _has_text(batch: dict[str, list[str]]) -> list[bool]:
    return [bool(text.strip()) for text in batch["text"]]


def _digest_set(posts: datasets.Dataset) -> set[bytes]:
    return {text_digest(text) for text in posts["text"]}


def _drop_repeats(posts: datasets.Dataset, taken: set[bytes]) -> tuple[datasets.Dataset, int, int]:
    """Posts whose text is neither in `taken` nor seen before; how many repeated; how many taken."""
    keep, seen, repeated, in_taken = [], set[bytes](), 0, 0
    for row, text in enumerate(posts["text"]):
        digest = text_digest(text)
        if digest in taken:
            in_taken += 1
        elif digest in seen:
            repeated += 1
        else:
            seen.add(digest)
            keep.append(row)
    return posts.select(keep), repeated, in_taken


def _canonical_order(posts: datasets.Dataset) -> np.ndarray:
    """Row numbers sorted by content, so that the order in the file plays no part."""
    digests = [text_digest(text) for text in posts["text"]]
    return np.array(sorted(range(len(posts)), key=digests.__getitem__))


def _take(
    source: DataSource, posts: datasets.Dataset, size: int | None, default: int, name: str
) -> datasets.Dataset:
    """A stratified subset of `size` posts, or of `default` where there are more than that."""
    if size is None:
        size = min(default, len(posts))
    if size > len(posts):
        raise LabError(
            f"{source.name}: {size} {name} posts asked for, {len(posts)} are there; ask for fewer"
        )
    order = _canonical_order(posts)
    (rows,) = stratified_sample(np.asarray(posts["label"])[order], (size,), source.seed)
    return posts.select(sorted(order[rows]))
