"""From a data set to three clean splits, with every dropped post counted.

Load -> keep the groups asked for -> drop empty posts -> drop train posts that repeat -> drop train
posts whose text also stands in the test split -> stratified train/validation split. The test
split is the data set's own, whole: in 20 Newsgroups "bydate" it lies later in time.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import datasets
import numpy as np

from labkit.config import DataSource
from labkit.errors import LabError
from labkit.store import file_digest

CORPUS = Path(__file__).parent / "corpus"
SUFFIXES = {".jsonl", ".json", ".csv", ".parquet"}
EXTRAS: tuple[str, ...] = ("slice", "id")  # columns kept where the data set brings them
DEFAULT_TRAIN, DEFAULT_VALIDATION = 600, 150


@dataclass(frozen=True)
class Cleaning:
    """How many posts of the groups asked for each step dropped, for train and test together."""

    loaded: dict[str, int]
    empty: dict[str, int]
    repeated: int
    also_in_test: int


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


def locate(source: DataSource) -> Path:
    """The local folder of a data set; a Hub id is fetched into (or found in) the Hub cache."""
    if source.source == "labkit:corpus":
        return CORPUS
    folder = Path(source.source).expanduser()
    if folder.is_dir():
        return folder
    if is_path(source.source):
        raise LabError(f"--lab-dataset {source.source}: there is no such folder")
    from huggingface_hub import snapshot_download

    try:
        return Path(
            snapshot_download(
                source.source,
                repo_type="dataset",
                revision=source.revision,
                allow_patterns=[f"*{suffix}" for suffix in sorted(SUFFIXES)],
            )
        )
    except Exception as error:
        raise LabError(
            f"data set {source.source}: not a folder, and the Hub does not give it "
            f"({type(error).__name__}); check the name, or go offline with --lab-profile embedded"
        ) from error


def is_path(source: str) -> bool:
    """Whether a source is meant as a path: a Hub id is `name` or `owner/name`, nothing else."""
    return source.startswith((".", "/", "~")) or source.count("/") > 1


def content_digests(folder: Path) -> dict[str, str]:
    """SHA-256 of each data file of a folder: the fingerprint of the data."""
    files = sorted(path for path in folder.rglob("*") if path.suffix in SUFFIXES)
    return {str(path.relative_to(folder)): file_digest(path) for path in files}


def load_splits(source: DataSource, folder: Path, cache: Path) -> Splits:
    """Read, clean and split the posts of `folder`; `cache` takes the Arrow files made on the way.

    Raises LabError where a column, a group or enough posts are missing.
    """
    raw = _read(folder, cache)
    if "train" not in raw or "test" not in raw:
        raise LabError(f"{source.name}: needs a train and a test split, has {sorted(raw)}")
    labelled = {name: _keep_groups(split, source) for name, split in raw.items()}
    loaded = {name: len(split) for name, split in labelled.items()}
    filled = {name: split.filter(_has_text, batched=True) for name, split in labelled.items()}
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
    return Splits(
        train,
        validation,
        filled["test"],
        source.labels,
        Cleaning(
            loaded,
            {name: loaded[name] - len(filled[name]) for name in loaded},
            repeated,
            in_test,
        ),
    )


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
    are then missing come from the classes that were rounded down most (largest remainder).
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
    return tuple(parts)


def save_splits(splits: Splits, folder: Path) -> None:
    """Write the splits as Arrow files and the counts as JSON."""
    for name, split in splits.items():
        split.save_to_disk(str(folder / name))
    facts = {"labels": splits.labels, "cleaning": asdict(splits.cleaning)}
    (folder / "splits.json").write_text(json.dumps(facts, indent=2))


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


def _read(folder: Path, cache: Path) -> dict[str, datasets.Dataset]:
    if not content_digests(folder):
        raise LabError(f"{folder}: holds no {', '.join(sorted(SUFFIXES))} file")
    try:
        return dict(datasets.load_dataset(str(folder), cache_dir=str(cache)))
    except Exception as error:
        reason = str(error.__cause__ or error).strip().splitlines()[0]
        raise LabError(f"{folder}: cannot be read as a data set: {reason}") from error


def _keep_groups(split: datasets.Dataset, source: DataSource) -> datasets.Dataset:
    """Rows of the groups asked for, with `label` as the index into `source.labels`."""
    for column in (source.text_column, source.label_column):
        if column not in split.column_names:
            raise LabError(
                f"{source.name}: no column {column!r}; it has {', '.join(split.column_names)}"
            )
    present = set(split.unique(source.label_column))
    for label in source.labels:
        if label not in present:
            known = ", ".join(sorted(map(str, present)))
            raise LabError(f"{source.name}: no posts of {label!r}; its groups are {known}")
    index = {label: i for i, label in enumerate(source.labels)}

    def relabel(batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
        rows = [i for i, label in enumerate(batch[source.label_column]) if label in index]
        kept: dict[str, list[Any]] = {
            name: [batch[name][i] for i in rows] for name in EXTRAS if name in batch
        }
        kept["text"] = [batch[source.text_column][i] or "" for i in rows]
        kept["label"] = [index[batch[source.label_column][i]] for i in rows]
        return kept

    return split.map(relabel, batched=True, remove_columns=split.column_names)


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
