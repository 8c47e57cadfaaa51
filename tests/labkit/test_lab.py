"""The whole path on tiny subjects, and what the stages keep of each other."""

import pytest

from labkit.answers import answer
from labkit.exercises import EXERCISES


@pytest.mark.parametrize("exercise", [exercise.id for exercise in EXERCISES])
def test_every_exercise_is_answered_on_any_subject(tiny_lab, exercise):
    measured = answer(exercise, tiny_lab)
    assert measured.sentence
    assert all(result.measured is not None for result in measured.gates)
