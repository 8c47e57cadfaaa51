"""The arithmetic of evidence against SciPy, scikit-learn and cases worked out by hand."""

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics

from labkit.evaluation import intervals
from labkit.evaluation.intervals import Estimate
from labkit.evaluation.separation import (
    PERMUTATIONS,
    SAMPLE,
    Separation,
    compare,
    separation,
    silhouettes,
    subsample,
    tsne,
)
from labkit.evaluation.similarity import nearest_topic_share, topic_gap

RNG = np.random.default_rng(7)
TRUTH = RNG.integers(0, 3, 240)
PREDICTED = np.where(RNG.random(240) < 0.8, TRUTH, RNG.integers(0, 3, 240))


def correctness(right: int, wrong: int) -> np.ndarray:
    return np.repeat([True, False], [right, wrong])


@pytest.mark.parametrize(
    ("right", "posts", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),  # Newcombe 1998, table 1, method 3
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_interval_is_the_published_one(right, posts, low, high):
    estimate = intervals.accuracy(correctness(right, posts - right))
    assert estimate.value == right / posts
    assert (estimate.low, estimate.high) == pytest.approx((low, high), abs=5e-5)


def test_accuracy_of_nothing_is_an_error():
    with pytest.raises(ValueError, match="the accuracy of no posts"):
        intervals.accuracy(np.array([], dtype=bool))
    with pytest.raises(ValueError, match="no posts to resample"):
        intervals.bootstrap(lambda rows: rows.mean(axis=1), 0, seed=0)


def test_bootstrap_interval_is_that_of_scipy():
    values = RNG.exponential(size=120)
    ours = intervals.bootstrap(lambda rows: values[rows].mean(axis=1), 120, seed=1, resamples=9000)
    theirs = stats.bootstrap(
        (values,), np.mean, n_resamples=9000, method="percentile", rng=np.random.default_rng(2)
    ).confidence_interval
    assert ours.value == pytest.approx(values.mean())
    spread = theirs.high - theirs.low
    assert ours.low == pytest.approx(theirs.low, abs=0.03 * spread)
    assert ours.high == pytest.approx(theirs.high, abs=0.03 * spread)


def test_bootstrap_is_the_same_in_one_block_and_in_many(monkeypatch):
    values = RNG.random(50)

    def once() -> Estimate:
        return intervals.bootstrap(lambda rows: values[rows].mean(axis=1), 50, seed=3)

    whole = once()
    monkeypatch.setattr(intervals, "CELLS", 50 * 7)
    assert once() == whole


def test_bootstrap_draws_2000_resamples_of_all_posts_and_follows_its_seed():
    shapes = []

    def statistic(rows: np.ndarray) -> np.ndarray:
        shapes.append(rows.shape)
        return rows.mean(axis=1)

    first = intervals.bootstrap(statistic, 30, seed=4)
    assert sum(shape[0] for shape in shapes[:-1]) == 2000
    assert {shape[1] for shape in shapes} == {30}
    assert intervals.bootstrap(statistic, 30, seed=4) == first
    assert intervals.bootstrap(statistic, 30, seed=5) != first


def test_bootstrap_memory_is_bounded_by_blocks():
    blocks = []

    def statistic(rows: np.ndarray) -> np.ndarray:
        blocks.append(rows.size)
        return rows[:, 0].astype(float)

    intervals.bootstrap(statistic, 5000, seed=0)
    assert max(blocks) <= intervals.CELLS
    assert sum(blocks) == 5000 * (intervals.RESAMPLES + 1)
    blocks.clear()
    intervals.bootstrap(statistic, intervals.CELLS + 1, seed=0, resamples=2)
    assert blocks == [intervals.CELLS + 1] * 3  # one post too many for a block: one at a time


def test_resamples_without_a_value_are_left_out():
    def statistic(rows: np.ndarray) -> np.ndarray:
        return np.where(rows[:, 0] == 0, np.nan, 1.0)

    estimate = intervals.bootstrap(statistic, 4, seed=0)
    assert (estimate.low, estimate.high) == (1.0, 1.0)
    assert np.isnan(estimate.value)


@pytest.mark.parametrize("share", [0.5, 0.9])
def test_95_percent_intervals_hold_the_truth_95_times_in_a_hundred(share):
    """Coverage over 400 experiments of 150 posts, within four standard errors of 95 %."""
    rng = np.random.default_rng(11)
    draws = rng.random((400, 150)) < share
    estimates = [intervals.accuracy(draw) for draw in draws]
    covered = np.mean([estimate.low <= share <= estimate.high for estimate in estimates])
    assert abs(covered - 0.95) < 4 * np.sqrt(0.95 * 0.05 / 400)


def test_an_interval_over_trainings_holds_the_mean_of_all_seeds():
    """Posts and trainings both drawn 1,000 times; the interval of the posts alone holds it less."""
    rng = np.random.default_rng(0)
    mean, apart, posts, trainings, draws = 0.85, 0.02, 400, 3, 1000
    held = {"posts": 0, "both": 0}
    for _ in range(draws):
        shares = rng.normal(mean, apart, trainings)
        # the same posts for each training: what is hard for one is hard for the others
        hard = rng.random(posts)
        correct = hard < shares[:, np.newaxis]
        alone = intervals.accuracy(correct[0])
        both = intervals.over_trainings(alone, correct.mean(axis=1))
        assert both.value == alone.value
        for name, found in (("posts", alone), ("both", both)):
            held[name] += found.low <= mean <= found.high
    assert held["both"] >= 0.95 * draws - 2 * np.sqrt(0.95 * 0.05 * draws)
    assert held["posts"] < held["both"]


def test_trainings_that_agree_to_the_digit_change_nothing():
    alone = intervals.accuracy(np.arange(100) < 80)
    assert intervals.over_trainings(alone, np.array([0.8])) == alone
    same = intervals.over_trainings(alone, np.array([0.8] * 3))
    assert (same.low, same.high) == pytest.approx((alone.low, alone.high))


def test_paired_difference_is_far_surer_than_two_intervals():
    """Both err on the same posts; only 6 posts of 200 tell them apart."""
    better = correctness(160, 40)
    worse = better.copy()
    worse[:6] = False
    margin = intervals.paired_difference(better, worse, seed=0)
    assert margin.value == pytest.approx(0.03)
    assert 0 < margin.low < 0.03 < margin.high < 0.06
    assert intervals.accuracy(worse).high > intervals.accuracy(better).low


def test_paired_difference_takes_means_over_several_runs():
    margin = intervals.paired_difference(np.full(10, 1.0), np.full(10, 0.25), seed=0)
    assert margin == Estimate(0.75, 0.75, 0.75)


@pytest.mark.parametrize(("first", "second"), [(9, 1), (5, 5), (0, 6), (0, 0), (30, 12)])
def test_mcnemar_is_the_exact_binomial_test(first, second):
    """`first` and `second` posts are got right by one of the two only; 20 by both, 10 by none."""
    right = [first, second, 20, 10]
    a, b = (
        np.repeat([True, False, True, False], right),
        np.repeat([False, True, True, False], right),
    )
    tail = stats.binom.cdf(min(first, second), first + second, 0.5)
    assert intervals.mcnemar(a, b) == pytest.approx(min(1.0, 2 * tail))


def test_cochrans_q_of_two_is_mcnemars_chi_square():
    """Cochran 1950: for two classifiers Q is (b - c)^2 / (b + c), with 1 degree of freedom."""
    first = np.repeat([True, False, True, False], [30, 12, 20, 10])
    second = np.repeat([False, True, True, False], [30, 12, 20, 10])
    expected = stats.chi2.sf((30 - 12) ** 2 / (30 + 12), 1)
    assert intervals.cochran_q(np.stack([first, second])) == pytest.approx(expected)


def test_cochrans_q_is_that_of_shuffling_within_posts():
    """What it approximates: which classifiers are right on a post is equally likely, post by post."""
    rng = np.random.default_rng(3)
    correct = rng.random((5, 80)) < np.array([0.5, 0.5, 0.6, 0.6, 0.7])[:, None]
    hits = correct.sum(axis=1).var()
    shuffled = np.stack([rng.permuted(correct, axis=0).sum(axis=1) for _ in range(4000)])
    assert intervals.cochran_q(correct) == pytest.approx(
        np.mean(shuffled.var(axis=1) >= hits), abs=0.02
    )


def test_cochrans_q_finds_nothing_where_classifiers_do_not_differ():
    right = np.arange(40) % 3 > 0
    assert intervals.cochran_q(np.stack([right] * 20)) == 1  # the same answers from all
    luck = np.stack([np.roll(right, shift) for shift in range(0, 39, 3)])
    assert intervals.cochran_q(luck) > 0.5  # equally often right, on other posts


def test_confusion_has_the_true_class_by_row():
    truth, predicted = np.array([0, 0, 1, 2]), np.array([0, 1, 1, 0])
    counts = intervals.confusion(truth, predicted, 3)
    assert counts.tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 0]]


