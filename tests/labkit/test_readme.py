"""What the docs show is what was run or written: answers of the sample, terms of the glossary."""

import json
import re
from pathlib import Path

import pytest

from labkit.exercises import EXERCISES
from labkit.report.glossary import as_markdown, marked, terms

ROOT = Path(__file__).parents[2]
ANSWERS = json.loads((ROOT / "reports" / "sample" / "answers.json").read_text())["answers"]


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: answer["id"])
def test_the_readme_gives_the_answers_of_the_sample(answer):
    readme = (ROOT / "README.md").read_text()
    assert f"| {answer['question']} | {answer['headline']} |" in readme


def test_the_sample_answers_every_question():
    assert [answer["id"] for answer in ANSWERS] == [exercise.id for exercise in EXERCISES]


def test_the_docs_have_the_glossary_of_the_report():
    assert (ROOT / "docs" / "glossary.md").read_text() == as_markdown()


def test_a_term_is_marked_once_and_everything_is_escaped():
    seen: set[str] = set()
    text = marked("Cosines & tokens; a cosine <b>, retokens, gate-keeper", seen)
    assert text.count("<button") == 2
    assert "&amp;" in text
    assert "&lt;b&gt;" in text
    assert seen == {"cosine", "token"}
    assert "<button" not in marked("tokens", seen)


def test_a_term_keeps_the_punctuation_beside_it_and_is_no_part_of_a_file_name():
    text = marked("frozen (logistic regression), not tokenizer.json. A tokenizer.", set())
    assert re.findall(r"<span[^>]*>([^<]*)<.*?</button>([^<]*)</span>", text) == [
        ("(", "),"),
        ("", "."),
    ]


def test_every_term_has_its_own_place_and_its_longest_spelling_wins():
    assert len({term.id for term in terms()}) == len(terms())
    text = marked("the learning rate and the test split", set())
    assert ">learning rate</button>" in text
    assert ">test split</button>" in text
