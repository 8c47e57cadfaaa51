"""The commands that the report says to try, run as they stand, in a checkout with a tiny model."""

import json
import shlex

import pytest

from labkit.exercises import EXERCISES
from labkit.report.page import tries
from tests.checkout import Checkout
from tests.running import run_python
from tests.subjects import LABELS

COMMANDS = [
    (exercise.id, command) for exercise in EXERCISES for command, _, _ in tries(exercise, LABELS)
]
QUICK = 1  # of the commands; all with `make long`


@pytest.fixture(scope="module")
def checkout(tmp_path_factory, tiny_checkpoint):
    """A checkout in which the lab has run once, so that there is a model to ask."""
    checkout = Checkout(tmp_path_factory.mktemp("try-this") / "lab", tiny_checkpoint)
    run_python("-m", "pytest", "-k", "save_and_track", cwd=checkout.folder)
    assert (checkout.folder / "reports" / "model" / "lineage.json").is_file()
    return checkout


@pytest.mark.parametrize(
    ("exercise", "command"),
    [
        pytest.param(*both, id=both[1], marks=[pytest.mark.long] if place >= QUICK else [])
        for place, both in enumerate(COMMANDS)
    ],
)
def test_it_runs_and_answers_the_exercise(checkout, exercise, command):
    """A gate may fail: that is what some of them are for."""
    report = checkout.folder / "reports" / "answers.json"
    report.unlink(missing_ok=True)
    done = run_python("-m", *shlex.split(command), cwd=checkout.folder)
    assert "Traceback" not in done.stdout + done.stderr
    if command.startswith("pytest"):
        assert done.returncode in (0, 1), done.stdout + done.stderr
        assert [answer["id"] for answer in json.loads(report.read_text())["answers"]] == [exercise]
    else:
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("exercise", EXERCISES, ids=[e.id for e in EXERCISES])
def test_there_are_two_or_three_each_with_a_question_and_a_place_to_look(exercise):
    assert 2 <= len(exercise.tries) <= 3
    for one in exercise.tries:
        assert one.predict.endswith("?")
        assert one.look


def test_without_known_classes_no_command_names_one():
    shown = [command for exercise in EXERCISES for command, _, _ in tries(exercise, ())]
    assert not [command for command in shown if "{" in command]
    assert 0 < len(shown) < len(COMMANDS)
