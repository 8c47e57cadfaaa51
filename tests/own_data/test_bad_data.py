"""Data that cannot be used gets one line: what is wrong, where, what to do."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from labkit.config import DataSource, Selection
from labkit.data import files
from labkit.data.posts import load_posts
from labkit.errors import LabError

GOOD = [{"text": f"post {i} of its kind", "label": "ab"[i % 2]} for i in range(20)]


def jsonl(rows):
    return "\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows) + "\n"


def csv(rows, delimiter=",", header=("text", "label")):
    lines = [delimiter.join(header)]
    return "\n".join([*lines, *(delimiter.join(map(str, row)) for row in rows)]) + "\n"


def with_row(number, **change):
    rows = [dict(row) for row in GOOD]
    rows[number - 1] |= change
    return rows


MISTAKES = {
    "missing-text-column": (
        "posts.csv",
        csv([("x", "a")] * 9, header=("body", "label")),
        "no column 'text'; it has body, label",
    ),
    "missing-label-column": (
        "posts.csv",
        csv([("x", "a")] * 9, header=("text", "topic")),
        "no column 'label_text' or 'label'; it has text, topic",
    ),
    "one-class": (
        "posts.jsonl",
        jsonl([{"text": f"post {i}", "label": "a"} for i in range(9)]),
        "has one class only, 'a', in column 'label'",
    ),
    "small-class": (
        "posts.jsonl",
        jsonl([*GOOD, *[{"text": f"rare {i}", "label": "c"} for i in range(3)]]),
        "a class needs 4 posts or more that are not empty; 'c' has 3",
    ),
    "class-of-empty-posts": (
        "posts.jsonl",
        jsonl([*GOOD, *[{"text": " ", "label": "c"} for i in range(9)]]),
        "'c' has 0",
    ),
    "fractions-as-labels": (
        "posts.csv",
        csv([(f"post {i}", i / 2) for i in range(20)]),
        "labels in column 'label' are fractions; they must be text or whole numbers",
    ),
    "null-label": (
        "posts.jsonl",
        jsonl(with_row(7, label=None)),
        "1 of 20 rows of the train split have no label in column 'label', the first is row 7",
    ),
    "empty-label": (
        "posts.csv",
        csv([*[(f"post {i}", "ab"[i % 2]) for i in range(20)], ("post", "")]),
        "1 of 21 rows of the train split have no label in column 'label', the first is row 21",
    ),
    "numbers-as-text": (
        "posts.csv",
        csv([(i, "ab"[i % 2]) for i in range(20)]),
        "column 'text' holds int64, not text",
    ),
    "lists-as-text": (
        "posts.jsonl",
        jsonl([{**row, "text": ["a", "b"]} for row in GOOD]),
        "column 'text' holds values of several kinds, or nested ones, not text",
    ),
    "empty-file": ("posts.csv", "", "posts.csv: is empty"),
    "blank-file": ("posts.jsonl", "\n \n", "posts.jsonl: is empty"),
    "broken-json": (
        "posts.jsonl",
        jsonl([*GOOD[:11], '{"text": "cut off", "lab', *GOOD[11:]]),
        "posts.jsonl: line 12 is not JSON: Invalid control character at (column 25)",
    ),
    "json-line-without-object": (
        "posts.jsonl",
        jsonl([*GOOD, '"just text"']),
        "posts.jsonl: line 21 is not an object in { }: 'just text'",
    ),
    "labels-of-two-kinds": (
        "posts.jsonl",
        jsonl(with_row(5, label=3)),
        "labels in column 'label' are values of several kinds",
    ),
    "commas-without-quotes": (
        "posts.csv",
        csv([("first, second", "ab"[i % 2]) for i in range(20)]),
        "rows have more fields than the header; put texts that hold a comma into double quotes",
    ),
    "one-comma-without-quotes": (
        "posts.csv",
        csv([*[(f"post {i}", "ab"[i % 2]) for i in range(20)], ("first, second", "a")]),
        "Expected 2 fields in line 22, saw 3",
    ),
    "broken-json-list": ("posts.json", json.dumps(GOOD)[:-2], "posts.json: line 1 is not JSON"),
    "latin-1": (
        "posts.csv",
        csv([("schön", "a"), ("übel", "b")] * 5).encode("latin-1"),
        "posts.csv: line 2 is not UTF-8 (byte 0xf6); save the file as UTF-8",
    ),
    "utf-16": ("posts.csv", csv([("x", "a")]).encode("utf-16"), "line 1 is not UTF-8 (byte 0xff)"),
    "wrong-delimiter": (
        "posts.csv",
        csv([("one, two", "a"), ("three", "b")] * 9, delimiter=";"),
        "posts.csv: no column 'text'; it has text;label; is the delimiter a comma, as it must be?",
    ),
    "not-parquet": ("posts.parquet", "text,label\n", "posts.parquet: cannot be read as a data set"),
    "other-format": ("posts.xlsx", "PK", "posts.xlsx: is none of .csv, .json, .jsonl, .parquet"),
    "only-a-test-split": ("posts/test.jsonl", jsonl(GOOD), "needs a train split, has test"),
}


def load(path, tmp_path, **settings):
    found = files.locate(DataSource(str(path)))
    return load_posts(found, Selection(**settings), (), tmp_path / "cache")


def write(path, content):
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_mistake_is_told_in_one_line(tmp_path, mistake):
    name, content, message = MISTAKES[mistake]
    path = write(tmp_path / name, content)
    with pytest.raises(LabError) as caught:
        load(path.parent if "/" in name else path, tmp_path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert str(path.parent) in str(caught.value)


def test_the_rows_that_all_mistakes_start_from_are_good(tmp_path):
    assert load(write(tmp_path / "posts.jsonl", jsonl(GOOD)), tmp_path).labels == ("a", "b")


def test_a_million_rows_with_the_wrong_delimiter_are_one_line(tmp_path):
    path = write(tmp_path / "posts.csv", "text;label\n" + "some words; a\n" * 1_000_000)
    with pytest.raises(LabError, match="it has text;label; is the delimiter a comma"):
        load(path, tmp_path)


def test_many_and_long_column_names_are_cut_short(tmp_path):
    table = pa.table({f"{'c' * 60}{i}": ["x"] for i in range(40)})
    pq.write_table(table, tmp_path / "posts.parquet")
    with pytest.raises(LabError, match=r"c…, .* and 28 more") as caught:
        load(tmp_path / "posts.parquet", tmp_path)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(("small", "more"), [(5, ""), (6, " and 1 more"), (7, " and 2 more")])
def test_of_many_small_classes_five_are_named(tmp_path, small, more):
    rare = [{"text": f"post {i}", "label": f"c{i // 3}"} for i in range(3 * small)]
    with pytest.raises(LabError) as caught:
        load(write(tmp_path / "posts.jsonl", jsonl([*GOOD, *rare])), tmp_path)
    named = ", ".join(f"'c{i}' has 3" for i in range(5))
    assert str(caught.value).endswith(f"not empty; {named}{more}")


def test_classes_that_the_test_split_lacks_are_named(tmp_path):
    rows = [{"text": f"post {i} of its kind", "label": "abc"[i % 3]} for i in range(30)]
    write(tmp_path / "posts" / "train.jsonl", jsonl(rows))
    write(tmp_path / "posts" / "test.jsonl", jsonl([{"text": "new", "label": "a"}] * 3))
    with pytest.raises(LabError) as caught:
        load(tmp_path / "posts", tmp_path)
    assert str(caught.value).endswith(
        "the test split has no posts of 'b', 'c'; add some, ask for more posts, "
        "or leave the class out with --lab-labels"
    )


def test_a_label_that_is_not_there_lists_those_there_are(tmp_path):
    path = write(tmp_path / "posts.jsonl", jsonl(GOOD))
    with pytest.raises(LabError, match="no posts of 'c'; its groups are a, b"):
        load(path, tmp_path, labels=("a", "c"))


def test_more_posts_than_there_are_is_an_error(tmp_path):
    path = write(tmp_path / "posts.jsonl", jsonl(GOOD))
    with pytest.raises(LabError, match="14 train and 3 validation posts asked for, 16 are there"):
        load(path, tmp_path, train_size=14, validation_size=3)
