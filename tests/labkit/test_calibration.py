"""How sure against how right: the sign, the size, what luck alone shows, and the temperature."""

import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import log_loss

from labkit.evaluation.calibration import binned_error, calibration, perfect, temperature
from labkit.model.predictions import probabilities


def rows_of(confidence: np.ndarray) -> np.ndarray:
    return np.column_stack([confidence, 1 - confidence])


def drawn(posts: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Logits of a perfect model for three classes, and the classes drawn from what they say."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(scale=1.5, size=(posts, 3))
    rows = probabilities(logits)
    return logits, (rng.random((posts, 1)) > rows.cumsum(axis=1)).sum(axis=1).clip(max=2)


def test_worked_out_by_hand():
    """Ten posts 95 % sure and nine right, ten 65 % sure and four right: 0.5 · 0.05 + 0.5 · 0.25."""
    truth = np.concatenate([np.repeat([0, 1], [9, 1]), np.repeat([0, 1], [4, 6])])
    measured = calibration(rows_of(np.repeat([0.95, 0.65], 10)), truth, seed=0)
    assert measured.error == pytest.approx(0.15)
    assert measured.sureness == pytest.approx(0.8)
    assert measured.gap.value == pytest.approx(0.15)
    assert measured.counts.tolist() == [0] * 6 + [10, 0, 0, 10]
    assert measured.confidence[[6, 9]].tolist() == pytest.approx([0.65, 0.95])
    assert measured.accuracy[[6, 9]].tolist() == pytest.approx([0.4, 0.9])
    assert np.isnan(measured.accuracy[:6]).all()


def test_bins_are_those_of_scikit_learn():
    confidence = np.random.default_rng(5).uniform(0.5, 1, 400)
    truth = (np.random.default_rng(6).random(400) > confidence**2).astype(int)
    measured = calibration(rows_of(confidence), truth, seed=0)
    accuracy, mean = calibration_curve(truth == 0, confidence, n_bins=10)
    filled = measured.counts > 0
    np.testing.assert_allclose(measured.accuracy[filled], accuracy)
    np.testing.assert_allclose(measured.confidence[filled], mean)


def test_certainty_falls_into_the_last_bin():
    measured = calibration(np.eye(2)[[0, 1]], np.array([0, 1]), seed=0)
    assert measured.counts.tolist() == [0] * 9 + [2]
    assert (measured.error, measured.gap.value) == (0.0, 0.0)


@pytest.mark.parametrize(("sharpness", "sign"), [(4.0, 1), (0.25, -1)])
def test_the_gap_has_a_direction(sharpness, sign):
    """A model that is surer than it is right, and one that is less sure."""
    logits, truth = drawn(600, seed=1)
    measured = calibration(probabilities(sharpness * logits), truth, seed=0)
    assert sign * measured.gap.value > 0.1
    assert np.sign([measured.gap.low, measured.gap.high]).tolist() == [sign, sign]


def test_the_gaps_interval_holds_the_truth_as_often_as_it_says():
    """Of a perfect model the gap is 0; a binned error is above 0 for every one of them."""
    found = []
    for seed in range(150):
        logits, truth = drawn(120, seed)
        found.append(calibration(probabilities(logits), truth, seed))
    covered = np.mean([one.gap.low <= 0 <= one.gap.high for one in found])
    assert abs(covered - 0.95) < 4 * np.sqrt(0.95 * 0.05 / 150)
    assert min(one.error for one in found) > 0.01


def test_a_perfect_model_exceeds_its_95_percent_one_time_in_twenty():
    exceeding = []
    for seed in range(150):
        logits, truth = drawn(120, seed)
        rows = probabilities(logits)
        error = calibration(rows, truth, seed).error
        exceeding.append(perfect(rows, error, seed).p_value <= 0.05)
    assert abs(np.mean(exceeding) - 0.05) < 4 * np.sqrt(0.95 * 0.05 / 150)


def test_an_overconfident_model_is_beyond_a_perfect_one():
    logits, truth = drawn(400, seed=3)
    sure = probabilities(3 * logits)
    found = perfect(sure, calibration(sure, truth, 0).error, seed=0)
    assert found.p_value == pytest.approx(1 / 1001)


def test_many_errors_at_once_are_those_one_by_one():
    rng = np.random.default_rng(0)
    confidence, correct = rng.uniform(0.3, 1, 50), rng.integers(0, 2, (7, 50)).astype(float)
    together = binned_error(confidence, correct)
    np.testing.assert_allclose(
        together, [binned_error(confidence, row[None])[0] for row in correct]
    )


@pytest.mark.parametrize("sharpness", [0.3, 1.0, 5.0])
def test_the_temperature_undoes_what_the_logits_were_scaled_by(sharpness):
    logits, truth = drawn(4000, seed=2)
    found = temperature(sharpness * logits, truth)
    assert found == pytest.approx(sharpness, rel=0.1)
    losses = [
        log_loss(truth, probabilities(sharpness * logits, found * step))
        for step in (0.8, 1.0, 1.25)
    ]
    assert np.argmin(losses) == 1


def test_a_model_that_is_always_right_gets_a_temperature_within_bounds():
    assert 0.04 < temperature(np.eye(2)[[0, 1]] * 3.0, np.array([0, 1])) < 0.1
