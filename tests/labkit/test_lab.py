"""The whole path on tiny subjects, and what the stages keep of each other."""

import pytest

from labkit.answers import answer
from labkit.answers.fine_tune import against
from labkit.evaluation import gates
from labkit.evaluation.intervals import Estimate
from labkit.exercises import EXERCISES


@pytest.mark.parametrize("exercise", [exercise.id for exercise in EXERCISES])
def test_every_exercise_is_answered_on_any_subject(tiny_lab, exercise):
    measured = answer(exercise, tiny_lab, gates.thresholds("embedded", {}))
    assert measured.sentence
    assert measured.gates
    assert all(result.measured is not None for result in measured.gates)


def test_a_margin_below_zero_reads_as_worse():
    assert against(Estimate(0.08, -0.02, 0.1)) == "8.0 points (-2.0 to 10.0) better than"
    assert against(Estimate(-0.03, -0.05, 0.01)) == "3.0 points (-1.0 to 5.0) worse than"
