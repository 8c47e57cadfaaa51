"""Results as data: what is written is read back as it was, and a digest follows what it holds."""

import io
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import datasets
import numpy as np
import pytest

from labkit.plumbing import results


@dataclass(frozen=True)
class Circle:
    radius: float


@dataclass(frozen=True)
class Rectangle:
    sides: tuple[float, float]


@dataclass(frozen=True)
class Part:
    scores: np.ndarray
    rows: datasets.Dataset
    folder: Path


@dataclass(frozen=True)
class Whole:
    name: str
    parts: Mapping[str, Part]
    shapes: tuple[Circle | Rectangle, ...]
    losses: tuple[tuple[int, float], ...] = ((1, 0.5), (2, math.nan))
    maybe: Part | None = None
    counts: np.ndarray = field(default_factory=lambda: np.arange(3))


def table(*texts: str) -> datasets.Dataset:
    return datasets.Dataset.from_dict({"text": list(texts), "label": [*range(len(texts))]})


def part(folder: Path) -> Part:
    """One whose array is neither in C order nor of the usual type."""
    scores = np.arange(6, dtype=np.float32).reshape(2, 3).T
    return Part(scores, table("naïve", "", "new\nline"), folder / "model")


@pytest.fixture
def whole(tmp_path) -> Whole:
    parts = {"a b/c": part(tmp_path), "a b.c": replace(part(tmp_path), scores=np.zeros(()))}
    return Whole("whole", parts, (Circle(1.5), Rectangle((2.0, 3.0)), Circle(math.inf)))


def saved(result, folder: Path, kind=None):
    results.save(result, folder)
    return results.load(kind or type(result), folder)


def assert_same_part(one: Part, other: Part) -> None:
    np.testing.assert_array_equal(one.scores, other.scores)
    assert one.scores.dtype == other.scores.dtype
    assert one.rows.to_list() == other.rows.to_list()
    assert one.rows.features == other.rows.features
    assert one.folder == other.folder


def test_nested_arrays_tables_and_paths_come_back_as_they_were(whole, tmp_path):
    again = saved(whole, tmp_path)
    assert again.name == "whole"
    assert again.parts.keys() == whole.parts.keys()
    for name, one in whole.parts.items():
        assert_same_part(one, again.parts[name])
    np.testing.assert_array_equal(again.counts, whole.counts)
    assert again.counts.dtype == np.arange(3).dtype


def test_a_union_comes_back_as_the_class_that_it_was(whole, tmp_path):
    assert saved(whole, tmp_path).shapes == whole.shapes
    assert saved(whole, tmp_path).maybe is None
    assert_same_part(saved(replace(whole, maybe=part(tmp_path)), tmp_path).maybe, part(tmp_path))


def test_numbers_that_json_does_not_know_come_back(whole, tmp_path):
    (first, lost), (second, nan) = saved(whole, tmp_path).losses
    assert (first, lost, second) == (1, 0.5, 2)
    assert math.isnan(nan)
    scores = np.array([math.nan, -math.inf, -0.0])
    again = saved(replace(part(tmp_path), scores=scores), tmp_path)
    assert again.scores.tobytes() == scores.tobytes()


@pytest.mark.parametrize(
    ("result", "kind"),
    [(None, Circle | None), (0.25, float), ((Circle(1.0), Circle(2.0)), tuple[Circle, ...])],
    ids=["none", "number", "tuple"],
)
def test_a_result_need_not_be_a_dataclass(result, kind, tmp_path):
    assert saved(result, tmp_path, kind) == result


def test_a_result_can_be_a_path_alone(tmp_path):
    assert saved(tmp_path / "model", tmp_path, Path) == tmp_path / "model"


def test_a_result_is_found_where_its_folder_was_moved(whole, tmp_path):
    """As the store does when a build is whole."""
    (tmp_path / "building").mkdir()
    one = part(tmp_path / "building")
    results.save(one, tmp_path / "building")
    moved = (tmp_path / "building").rename(tmp_path / "entry")
    assert_same_part(results.load(Part, moved), replace(one, folder=moved / "model"))


def test_a_path_outside_the_folder_is_refused(tmp_path):
    (tmp_path / "entry").mkdir()
    with pytest.raises(ValueError, match="is not in the subpath"):
        results.save(part(tmp_path), tmp_path / "entry")


def test_plain_values_are_what_json_can_say_and_come_back(whole):
    shapes = replace(whole, parts={}, counts=None, losses=((1, 0.5),))
    said = results.plain(shapes)
    assert said["shapes"] == [{"radius": 1.5}, {"sides": [2.0, 3.0]}, {"radius": math.inf}]
    assert said["losses"] == [[1, 0.5]]
    assert results.rebuild(Whole, said) == shapes


def test_a_missing_field_is_an_error():
    with pytest.raises(KeyError, match="radius"):
        results.rebuild(Circle, {})


