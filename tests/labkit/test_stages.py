"""A stage that fails: once, for all that need it, and not in the next run."""

import pytest

from labkit.lab import Lab
from labkit.store import Store


class OutOfMemoryError(Exception):
    """Stands for anything that ends a training."""


@pytest.fixture
def lab(tiny_config, tmp_path):
    return Lab(tiny_config, Store(tmp_path / "store"), tmp_path / "model")


@pytest.fixture
def trainings(monkeypatch):
    """The trainings that were begun, each of which fails."""
    begun = []

    def fail(*args):
        begun.append(args)
        raise OutOfMemoryError("no room for the weights")

    monkeypatch.setattr("labkit.fine_tune.fine_tune", fail)
    return begun


def test_what_needs_a_failed_stage_fails_without_trying_it_again(lab, trainings):
    for stage in ("fine_tuned_folder", "history", "predictions", "evaluations", "saved_model"):
        with pytest.raises(OutOfMemoryError, match="no room for the weights"):
            getattr(lab, stage)
    assert len(trainings) == 1


def test_the_error_does_not_grow_from_one_test_to_the_next(lab, trainings):
    frames = []
    for _ in range(3):
        with pytest.raises(OutOfMemoryError) as caught:
            _ = lab.predictions
        frames.append(len(caught.traceback))
    assert frames[1] == frames[2] < frames[0]


def test_other_stages_go_on(lab, trainings):
    with pytest.raises(OutOfMemoryError):
        _ = lab.history
    assert len(lab.zero_shot["label_similarity"]) == len(lab.splits.test)


def test_the_next_run_tries_again(lab, trainings, monkeypatch):
    with pytest.raises(OutOfMemoryError):
        _ = lab.history
    monkeypatch.undo()
    assert Lab(lab.config, lab.store, lab.output).history.epochs
