"""Every puzzle is solved by what its page shows, and gives its answer to nobody who does not know it."""

import html
import json
import re

import pytest

from labkit.__main__ import main
from labkit.evaluation.gates import GATES
from labkit.puzzles import game
from labkit.puzzles.faults import FAULTS
from labkit.puzzles.sealed import FILE, load
from tests.puzzles.seal import answers, sealed

ANSWERS = answers()
GRADES = ("easy", "medium", "hard")


@pytest.fixture(scope="module")
def play(tmp_path_factory):
    """The text of the page of a run with a fault, or with none; each is played once."""
    folder = tmp_path_factory.mktemp("puzzles")
    pages: dict[str | None, str] = {}

    def text(fault):
        if fault not in pages:
            session = game.play(fault, folder / str(fault), folder / "store")
            source = session.page.read_text()
            shown = re.sub(r"<(style|script|svg)\b.*?</\1>", " ", source, flags=re.S)
            pages[fault] = " ".join(html.unescape(re.sub(r"<[^>]+>", " ", shown)).split())
        return pages[fault]

    return text


def test_there_are_enough_of_each_grade_and_the_easy_ones_come_first():
    grades = [puzzle.grade for puzzle in load()]
    assert len(grades) >= 12
    assert set(grades) == set(GRADES)
    assert grades == sorted(grades, key=GRADES.index)


def test_every_fault_is_in_one_puzzle():
    assert sorted(one["name"] for one in ANSWERS) == sorted(FAULTS)


def test_the_package_has_what_was_sealed():
    assert list(load()) == sealed()


def test_nothing_of_an_answer_can_be_read_in_the_package():
    text = FILE.read_text()
    for one in ANSWERS:
        for secret in (one["name"], one["reason"][:20], one["hints"][0][:20]):
            assert secret not in text
    assert set(json.loads(text)[0]) == {"number", "grade", "digest", "hints", "reason"}


def test_every_gate_that_an_answer_names_is_one():
    told = " ".join(" ".join([one["reason"], *one["clues"]]) for one in ANSWERS)
    named = set(re.findall(r"gate (\w+)\)|(\w+) measured", told))
    assert named
    assert {first or second for first, second in named} <= {gate.name for gate in GATES}


def test_without_a_fault_every_gate_holds(play):
    assert re.search(r"All \d+ gates hold", play(None))


QUICK = 1  # of the faults; all with `make long`
FAULTY = [
    pytest.param(one, id=one["name"], marks=[pytest.mark.long] if place >= QUICK else [])
    for place, one in enumerate(ANSWERS)
]


@pytest.mark.parametrize("one", FAULTY)
def test_the_page_gives_the_fault_away(play, one):
    """A clue that the healthy run shows as well would be none."""
    for clue in one["clues"]:
        assert re.search(clue, play(one["name"])), clue
    assert not all(re.search(clue, play(None)) for clue in one["clues"])


@pytest.mark.parametrize("number", range(1, len(ANSWERS) + 1))
def test_the_right_name_is_told_right_with_the_reason(number, capsys):
    right = ANSWERS[number - 1]
    assert main(["puzzle", "answer", str(number), right["name"]]) == 0
    assert capsys.readouterr().out == f"Right. {right['reason']}\n"
    wrong = next(name for name in FAULTS if name != right["name"])
    assert main(["puzzle", "answer", str(number), wrong]) == 0
    said = capsys.readouterr().out
    assert said.startswith("No, ")
    assert right["name"] not in said


def test_hints_come_in_steps(capsys):
    first, second, *_ = ANSWERS[0]["hints"]
    assert main(["puzzle", "hint", "1"]) == 0
    said = capsys.readouterr().out
    assert first in said
    assert second not in said
    assert main(["puzzle", "hint", "1", "2"]) == 0
    assert second in capsys.readouterr().out


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["start"], "there are puzzles 1 to"),
        (["start", "99"], "there are puzzles 1 to"),
        (["hint", "1", "9"], "has hints 1 to"),
        (["answer", "1", "gremlins"], "is none of"),
    ],
)
def test_what_cannot_be_is_refused_with_one_line(capsys, typed, said):
    assert main(["puzzle", *typed]) == 2
    found = capsys.readouterr().err
    assert said in found
    assert len(found.splitlines()) == 1


def test_the_list_names_every_puzzle_and_no_fault(capsys):
    assert main(["puzzle"]) == 0
    shown = capsys.readouterr().out
    assert len(re.findall(r"^ +\d+  (easy|medium|hard)", shown, re.M)) == len(ANSWERS)
    assert not [name for name in FAULTS if name in shown]


def test_start_prints_the_run_and_where_its_page_is(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["puzzle", "start", "1"]) == 0
    shown = capsys.readouterr().out
    assert "split_overlap" in shown
    assert (tmp_path / "reports" / "puzzles" / "1" / "lab.html").is_file()
    assert ANSWERS[0]["name"] not in shown
