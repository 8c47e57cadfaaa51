"""The README shows what a run printed: its answers are those of the committed sample."""

import json
from pathlib import Path

import pytest

from labkit.exercises import EXERCISES

ROOT = Path(__file__).parents[2]
ANSWERS = json.loads((ROOT / "reports" / "sample" / "answers.json").read_text())["answers"]


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: answer["id"])
def test_the_readme_gives_the_answers_of_the_sample(answer):
    readme = (ROOT / "README.md").read_text()
    assert f"| {answer['question']} | {answer['answer']} |" in readme


def test_the_sample_answers_every_question():
    assert [answer["id"] for answer in ANSWERS] == [exercise.id for exercise in EXERCISES]
