"""The whole path on tiny subjects, and what the stages keep of each other."""

import pytest

from labkit import lab
from labkit.answers import answer
from labkit.evaluation import gates
from labkit.exercises import EXERCISES
from labkit.plumbing import runner


@pytest.mark.parametrize("exercise", [exercise.id for exercise in EXERCISES])
def test_every_exercise_is_answered_on_any_subject(tiny_lab, exercise):
    measured = answer(exercise, tiny_lab, gates.thresholds("embedded", {}))
    assert measured.sentence
    assert measured.gates
    assert all(result.measured is not None for result in measured.gates)


@pytest.mark.parametrize("stage", ["converted", "posts", "base_tokens"])
def test_another_version_of_a_library_is_another_entry(tiny_lab, monkeypatch, stage):
    def key():
        return lab.run(tiny_lab.settings["config"], tiny_lab.store).own_key(stage)

    before = key()
    assert key() == before
    monkeypatch.setattr(runner, "library_versions", lambda _: {"torch": "0.1"})
    assert key() != before
