"""Metrics agree with scikit-learn, intervals with SciPy, and both keep their promises."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from labkit.evaluation import intervals
from labkit.evaluation.calibration import calibration
from labkit.evaluation.metrics import evaluate, evaluate_draws
from labkit.evaluation.separation import separation, silhouettes, subsample
from tests.strategies import (
    confusion_matrices,
    labels,
    probability_rows,
    seeds,
    truth_and_predictions,
)


@given(truth_and_predictions())
def test_confusion_and_macro_f1_are_those_of_scikit_learn(case):
    truth, predicted, classes = case
    counts = intervals.confusion(truth, predicted, classes)
    known = range(classes)
    np.testing.assert_array_equal(counts, metrics.confusion_matrix(truth, predicted, labels=known))
    assert intervals.macro_f1_of(counts) == pytest.approx(
        metrics.f1_score(truth, predicted, labels=known, average="macro", zero_division=0)
    )


@given(confusion_matrices())
def test_macro_f1_is_a_share_and_blind_to_the_names_of_the_classes(counts):
    f1 = intervals.macro_f1_of(counts)
    order = np.arange(len(counts))[::-1]
    assert 0 <= f1 <= 1
    assert intervals.macro_f1_of(counts[np.ix_(order, order)]) == pytest.approx(f1)
    turned = intervals.macro_f1_of(counts.T)  # precision and recall change roles
    assert turned == pytest.approx(f1)


@given(st.lists(truth_and_predictions(), min_size=1, max_size=3))
def test_many_confusions_at_once_are_those_one_by_one(cases):
    size = min(len(truth) for truth, _, _ in cases)
    truth, predicted = (np.stack([case[i][:size] for case in cases]) for i in (0, 1))
    together = intervals.confusion(truth, predicted, 6)
    one_by_one = [intervals.confusion(t, p, 6) for t, p in zip(truth, predicted, strict=True)]
    np.testing.assert_array_equal(together, one_by_one)


@given(st.lists(st.booleans(), min_size=1, max_size=200))
def test_wilson_interval_holds_the_point_and_stays_within_0_and_1(correct):
    estimate = intervals.accuracy(np.array(correct))
    assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1
    assert estimate.low < estimate.high


@given(st.lists(st.booleans(), min_size=1, max_size=30), st.integers(2, 9))
def test_more_posts_make_the_interval_narrower(correct, times):
    few = intervals.accuracy(np.array(correct))
    many = intervals.accuracy(np.array(correct * times))
    assert many.value == pytest.approx(few.value)
    assert many.high - many.low < few.high - few.low


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60), seeds())
def test_a_paired_difference_turns_its_sign_with_its_arguments(pairs, seed):
    first, second = np.array(pairs).T
    there = intervals.paired_difference(first, second, seed)
    back = intervals.paired_difference(second, first, seed)
    assert (-there.value, -there.high, -there.low) == pytest.approx(
        (back.value, back.low, back.high), abs=1e-12
    )
    assert -1 <= there.low <= there.high <= 1
    assert intervals.mcnemar(first, second) == pytest.approx(intervals.mcnemar(second, first))


@given(probability_rows(), seeds())
def test_calibration_error_is_a_share_and_bins_hold_every_post(rows, seed):
    truth = np.random.default_rng(seed).integers(0, rows.shape[1], len(rows))
    measured = calibration(rows, truth, seed)
    assert -1 <= measured.gap.low <= measured.gap.high <= 1
    assert abs(measured.gap.value) <= measured.error + 1e-12 <= 1 + 1e-12
    assert measured.counts.sum() == len(rows)
    filled = measured.counts > 0
    gap = np.abs(measured.confidence - measured.accuracy)[filled]
    expected = (gap * measured.counts[filled]).sum() / len(rows)
    assert measured.error == pytest.approx(expected, abs=1e-12)


@given(labels(max_size=30).filter(lambda truth: 1 < len(set(truth.tolist())) < len(truth)), seeds())
def test_silhouette_is_that_of_scikit_learn(truth, seed):
    points = np.random.default_rng(seed).normal(size=(len(truth), 4))
    distances = metrics.pairwise_distances(points)
    np.fill_diagonal(distances, 0.0)
    expected = metrics.silhouette_samples(distances, truth, metric="precomputed")
    np.testing.assert_allclose(silhouettes(distances, truth), expected, atol=1e-9)


@given(seeds())
def test_separation_tells_two_clouds_from_one(seed):
    rng = np.random.default_rng(seed)
    truth = np.repeat([0, 1], 20)
    one = rng.normal(size=(40, 3))
    distances = metrics.pairwise_distances(one + 9.0 * truth[:, None])
    apart = separation(distances, truth, seed, permutations=40)
    assert apart.silhouette > apart.null_95
    assert apart.p_value == pytest.approx(1 / 41)


@given(labels(), st.integers(1, 90), seeds())
def test_a_subsample_is_sorted_and_bounded(truth, size, seed):
    rows = subsample(truth, seed, size)
    assert len(rows) == min(size, len(truth))
    assert (np.diff(rows) > 0).all()


@given(truth_and_predictions(), seeds())
def test_an_evaluation_counts_what_was_predicted(case, seed):
    truth, predicted, classes = case
    evaluation = evaluate("fine_tuned", np.eye(classes)[predicted], truth, seed)
    np.testing.assert_array_equal(evaluation.predicted, predicted)
    np.testing.assert_array_equal(evaluation.correct, predicted == truth)
    assert evaluation.accuracy.value == pytest.approx(metrics.accuracy_score(truth, predicted))


@given(truth_and_predictions(), st.integers(1, 5), seeds())
def test_draws_are_counted_one_by_one_and_range_from_the_least_to_the_most(case, draws, seed):
    truth, _, classes = case
    predicted = np.random.default_rng(seed).integers(0, classes, (draws, len(truth)))
    drawn = evaluate_draws("untrained_nli", np.eye(classes)[predicted], truth)
    accuracies = [metrics.accuracy_score(truth, row) for row in predicted]
    np.testing.assert_array_equal(drawn.all_predicted, predicted)
    np.testing.assert_array_equal(drawn.predicted, predicted[0])
    np.testing.assert_allclose(drawn.accuracies, accuracies)
    assert drawn.hit_rate.mean() == pytest.approx(np.mean(accuracies))
    assert drawn.accuracy.value == pytest.approx(np.mean(accuracies))
    assert min(accuracies) - 1e-12 <= drawn.accuracy.low <= drawn.accuracy.high
    assert drawn.accuracy.high <= max(accuracies) + 1e-12
