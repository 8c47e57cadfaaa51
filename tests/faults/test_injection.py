"""Text from data, names and records stays text: in the terminal, on the pages, in Markdown."""

import json
import re
from argparse import Namespace
from types import SimpleNamespace
from typing import Any, cast

import datasets
import numpy as np
import pytest
import yaml

from labkit.commands.output import write_json
from labkit.config import DataSource, LabConfig, ModelSource
from labkit.data.files import DataFiles
from labkit.data.posts import Posts
from labkit.errors import LabError, visible
from labkit.evaluation.intervals import Estimate
from labkit.evaluation.metrics import Evaluation
from labkit.model.checkpoints import Checkpoint
from labkit.plugin import html
from labkit.plugin.registry import BUILT_IN
from labkit.plugin.session import LabSession
from labkit.plugin.terminal import answer_table, comparison_lines, verdict_lines
from labkit.plumbing.hardware import Hardware
from labkit.release.card import model_card
from labkit.release.lineage import Ingredients, Lineage
from labkit.report.markdown import markdown

CONTROLS = {
    "colours": "\x1b[31mred\x1b[0m",
    "a-title": "\x1b]0;title\x07",
    "a-link": "\x1b]8;;http://evil\x1b\\here",
    "clear-the-screen": "\x1b[2J\x1b[H",
    "back-over-it": "good\b\b\b\bevil",
    "from-the-start": "good\revil",
    "a-new-line": "good\nevil",
    "a-bell": "\x07",
    "nothing": "\x00",
    "delete": "\x7f",
    "a-control-of-one-byte": "\x9b31m",
    "a-next-line": "good\x85evil",
    "a-line-separator": "good\u2028evil",
    "a-paragraph-separator": "good\u2029evil",
    "turned-round": "\u202egood",
    "turned-inside": "\u2066good",
    "half-a-pair": "\ud800",
    "a-tab": "a\tb",
    "a-form-feed": "a\x0cb",
}
OBEYED = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


@pytest.mark.parametrize("attack", CONTROLS)
def test_an_error_has_no_control_for_the_terminal(attack):
    line = str(LabError(f"posts.csv: no posts of {CONTROLS[attack]}"))
    assert not OBEYED.search(line)
    assert "\n" not in line
    assert line.startswith("posts.csv: no posts of ")


@pytest.mark.parametrize("text", ["plain", "Käse für 5 €", "日本語", "😀", "a\u0301", "\u200b"])
def test_what_a_terminal_only_shows_is_left_alone(text):
    assert visible(text) == text


def session_of(text: str) -> LabSession:
    """A run that has a text of the user's everywhere."""
    answer = SimpleNamespace(
        exercise="fine_tune", headline=text, sentence=text, gates=(), holds=True
    )
    baseline = SimpleNamespace(run=text, commit=text)
    comparison = SimpleNamespace(baseline=baseline, changes=(), differences=(text,))
    stand_in = SimpleNamespace(
        registry=BUILT_IN,
        flips=None,
        gates=[],
        failing=[],
        failures=[],
        holds=True,
        verdict=text,
        unanswered=[],
        remarks=(text,),
        comparison=comparison,
        in_order=lambda: [answer],
    )
    return cast(LabSession, stand_in)


@pytest.mark.parametrize("verbosity", [-1, 0, 1])
@pytest.mark.parametrize("attack", CONTROLS)
def test_the_answers_have_no_control_for_the_terminal(attack, verbosity):
    session = session_of(CONTROLS[attack])
    shown = [
        line
        for part in (
            answer_table(session, verbosity),
            verdict_lines(session),
            comparison_lines(session),
        )
        for line, _ in part
    ]
    assert shown
    assert not [line for line in shown if OBEYED.search(line) or "\n" in line]


@pytest.mark.parametrize("attack", CONTROLS)
def test_json_lines_have_no_control_and_the_same_content(capsys, attack):
    text = CONTROLS[attack]
    write_json({"text": text})
    written = capsys.readouterr().out
    assert not OBEYED.search(written)
    assert written.count("\n") == 1
    assert json.loads(written) == {"text": text}


