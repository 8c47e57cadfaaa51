"""What is written is what is read back: configuration, lineage, answers, report."""

import json
from dataclasses import fields, is_dataclass, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from labkit.config import LabConfig
from labkit.plugin.session import LabSession
from labkit.plumbing.digests import fingerprint
from labkit.plumbing.progress import Silent
from labkit.plumbing.results import content_digest, plain, rebuild
from labkit.release import lineage
from labkit.release.lineage import Lineage
from labkit.report import page
from labkit.report.answer import Answer
from labkit.report.blocks import (
    Figure,
    Listing,
    Matrix,
    Mistake,
    Mistakes,
    Planes,
    Point,
    Table,
    Tokenized,
)
from labkit.runs import history
from labkit.runs.history import Record
from tests.strategies import JSON_VALUES, any_of, any_text, parts_of

ROOTS = (LabConfig, Record, Lineage, Answer)
PARTS = sorted(set().union(*map(parts_of, ROOTS)), key=lambda kind: kind.__name__)
FIELDS = [(kind, field.name) for kind in PARTS for field in fields(kind)]
FEW = settings(max_examples=settings().max_examples // 3)


@pytest.mark.parametrize("kind", ROOTS)
@given(st.data())
def test_a_record_survives_json(kind, data):
    written = data.draw(any_of(kind))
    read = rebuild(kind, json.loads(json.dumps(plain(written))))
    assert read == written
    assert content_digest(read) == content_digest(written)


@pytest.mark.parametrize(("kind", "name"), FIELDS, ids=[f"{k.__name__}-{n}" for k, n in FIELDS])
@FEW
@given(st.data())
def test_any_changed_field_changes_the_digest(kind, name, data):
    before, other = data.draw(any_of(kind)), data.draw(any_of(kind))
    after = replace(before, **{name: getattr(other, name)})
    assume(after != before)
    assert content_digest(after) != content_digest(before)
    assert fingerprint(plain(after)) != fingerprint(plain(before))


@given(any_of(LabConfig), any_of(LabConfig), st.data())
def test_a_change_in_a_part_of_the_configuration_changes_its_digest(config, other, data):
    """Down to the last field of the source of a model."""
    path = data.draw(st.sampled_from([path for path in leaves(config) if path in leaves(other)]))
    after = changed(config, path, at(other, path))
    assume(after != config)
    assert content_digest(after) != content_digest(config)


def leaves(value: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Paths to all fields of a dataclass that are not dataclasses themselves."""
    if not is_dataclass(value):
        return [path]
    names = [field.name for field in fields(value)]
    return [leaf for name in names for leaf in leaves(getattr(value, name), (*path, name))]


def at(value: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        value = getattr(value, name)
    return value


def changed(value: Any, path: tuple[str, ...], leaf: Any) -> Any:
    """A copy of a nested dataclass with another value at `path`."""
    if not path:
        return leaf
    return replace(value, **{path[0]: changed(getattr(value, path[0]), path[1:], leaf)})


@given(st.dictionaries(st.text(max_size=5), JSON_VALUES, min_size=1, max_size=5), st.data())
def test_the_order_of_keys_does_not_change_the_fingerprint(values, data):
    keys = data.draw(st.permutations(list(values)))
    assert fingerprint({key: values[key] for key in keys}) == fingerprint(values)


@pytest.mark.parametrize("inside", [Path, lambda folder: {"folder": folder}])
def test_a_path_counts_by_the_files_that_lie_there(tmp_path, inside):
    """A model that stands in for a stage's is told from another one, wherever the two lie."""
    for name, text in (("one", "weights"), ("same", "weights"), ("other", "Weights")):
        (tmp_path / name / "sub").mkdir(parents=True)
        (tmp_path / name / "sub" / "model").write_text(text)
    one, same, other = (
        content_digest(inside(tmp_path / name)) for name in ("one", "same", "other")
    )
    assert one == same
    assert one != other


@given(any_of(Lineage))
def test_a_lineage_survives_its_file(tmp_path_factory, written):
    folder = tmp_path_factory.getbasetemp()
    written = replace(written, schema=lineage.SCHEMA)
    written.save(folder)
    assert Lineage.load(folder) == written


@given(any_of(Record))
def test_a_record_of_a_run_is_one_line_of_the_history(tmp_path_factory, written):
    folder = tmp_path_factory.mktemp("history")
    written = replace(written, run="first", passed=True, schema=history.SCHEMA)
    for run in ("first", "second"):
        replace(written, run=run).append(folder)
    assert history.find("first", folder) == (written, ())


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_lineage_holds_no_number_that_json_has_not(tmp_path, number):
    names: dict[str, Any] = {field.name: {} for field in fields(Lineage)}
    with pytest.raises(ValueError, match="not JSON compliant"):
        Lineage(**{**names, "metrics": {"accuracy": number}}).save(tmp_path)


class TextOnly(HTMLParser):
    """The text of a page, its tags, and the alternatives of its plots."""

    def __init__(self) -> None:
        super().__init__()
        self.text, self.tags, self.alts = "", list[str](), list[str]()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)
        if ("class", "drawing") in attrs:
            self.alts += [value or "" for name, value in attrs if name == "aria-label"]

    def handle_data(self, data: str) -> None:
        self.text += data


MARKUP = st.lists(
    st.one_of(
        st.sampled_from(
            [
                "<script>alert(1)</script>",
                "<img src=x onerror=a>",
                "</td>",
                "&",
                "&lt;",
                '"',
                "'",
                "]]>",
                "<!--",
            ]
        ),
        any_text(20),
    ),
    max_size=6,
).map("".join)


@given(MARKUP)
def test_a_report_of_any_text_parses_to_the_same_text(tiny_config, tmp_path_factory, text):
    """A parser of HTML may drop NUL and turn carriage returns into line feeds; all else stays."""
    text = text.replace("\r", "").replace("\x00", "")
    folder = tmp_path_factory.getbasetemp()
    session = LabSession(tiny_config, "asked for", folder, folder, 0.0, False, Silent())
    blocks = (
        Figure("plot", text, "<svg></svg>", text),
        Matrix("matrix", (text,), ((1,),), text),
        Planes(text, (text,), text, text, (text,), (Point(text, 0, 0, 0.5, text, ((0, 0),)),)),
        Table("table", ("column",), ((text,),)),
        Mistakes("mistakes", (Mistake(text, "a", "b", 0.5),)),
        Tokenized("post", text, (text,), (1,)),
        Listing("listing", text),
    )
    found = parsed(session, f"begin{text}end", blocks)
    assert f"begin{text}end" in found.text
    assert found.text.count(text) >= 12
    assert found.alts == [text]
    assert found.tags.count("script") == 1  # the page's own
    assert "img" not in found.tags


def parsed(session: LabSession, sentence: str, blocks: tuple[Any, ...]) -> TextOnly:
    parser = TextOnly()
    session.answers = {"compare": Answer("compare", sentence, sentence, {}, blocks)}
    parser.feed(page.page(session, {"data": sentence}))
    parser.close()
    return parser