def test_macro_f1_is_that_of_scikit_learn_within_a_narrow_interval():
    estimate = intervals.macro_f1(TRUTH, PREDICTED, 3, seed=0)
    assert estimate.value == pytest.approx(metrics.f1_score(TRUTH, PREDICTED, average="macro"))
    assert estimate.low < estimate.value < estimate.high
    assert 0.05 < estimate.high - estimate.low < 0.15  # about 4 standard errors of 240 posts


def test_every_interval_follows_its_seed():
    right = TRUTH == PREDICTED
    measures = (
        lambda seed: intervals.macro_f1(TRUTH, PREDICTED, 3, seed),
        lambda seed: intervals.paired_difference(right, ~right, seed),
    )
    for measure in measures:
        drawn = [measure(seed) for seed in range(5)]
        assert drawn == [measure(seed) for seed in range(5)]
        assert len(set(drawn)) > 1


def test_a_class_that_never_occurs_counts_zero():
    counts = np.array([[3, 0, 0], [0, 5, 0], [0, 0, 0]])
    assert intervals.macro_f1_of(counts) == pytest.approx(2 / 3)


def test_silhouette_counts_a_class_of_one_post_as_zero():
    points = np.array([[0.0], [0.1], [5.0]])
    truth = np.array([0, 0, 1])
    distances = metrics.pairwise_distances(points)
    expected = metrics.silhouette_samples(distances, truth, metric="precomputed")
    assert silhouettes(distances, truth) == pytest.approx(expected)