def test_the_same_content_has_the_same_digest(whole, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    again = saved(replace(whole, parts={}), tmp_path / "elsewhere")
    assert results.content_digest(again) == results.content_digest(replace(whole, parts={}))
    copy = Whole("whole", dict(reversed(whole.parts.items())), whole.shapes)
    assert results.content_digest(copy) == results.content_digest(whole)


def test_what_was_read_back_has_the_digest_of_what_was_written(whole, tmp_path):
    assert results.content_digest(saved(whole, tmp_path)) == results.content_digest(whole)


def test_where_a_path_leads_does_not_count_but_what_lies_there(tmp_path):
    one, other = part(tmp_path / "one"), part(tmp_path / "other")
    for folder in (one.folder, other.folder):
        (folder / "sub").mkdir(parents=True)
        (folder / "sub" / "weights").write_text("weights")
    assert one.folder != other.folder
    assert results.content_digest(one) == results.content_digest(other)
    (other.folder / "sub" / "weights").write_text("others")
    assert results.content_digest(one) != results.content_digest(other)


def test_what_a_value_says_of_its_content_counts_and_nothing_else():
    @dataclass(frozen=True)
    class Named:
        name: str
        files: Mapping[str, str]

        @property
        def content(self) -> Mapping[str, str]:
            return self.files

    one = results.content_digest(Named("one", {"weights": "d1"}))
    assert results.content_digest(Named("two", {"weights": "d1"})) == one
    assert results.content_digest(Named("one", {"weights": "d2"})) != one


CHANGES = {
    "an-entry": lambda one: {"scores": one.scores + np.eye(3, 2, dtype=np.float32)},
    "a-type": lambda one: {"scores": one.scores.astype(np.float64)},
    "a-shape": lambda one: {"scores": one.scores.reshape(-1)},
    "an-order": lambda one: {"scores": one.scores[::-1]},
    "a-row": lambda one: {"rows": table("naïve", "", "newline")},
    "a-row-less": lambda one: {"rows": one.rows.select([0, 1])},
    "the-order-of-rows": lambda one: {"rows": one.rows.select([1, 0, 2])},
    "a-column": lambda one: {"rows": one.rows.rename_column("label", "class")},
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_array_or_table_changes_the_digest(change, tmp_path):
    one = part(tmp_path)
    other = replace(one, **CHANGES[change](one))
    assert results.content_digest(other) != results.content_digest(one)


@pytest.mark.parametrize(
    "field",
    [
        {"name": "part"},
        {"parts": {}},
        {"shapes": (Circle(1.5),)},
        {"shapes": (Rectangle((2.0, 3.0)), Circle(1.5), Circle(math.inf))},
        {"losses": ((1, 0.5), (2, 0.25))},
        {"losses": ((1, 0.5), (2, math.inf))},
        {"counts": np.arange(4)},
    ],
    ids=["name", "parts", "fewer-shapes", "order", "loss", "infinity", "counts"],
)
def test_a_changed_field_changes_the_digest(whole, field):
    assert results.content_digest(replace(whole, **field)) != results.content_digest(whole)


def written(rows: datasets.Dataset) -> bytes:
    file = io.BytesIO()
    results.write_table(rows, file)
    return file.getvalue()


def test_the_same_rows_give_the_same_bytes(tmp_path):
    """However they came about: made at once, chosen from others, put together, or read back."""
    texts = [f"post {i}" for i in range(2500)]
    rows = table(*texts)
    chosen = table(*texts, "one more").select(range(2500))
    halves = [rows.select(range(10)), rows.select(range(10, 2500))]
    put_together = datasets.concatenate_datasets(halves)
    (tmp_path / "rows.arrow").write_bytes(written(rows))
    read_back = results.read_table(tmp_path / "rows.arrow")
    shuffled = rows.select(range(2499, -1, -1)).select(range(2499, -1, -1))
    for same in (chosen, put_together, read_back, shuffled):
        assert same.to_list() == rows.to_list()
        assert written(same) == written(rows)
    assert written(rows.select(range(2499))) != written(rows)


def test_tables_stay_on_disk(whole, tmp_path):
    again = saved(whole, tmp_path)
    for one in again.parts.values():
        (file,) = one.rows.cache_files
        assert Path(file["filename"]).parent == tmp_path


def test_two_names_that_look_alike_as_files_do_not_collide(tmp_path):
    """`a b/c` and `a b.c` may not become one file."""
    names = ("a b/c", "a b.c", "a b_c")
    tables = {name: replace(part(tmp_path), rows=table(name)) for name in names}
    again = saved(Whole("whole", tables, ()), tmp_path)
    assert {name: one.rows["text"][0] for name, one in again.parts.items()} == dict(
        zip(names, names, strict=True)
    )
