"""Data of every kind of badness: read right, or refused in one line that names it."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from labkit.config import DataSource, Selection
from labkit.data import files
from labkit.data.posts import Posts, load_posts
from labkit.errors import LabError
from labkit.evaluation.baselines import tfidf_logistic
from labkit.report.plots.embeddings import similarity_heat_map

Write = Callable[[Path], Any]  # makes a data set at a path
LONGEST = 1500  # characters of a line that a person still reads
ROWS = [{"text": f"post {i} of its kind", "label": "ab"[i % 2]} for i in range(24)]


def lines(*rows: Any) -> str:
    return "".join(
        (row if isinstance(row, str) else json.dumps(row, ensure_ascii=False)) + "\n"
        for row in rows
    )


def labelled(*labels: Any, text: str = "post {} of its kind") -> list[dict[str, Any]]:
    """Six posts for each label."""
    return [
        {"text": text.format(f"{i} {n}"), "label": label}
        for n in range(6)
        for i, label in enumerate(labels)
    ]


def table(rows: list[dict[str, Any]], **columns: Any) -> pa.Table:
    made = pa.Table.from_pylist(rows)
    for name, values in columns.items():
        made = made.append_column(name, values)
    return made


def csv(rows: list[dict[str, Any]]) -> str:
    names = list(rows[0])
    return "\n".join([",".join(names), *(",".join(str(row[n]) for n in names) for row in rows)])


def file(content: str | bytes) -> Write:
    return lambda path: path.write_bytes(
        content if isinstance(content, bytes) else content.encode()
    )


def parquet(made: pa.Table) -> Write:
    return lambda path: pq.write_table(made, path)


def folder(**parts: Write) -> Write:
    """A folder with the files `train.jsonl` for `train`, and so on."""

    def write(path: Path) -> None:
        path.mkdir()
        for name, part in parts.items():
            part(path / f"{name.replace('__', '.')}.jsonl")

    return write


def link(target: str) -> Write:
    return lambda path: path.symlink_to(target)


def beside(other: str, write: Write) -> Write:
    """A folder with good posts, and something else in it."""

    def make(path: Path) -> None:
        folder(train=file(lines(*ROWS)))(path)
        write(path / other)

    return make


def not_utf8() -> pa.Array:
    texts = pa.array([f"post {i}".encode() for i in range(24)], pa.binary())
    broken = pa.array([b"\xff\xfe bad", *texts.to_pylist()[1:]], pa.binary())
    return pa.Array.from_buffers(pa.string(), len(broken), broken.buffers())


def nested(depth: int, opening: str = "[", closing: str = "]") -> str:
    return opening * depth + closing * depth


BIG = "9" * 5000
REFUSED: dict[str, tuple[str, Write, str]] = {
    # files that are none
    "a-pipe": ("p.jsonl", os.mkfifo, "neither a file nor a folder"),
    "a-device": ("p.jsonl", link("/dev/zero"), "neither a file nor a folder"),
    "a-device-without-bytes": ("p.csv", link("/dev/null"), "neither a file nor a folder"),
    "a-broken-link": ("p.jsonl", link("gone.jsonl"), "no such file or folder"),
    "a-link-to-itself": ("p.jsonl", link("p.jsonl"), "no such file or folder"),
    "a-folder-with-a-broken-link": (
        "p",
        beside("test.jsonl", link("gone")),
        "is a link that leads nowhere",
    ),
    "a-folder-with-a-pipe": ("p", beside("test.jsonl", os.mkfifo), "neither a file nor a folder"),
    "a-folder-with-a-device": (
        "p",
        beside("test.jsonl", link("/dev/zero")),
        "neither a file nor a folder",
    ),
    "an-empty-folder": ("p", lambda path: path.mkdir(), "holds no .csv"),
    "an-empty-folder-called-csv": ("old.csv", lambda path: path.mkdir(), "holds no .csv"),
    "a-folder-of-other-files": ("p", beside("x.txt", file("x")), ""),
    "another-format": ("p.txt", file("text"), "is none of .csv"),
    "no-suffix": ("p", file("text"), "is none of .csv"),
    # JSON
    "json-nested-deeply": ("p.jsonl", file(lines(*ROWS, nested(100_000))), "line 25"),
    "json-objects-nested-deeply": (
        "p.jsonl",
        file(lines(*ROWS, '{"a":' * 50_000 + "1" + "}" * 50_000)),
        "line 25",
    ),
    "a-json-list-nested-deeply": ("p.json", file(nested(100_000)), "p.json"),
    "a-json-text-nested-deeply": (
        "p.jsonl",
        file(lines(*ROWS, f'{{"text": {nested(20_000)}, "label": "a"}}')),
        "",
    ),
    "a-json-number-of-5000-digits": (
        "p.jsonl",
        file(lines(*ROWS, f'{{"text": "x", "label": {BIG}}}')),
        "",
    ),
    "a-json-exponent-without-end": (
        "p.jsonl",
        file(lines(*ROWS, '{"text": "x", "label": 1e999999999}')),
        "",
    ),
    "json-that-ends-early": ("p.jsonl", file(lines(*ROWS)[:-5]), "line 24"),
    "json-with-a-trailing-comma": ("p.json", file(json.dumps(ROWS)[:-1] + ",]"), "line 1"),
    "json-of-one-object": ("p.json", file('{"text": "x", "label": "a"}'), ""),
    "json-of-a-number": ("p.json", file("5"), ""),
    "json-null": ("p.jsonl", file(lines(*ROWS, "null")), "have no label"),
    "json-not-a-number-label": ("p.jsonl", file(lines(*ROWS, '{"text": "x", "label": NaN}')), ""),
    "a-lone-surrogate": ("p.jsonl", file(lines(*ROWS, '{"text": "\\ud800", "label": "a"}')), ""),
    "zero-bytes": ("p.jsonl", file(b"\0" * 100), ""),
    # CSV
    "csv-without-rows": ("p.csv", file("text,label\n"), ""),
    "csv-with-an-open-quote": ("p.csv", file(csv(ROWS) + '\n"open,a'), ""),
    "csv-with-semicolons": ("p.csv", file("text;label\nx;a\n" * 9), "is the delimiter a comma"),
    "csv-with-too-many-fields": (
        "p.csv",
        file(csv(ROWS) + "\none,two,three"),
        "Expected 2 fields in line 26, saw 3",
    ),
    "csv-in-latin-1": (
        "p.csv",
        file(csv(ROWS).replace("kind", "Käse").encode("latin-1")),
        "line 2 is not UTF-8 (byte 0xe4)",
    ),
    "csv-of-fractions": (
        "p.csv",
        file(csv(labelled(0.5, 1.5))),
        "they must be text or whole numbers",
    ),
    "csv-with-a-label-of-blanks": (
        "p.csv",
        file(csv(ROWS) + "\nmore words,  "),
        "have no label in column 'label', the first is row 25",
    ),
    # Parquet
    "parquet-cut-off": (
        "p.parquet",
        lambda path: (parquet(table(ROWS))(path), path.write_bytes(path.read_bytes()[:-20])),
        "cannot be read as a data set",
    ),
    "parquet-text-not-utf-8": (
        "p.parquet",
        parquet(pa.table({"text": not_utf8(), "label": ["a", "b"] * 12})),
        "column 'text' holds text that is not UTF-8",
    ),
    "parquet-labels-not-utf-8": (
        "p.parquet",
        parquet(pa.table({"text": [f"post {i}" for i in range(24)], "label": not_utf8()})),
        "column 'label' holds text that is not UTF-8",
    ),
    "parquet-slices-not-utf-8": (
        "p.parquet",
        parquet(table(ROWS, slice=not_utf8())),
        "column 'slice' holds text that is not UTF-8",
    ),
    "parquet-of-bytes": (
        "p.parquet",
        parquet(
            table(labelled("a", "b", text="x"))
            .drop(["text"])
            .append_column("text", pa.array([b"x"] * 12, pa.binary()))
        ),
        "column 'text' holds binary, not text",
    ),
    "parquet-of-dates": (
        "p.parquet",
        parquet(
            table(ROWS)
            .drop(["label"])
            .append_column("label", pa.array([0, 1] * 12, pa.timestamp("s")))
        ),
        "they must be text or whole numbers",
    ),
    # columns
    "slices-of-lists": (
        "p.jsonl",
        file(lines(*[{**row, "slice": ["a", "b"]} for row in ROWS])),
        "column 'slice' holds values of several kinds, or nested ones",
    ),
    "slices-of-objects": (
        "p.jsonl",
        file(lines(*[{**row, "slice": {"a": 1}} for row in ROWS])),
        "column 'slice' holds values of several kinds, or nested ones",
    ),
    "labels-of-lists": ("p.jsonl", file(lines(*labelled(["a"], ["b"]))), "or nested ones"),
    "labels-of-nothing": ("p.jsonl", file(lines(*labelled(None, None))), "have no label"),
    "texts-of-nothing": (
        "p.jsonl",
        file(lines(*[{**row, "text": None} for row in ROWS])),
        "column 'text' holds nothing, not text",
    ),
    "texts-of-numbers": (
        "p.jsonl",
        file(lines(*[{**row, "text": 5} for row in ROWS])),
        "column 'text' holds int64, not text",
    ),
    # posts
    "all-texts-alike": ("p.jsonl", file(lines(*[{**row, "text": "same"} for row in ROWS])), ""),
    "all-texts-of-a-class-alike": (
        "p.jsonl",
        file(lines(*[row | {"text": "same"} if row["label"] == "a" else row for row in ROWS])),
        "too few different posts are left",
    ),
    "train-equal-to-test": (
        "p",
        folder(train=file(lines(*ROWS)), test=file(lines(*ROWS))),
        "0 repeat another and 24 also stand in the test split: 'a' has 0, 'b' has 0",
    ),
    "train-equal-to-test-but-for-blanks": (
        "p",
        folder(
            train=file(lines(*ROWS)),
            test=file(lines(*[{**row, "text": f"  {row['text']}\n"} for row in ROWS])),
        ),
        "24 also stand in the test split",
    ),
    "validation-equal-to-test": (
        "p",
        folder(
            train=file(lines(*ROWS)),
            test=file(lines(*labelled("a", "b", text="new {}"))),
            validation=file(lines(*labelled("a", "b", text="new {}"))),
        ),
        "the validation split has no posts of",
    ),
    "posts-of-zero-width": (
        "p.jsonl",
        file(lines(*[{**row, "text": "\u200b\u200d\ufeff\x00"} for row in ROWS])),
        "not empty; 'a' has 0, 'b' has 0",
    ),
    "posts-of-controls": (
        "p.jsonl",
        file(lines(*[{**row, "text": "\x1b\x07\x00 \x7f"} for row in ROWS])),
        "not empty; 'a' has 0, 'b' has 0",
    ),
    "a-class-in-each-post": (
        "p.jsonl",
        file(lines(*[{"text": f"post {i}", "label": f"c{i}"} for i in range(5000)])),
        "'c0' has 1, 'c1' has 1",
    ),
    "thousands-of-classes-missing-in-test": (
        "p",
        folder(
            train=file(lines(*labelled(*[f"class {i}" for i in range(2000)]))),
            test=file(lines(*labelled("class 0", text="new {}"))),
        ),
        "more; add some",
    ),
    "names-of-classes-without-end": (
        "p",
        folder(
            train=file(lines(*labelled(*[str(i) + "x" * 9000 for i in range(40)]))),
            test=file(lines(*labelled("0" + "x" * 9000, text="new {}"))),
        ),
        "more; add some",
    ),
}


def load(path: Path, scratch: Path, **settings: Any) -> Posts:
    found = files.locate(DataSource(str(path)))
    return load_posts(found, Selection(**settings), (), scratch / "scratch")


@pytest.mark.parametrize("attack", REFUSED)
def test_it_is_refused_in_one_line(tmp_path, attack):
    name, write, words = REFUSED[attack]
    path = tmp_path / name
    write(path)
    if attack == "a-folder-of-other-files":  # whose data is good
        assert load(path, tmp_path).labels == ("a", "b")
        return
    with pytest.raises(LabError) as caught:
        load(path, tmp_path)
    line = str(caught.value)
    assert words in line
    assert name in line
    assert "\n" not in line
    assert len(line) < LONGEST


TAKEN: dict[str, tuple[str, Write, dict[str, Any]]] = {
    "01-is-not-1": ("p.csv", file(csv(labelled("01", "1"))), {"labels": ("01", "1")}),
    "1.0-is-not-1": ("p.csv", file(csv(labelled("1.0", "1"))), {"labels": ("1.0", "1")}),
    "plus-1-is-not-1": ("p.csv", file(csv(labelled("+1", "1"))), {"labels": ("+1", "1")}),
    "NA-is-a-class": ("p.csv", file(csv(labelled("NA", "EU"))), {"labels": ("EU", "NA")}),
    "None-is-a-class": ("p.csv", file(csv(labelled("None", "nan"))), {"labels": ("None", "nan")}),
    "true-is-a-class": (
        "p.csv",
        file(csv(labelled("true", "False"))),
        {"labels": ("False", "true")},
    ),
    "labels-of-400-digits": (
        "p.csv",
        file(csv(labelled("9" * 400, "1" + "0" * 400))),
        {"labels": ("9" * 400, "1" + "0" * 400)},
    ),
    "labels-of-5000-digits": (
        "p.csv",
        file(csv(labelled(BIG, "1" + BIG))),
        {"labels": (BIG, "1" + BIG)},
    ),
    "labels-of-5000-digits-in-json": (
        "p.jsonl",
        file(lines(*labelled(BIG, "7"))),
        {"labels": ("7", BIG)},
    ),
    "labels-in-other-digits": ("p.csv", file(csv(labelled("٣", "۴"))), {"labels": ("٣", "۴")}),
    "a-superscript-label": ("p.csv", file(csv(labelled("²", "³"))), {"labels": ("²", "³")}),
    "an-infinite-label": ("p.csv", file(csv(labelled("inf", "1"))), {"labels": ("inf", "1")}),
    "labels-that-differ-by-case": ("p.csv", file(csv(labelled("A", "a"))), {"labels": ("A", "a")}),
    "labels-with-newlines": (
        "p.jsonl",
        file(lines(*labelled("a\nb", "a b"))),
        {"labels": ("a\nb", "a b")},
    ),
    "labels-of-markup": (
        "p.jsonl",
        file(lines(*labelled("<script>", "$\\frac{$"))),
        {"labels": ("$\\frac{$", "<script>")},
    ),
    "a-byte-order-mark": (
        "p.csv",
        file(b"\xef\xbb\xbf" + csv(ROWS).encode()),
        {"labels": ("a", "b")},
    ),
    "lines-of-windows": ("p.csv", file(csv(ROWS).replace("\n", "\r\n")), {"labels": ("a", "b")}),
    "a-folder-called-csv": ("old.csv", folder(train=file(lines(*ROWS))), {"labels": ("a", "b")}),
    "a-folder-called-csv-inside": (
        "p",
        beside("old.csv", lambda path: path.mkdir()),
        {"labels": ("a", "b")},
    ),
    "a-name-of-two-lines": ("p\nq.jsonl", file(lines(*ROWS)), {"labels": ("a", "b")}),
    "a-name-with-blanks-and-quotes": ("p 'q\".jsonl", file(lines(*ROWS)), {"labels": ("a", "b")}),
    "a-name-that-is-an-address": ("hf:p.jsonl", file(lines(*ROWS)), {"labels": ("a", "b")}),
    "slices-of-nothing": (
        "p.jsonl",
        file(lines(*[{**row, "slice": None} for row in ROWS])),
        {"slices": {"(none)"}},
    ),
    "slices-with-gaps": (
        "p.jsonl",
        file(lines(*[{**row, "slice": "odd" if i % 3 else None} for i, row in enumerate(ROWS)])),
        {"slices": {"(none)", "odd"}},
    ),
    "slices-of-numbers": (
        "p.jsonl",
        file(lines(*[{**row, "slice": i % 2} for i, row in enumerate(ROWS)])),
        {"slices": {"0", "1"}},
    ),
    "csv-slices-as-they-stand": (
        "p.csv",
        file(csv([{**row, "slice": "01" if i % 2 else "1"} for i, row in enumerate(ROWS)])),
        {"slices": {"01", "1"}},
    ),
    "ids-of-lists": (
        "p.jsonl",
        file(lines(*[{**row, "id": [1, 2]} for row in ROWS])),
        {"labels": ("a", "b")},
    ),
    "a-post-of-zero-width-among-others": (
        "p.jsonl",
        file(lines(*ROWS, {"text": "\u200b", "label": "a"})),
        {"empty": 1},
    ),
    "a-post-of-signs": (
        "p.jsonl",
        file(lines(*ROWS, {"text": "😀 ™", "label": "a"})),
        {"empty": 0},
    ),
    "a-post-of-a-million-characters": (
        "p.jsonl",
        file(lines(*ROWS, {"text": "word " * 200_000, "label": "a"})),
        {"empty": 0},
    ),
}


@pytest.mark.parametrize("attack", TAKEN)
def test_it_is_taken_for_what_it_is(tmp_path, attack):
    name, write, expected = TAKEN[attack]
    write(tmp_path / name)
    posts = load(tmp_path / name, tmp_path)
    found = {
        "labels": posts.labels,
        "empty": posts.cleaning.empty["train"],
        "slices": {
            name
            for _, split in posts.items()
            if "slice" in split.column_names
            for name in split["slice"]
        },
    }
    assert {key: found[key] for key in expected} == expected


SIZES: dict[str, tuple[dict[str, Any], str]] = {
    "all-of-them-to-train-on": ({"train_size": 19}, "19 train and 2 validation"),
    "more-than-there-are": ({"train_size": 10**9}, "ask for fewer"),
    "more-to-validate-on-than-there-are": ({"validation_size": 10**9}, "ask for fewer"),
    "both-and-one-too-many": ({"train_size": 15, "validation_size": 5}, "ask for fewer"),
    "fewer-than-classes": ({"validation_size": 1}, "the validation split has no posts of"),
}


@pytest.mark.parametrize("attack", SIZES)
def test_a_size_that_cannot_be_is_told_in_one_line(tmp_path, attack):
    settings, words = SIZES[attack]
    file(lines(*ROWS))(tmp_path / "p.jsonl")
    with pytest.raises(LabError, match=words) as caught:
        load(tmp_path / "p.jsonl", tmp_path, **settings)
    assert "-" not in str(caught.value).partition("p.jsonl")[2].replace("--lab-labels", "")


def test_a_size_above_the_labs_two_groups_says_that_two_were_taken(tmp_path):
    groups = ("rec.sport.baseball", "sci.space", "sci.med", "sci.crypt")
    file(lines(*labelled(*groups)))(tmp_path / "p.jsonl")
    with pytest.raises(LabError, match="are taken unless --lab-labels names others"):
        load(tmp_path / "p.jsonl", tmp_path, train_size=20)
    assert len(load(tmp_path / "p.jsonl", tmp_path, labels=groups, train_size=14).train) == 14


@pytest.mark.parametrize("texts", [["a", "b"], ["1", "2"], ["", "!"], ["\u200b", "x"]])
def test_texts_without_a_word_leave_tfidf_with_the_shares_of_the_classes(texts):
    labels = np.array([0, 1, 1])
    scores = tfidf_logistic([*texts, texts[1]], labels, ["anything at all"])
    np.testing.assert_allclose(scores, [[1 / 3, 2 / 3]])


@pytest.mark.parametrize(
    "label",
    [r"$\frac{$", "$x$", "$$", r"\$", "$", "a$b$c", "^_{}", "%", "\\", "日本語", "\x1b[31m"],
)
def test_a_class_is_drawn_as_it_is_called(label):
    """matplotlib would set what stands between two dollar signs as a formula."""
    drawn = similarity_heat_map(np.eye(4), (0, 0, 1, 1), [label, "other"]).svg
    assert "<svg" in drawn