MARKUP = {
    "a-script": "<script>alert(1)</script>",
    "an-image": "<img src=x onerror=alert(1)>",
    "a-comment": "<!-- hidden -->",
    "an-entity": "&lt;script&gt;",
    "a-link": "[here](http://evil)",
    "a-link-of-code": "[here](javascript:alert(1))",
    "a-picture": "![here](http://evil/x.png)",
    "a-reference": "[here]: http://evil",
    "bare": "http://evil.example/x",
    "bare-and-safe": "https://evil.example",
    "bare-www": "www.evil.example",
    "a-mail": "boss@evil.example",
    "a-person": "@everybody",
    "a-team": "@owner/team",
    "an-issue": "#1",
    "an-issue-elsewhere": "owner/name#1",
    "a-formula": "$\\frac{1}{0}$",
    "a-formula-alone": "$$x$$",
    "code": "`rm -rf`",
    "a-fence": "```sh",
    "bold": "**bold**",
    "underlined": "__bold__",
    "struck": "~~gone~~",
    "a-table": "a | b | c",
    "a-heading": "# heading",
    "a-quote": "> quote",
    "two-lines": "a\n\n# b",
    "a-backslash": "\\",
    "a-rule": "---",
    "a-template": "{{ 7 * 7 }}{% raw %}",
    "controls": "\x1b[31mred",
}
LIVE = {  # what GitHub would make something of
    "html": r"<\w|<!",
    "markup": r"(?<!\\)[`*_~|\[\]]",
    "a link": r"\w://|(?<!\w)www\.",
    "a mention or mail": r"@\w",
    "a reference": r"#\d",
    "a formula": r"\$",
    "a control": r"[\x00-\x1f\x7f-\x9f]",
}


@pytest.mark.parametrize("attack", MARKUP)
def test_the_summary_makes_nothing_of_it(attack):
    shown = re.sub(r"&#\d+;", "", markdown(MARKUP[attack]))
    assert not {name: found for name, found in LIVE.items() if re.search(found, shown)}


def ingredients(text: str, folder: Any) -> Ingredients:
    """What a card is made from, with a text of the user's for every name."""
    rows = datasets.Dataset.from_dict({"text": ["a post"] * 4})
    right = np.array([True])
    estimate = Estimate(0.5, 0.4, 0.6)
    return Ingredients(
        config=LabConfig("embedded", ModelSource(text), DataSource(text)),
        data_files=DataFiles(folder, text, {"train.jsonl": "0" * 64}),
        base=Checkpoint(folder, text, text, {}),
        posts=Posts(rows, rows, rows, (text, "other"), cast(Any, None)),
        plan=None,
        fine_tuned=cast(Any, SimpleNamespace(history=True)),
        evaluations={"fine_tuned": Evaluation("fine_tuned", right, right, estimate, estimate)},
        repeatability=None,
        hardware=Hardware("cpu", False, 1),
        commit=None,
    )


def lineage(text: str) -> Lineage:
    return cast(
        Lineage,
        Namespace(
            data={
                "labels": [text, "other"],
                "split_sizes": {"train": 4, "test": 4},
                "cleaning": {"unused": {}},
                "source": text,
                "fingerprint": "0" * 64,
            },
            base_model={"name": text, "revision": text},
            trained_elsewhere=None,
            recipe={"epochs": 3},
            metrics={"best_epoch": 1},
            hardware=Hardware("cpu", False, 1),
        ),
    )


@pytest.mark.parametrize("attack", MARKUP)
def test_the_model_card_makes_nothing_of_it(tmp_path, attack):
    text = MARKUP[attack]
    card = model_card(ingredients(text, tmp_path), lineage(text))
    plain = model_card(ingredients("plain", tmp_path), lineage("plain"))
    _, front, body = card.split("---\n", 2)
    known = yaml.safe_load(front)
    assert known["model-index"][0]["name"] == f"{text}-vs-other classifier"
    assert known["base_model"] == text
    assert body.count("\n") == plain.split("---\n", 2)[2].count("\n")
    shown = re.sub(r"&#\d+;", "", markdown(text))
    assert shown in re.sub(r"&#\d+;", "", body)
    for name in ("html", "a link", "a mention or mail", "a reference", "a formula"):
        assert not re.search(LIVE[name], re.sub(r"&#\d+;", "", body)), name


@pytest.mark.parametrize("attack", [name for name in MARKUP if "<" in MARKUP[name]])
def test_a_tests_id_is_no_markup_on_pytest_htmls_page(attack):
    cells = ['<td class="col-result">Passed</td>', f"{html.TEST_ID}test[{MARKUP[attack]}]</td>"]
    html.EscapedIds().pytest_html_results_table_row(cells)
    assert cells[0] == '<td class="col-result">Passed</td>'
    assert cells[1].startswith(html.TEST_ID)
    assert cells[1].count("<") == 2