def test_shuffled_labels_are_not_separated():
    points = np.random.default_rng(0).normal(size=(60, 5))
    distances = metrics.pairwise_distances(points)
    measured = separation(distances, np.arange(60) % 2, seed=0)
    assert measured.silhouette < measured.null_95
    assert measured.p_value > 0.05
    assert measured == separation(distances, np.arange(60) % 2, seed=0)


def test_the_null_is_as_large_as_it_says():
    distances, truth = np.zeros((4, 4)), np.array([0, 0, 1, 1])
    assert separation(distances, truth, seed=0) == Separation(0.0, 0.0, 1.0)
    clouds = np.repeat([[0.0], [9.0]], 30, axis=0) + np.random.default_rng(1).normal(size=(60, 2))
    measured = separation(metrics.pairwise_distances(clouds), np.repeat([0, 1], 30), seed=0)
    assert measured.p_value == 1 / (PERMUTATIONS + 1)


def test_shuffles_of_nothing_are_above_their_95_percent_one_time_in_twenty():
    """Each embedding has a null of its own, whose p-value is right where labels say nothing."""
    rng = np.random.default_rng(2)
    truth = np.arange(40) % 2
    found = [
        separation(metrics.pairwise_distances(rng.normal(size=(40, 3))), truth, seed, 100)
        for seed in range(200)
    ]
    for share in (
        np.mean([one.silhouette > one.null_95 for one in found]),
        np.mean([one.p_value <= 0.05 for one in found]),
    ):
        assert abs(share - 0.05) < 4 * np.sqrt(0.05 * 0.95 / 200)


def test_the_null_of_other_embeddings_is_another():
    """Tight clusters that are no classes: shuffled labels reach more there than in one cloud."""
    rng = np.random.default_rng(4)
    truth = np.arange(80) % 2
    cloud = rng.normal(size=(80, 3))
    found = compare(cloud, cloud + 20 * rng.integers(0, 2, (80, 1)), truth, seed=0)
    assert found.before.null_95 != pytest.approx(found.after.null_95, rel=0.5)
    assert found.gain_beyond_null < 0


def test_the_gain_is_zero_where_nothing_moved_and_large_where_classes_part():
    rng = np.random.default_rng(5)
    truth = np.arange(60) % 2
    cloud = rng.normal(size=(60, 4))
    same, apart = (compare(cloud, cloud + shift * truth[:, None], truth, 0) for shift in (0, 9))
    assert same.gain == Estimate(0.0, 0.0, 0.0)
    assert not same.gain_beyond_null > 0
    assert apart.gain.value == pytest.approx(apart.after.silhouette - apart.before.silhouette)
    assert apart.gain_beyond_null > 0.5


def test_large_sets_are_sampled_and_small_ones_whole():
    truth = np.zeros(SAMPLE + 50, dtype=int)
    rows = subsample(truth, seed=0)
    assert len(rows) == len(set(rows.tolist())) == SAMPLE
    assert subsample(truth, seed=1).tolist() != rows.tolist()
    assert subsample(truth[:SAMPLE], seed=0).tolist() == list(range(SAMPLE))


def test_tsne_draws_few_posts_too_and_the_same_each_time():
    points = np.random.default_rng(0).normal(size=(9, 4)).astype(np.float32)
    plane = tsne(points, seed=0)
    assert plane.shape == (9, 2)
    np.testing.assert_array_equal(plane, tsne(points, seed=0))


def test_topic_gap_agrees_with_resampling_one_by_one():
    rng = np.random.default_rng(3)
    topics = np.repeat([0, 1, 2], 5)
    similarity = rng.random((15, 15)) + 0.4 * np.equal.outer(topics, topics)
    similarity = (similarity + similarity.T) / 2

    def slow(rows: np.ndarray) -> np.ndarray:
        values = []
        for draw in rows:
            block, topic = similarity[np.ix_(draw, draw)], topics[draw]
            same = np.equal.outer(topic, topic) & np.not_equal.outer(draw, draw)
            values.append(block[same].mean() - block[np.not_equal.outer(topic, topic)].mean())
        return np.array(values)

    gap = topic_gap(similarity, topics, seed=0)
    expected = intervals.bootstrap(slow, 15, seed=0)
    assert (gap.value, gap.low, gap.high) == pytest.approx(
        (expected.value, expected.low, expected.high)
    )


def test_a_sentence_is_not_its_own_neighbour():
    similarity = np.array([[1.0, 0.2, 0.9], [0.2, 1.0, 0.3], [0.9, 0.3, 1.0]])
    assert nearest_topic_share(similarity, np.array([0, 1, 0])) == pytest.approx(2 / 3)
