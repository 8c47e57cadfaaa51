"""What is written is what is read back: configuration, lineage, answers, report."""

import json
from dataclasses import asdict, fields, is_dataclass, replace
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.answers.model import (
    Answer,
    Figure,
    Listing,
    Mistake,
    Mistakes,
    Panels,
    Table,
    Tokenized,
)
from labkit.config import LabConfig, fingerprint
from labkit.lineage import Lineage
from labkit.progress import Silent
from labkit.report import page
from labkit.session import LabSession
from tests.strategies import any_text, configurations, recipes

JSON_VALUES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
RECORDS = st.dictionaries(st.text(max_size=8), JSON_VALUES, max_size=4)


@given(configurations())
def test_a_configuration_survives_json(config):
    plain = json.loads(json.dumps(config.to_dict()))
    assert LabConfig.from_dict(plain) == config
    assert fingerprint(LabConfig.from_dict(plain)) == fingerprint(config)


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


@given(configurations(), configurations(), st.data())
def test_any_changed_field_changes_the_fingerprint(config, other, data):
    shared = [path for path in leaves(config) if path in leaves(other)]
    path = data.draw(st.sampled_from(shared))
    copy = changed(config, path, at(other, path))
    assert (fingerprint(copy) == fingerprint(config)) == (copy == config)


@given(st.dictionaries(st.text(max_size=5), JSON_VALUES, min_size=1, max_size=5), st.data())
def test_the_order_of_keys_does_not_change_the_fingerprint(plain, data):
    keys = data.draw(st.permutations(list(plain)))
    assert fingerprint({key: plain[key] for key in keys}) == fingerprint(plain)


@given(recipes(), RECORDS, RECORDS, st.none() | st.text(max_size=12))
def test_a_lineage_survives_json(tmp_path_factory, recipe, data, metrics, commit):
    texts = {field.name: "x" for field in fields(Lineage) if field.type == "str"}
    records = {field.name: data for field in fields(Lineage) if field.name not in texts}
    written = Lineage(
        **{**texts, **records, "recipe": asdict(recipe), "metrics": metrics, "commit": commit}
    )
    folder = tmp_path_factory.getbasetemp()
    written.save(folder)
    assert Lineage.load(folder) == written


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_lineage_holds_no_number_that_json_has_not(tmp_path, number):
    names = {field.name: {} for field in fields(Lineage)}
    with pytest.raises(ValueError, match="not JSON compliant"):
        Lineage(**{**names, "metrics": {"accuracy": number}}).save(tmp_path)


@given(any_text(), any_text(), any_text())
def test_an_answer_survives_the_way_from_a_worker(title, text, sentence):
    answer = Answer(
        "compare",
        title,
        sentence,
        {"silhouette_gain": 0.5},
        (
            Panels(title, (Figure(title, text, "cGxvdA=="),)),
            Tokenized(title, text, (text, title), (1, 2)),
            Figure(title, text, "cGxvdA=="),
            Table(title, (title, text), ((text, title),), best=0),
            Mistakes(title, (Mistake(text, "a", "b", 0.5),)),
            Listing(title, text),
        ),
    )
    assert Answer.unpack(json.loads(json.dumps(answer.pack()))) == answer


class TextOnly(HTMLParser):
    """The text of a page, the names of its tags, and the alternatives of its images."""

    def __init__(self) -> None:
        super().__init__()
        self.text, self.tags, self.alts = "", set[str](), list[str]()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.add(tag)
        self.alts += [value or "" for name, value in attrs if (tag, name) == ("img", "alt")]

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
        Figure("plot", text, ""),
        Table("table", ("column",), ((text,),)),
        Mistakes("mistakes", (Mistake(text, "a", "b", 0.5),)),
        Tokenized("post", text, (text,), (1,)),
        Listing("listing", text),
    )
    found = parsed(session, f"begin{text}end", blocks)
    assert f"begin{text}end" in found.text
    assert found.text.count(text) >= 6
    assert found.alts == [text]
    assert "script" not in found.tags


def parsed(session: LabSession, sentence: str, blocks: tuple[Any, ...]) -> TextOnly:
    parser = TextOnly()
    session.answers = {"compare": Answer("compare", sentence, sentence, {}, blocks)}
    parser.feed(page(session, {"data": sentence}, None))
    parser.close()
    return parser
