"""Tests of equivalence hold their level, and what is called detectable is detected."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import binom, multinomial, norm

from labkit.evaluation.intervals import mcnemar
from labkit.evaluation.paired import (
    LEVEL,
    SeedSpread,
    detectable,
    discordant,
    equivalence,
    holm,
    luck,
    not_worse,
    power_of,
    seed_spread,
)


def chance_of(claim, posts, lost, won):
    """How often a claim about (lost, won) is made, exactly, for these shares of lost and won."""
    chance = 0.0
    for flips in range(posts + 1):
        some = binom.pmf(flips, posts, lost + won)
        if some > 1e-9:
            for gone in range(flips + 1):
                if claim(gone, flips - gone):
                    chance += some * binom.pmf(gone, flips, lost / (lost + won))
    return chance


@pytest.mark.parametrize("posts", [60, 150])
@pytest.mark.parametrize("tolerance", [0.05, 0.1])
@pytest.mark.parametrize("won", [0.01, 0.05])
def test_what_is_worse_by_the_tolerance_is_called_equivalent_in_one_of_twenty_at_most(
    posts, tolerance, won
):
    """The score test's level is approximate; it stays within a point and a half of 5 %."""

    def claim(gone: int, come: int) -> bool:
        return equivalence(gone, come, posts, tolerance) < LEVEL

    assert chance_of(claim, posts, won + tolerance, won) <= LEVEL + 0.015


def test_what_is_the_same_is_called_so_with_enough_posts():
    def claim(gone: int, come: int) -> bool:
        return equivalence(gone, come, 400, 0.05) < LEVEL

    assert chance_of(claim, 400, 0.02, 0.02) > 0.95


@pytest.mark.parametrize(
    ("lost", "won", "posts", "tolerance"), [(9, 4, 100, 0.08), (0, 3, 50, 0.1)]
)
def test_the_statistic_is_the_score_test_that_a_search_for_the_likeliest_shares_gives(
    lost, won, posts, tolerance
):
    """Tango's closed form against a numeric search under lost = won + tolerance."""

    def against(share: float) -> float:
        rest = 1 - 2 * share - tolerance
        return -multinomial.logpmf(
            [won, lost, posts - won - lost], posts, [share, share + tolerance, rest]
        )

    found = minimize_scalar(
        against,
        bounds=(1e-9, (1 - tolerance) / 2 - 1e-9),
        method="bounded",
        options={"xatol": 1e-10},
    )
    spread = posts * (2 * found.x + tolerance * (1 - tolerance))
    z = (won - lost + posts * tolerance) / np.sqrt(spread)
    assert not_worse(lost, won, posts, tolerance) == pytest.approx(norm.sf(z), abs=1e-4)


@pytest.mark.parametrize("posts", [100, 400])
@pytest.mark.parametrize("flips", [0.0, 0.05, 0.1])
def test_a_detectable_difference_is_detected_in_four_of_five(posts, flips):
    """Drawn post by post and judged by the McNemar test of the lab."""
    share = detectable(round(posts * flips / 2), round(posts * flips / 2), posts)
    flips = max(flips, share)
    rng, seen = np.random.default_rng(1), 0
    for _ in range(400):
        turned = rng.random(posts) < flips
        gone = turned & (rng.random(posts) < (flips + share) / (2 * flips))
        before, after = np.where(turned, gone, True), np.where(turned, ~gone, True)
        seen += mcnemar(before, after) < LEVEL
    assert 0.74 <= seen / 400 <= 0.88


def test_half_of_a_detectable_difference_is_missed_more_often_than_not():
    share = detectable(10, 10, 400)
    assert power_of(share / 2, 20 / 400, 400) < 0.5


@pytest.mark.parametrize("deviation", [0.005, 0.02, 0.05])
@pytest.mark.parametrize("trainings", [3, 5, 20])
def test_trainings_that_differ_in_their_seed_alone_are_beyond_luck_in_one_of_twenty(
    deviation, trainings
):
    """The spread is drawn as well, from so few trainings; the deviation makes no difference."""
    rng, pairs = np.random.default_rng(1), 4000
    known = rng.normal(0.8, deviation, (pairs, trainings))
    differences = np.diff(rng.normal(0.8, deviation, (pairs, 2)), axis=1)[:, 0]
    limits = [SeedSpread(row.std(ddof=1), trainings).luck for row in known]
    assert np.mean(np.abs(differences) > limits) == pytest.approx(LEVEL, abs=0.012)


def test_what_is_detectable_beyond_the_seed_is_detected_in_four_of_five():
    spread, rng = SeedSpread(0.02, 10), np.random.default_rng(1)
    share = detectable(10, 10, 400, spread)
    assert share > detectable(10, 10, 400)
    drops = share + rng.normal(0, 0.02 * 2**0.5, 4000)
    assert np.mean(drops > luck(10, 10, 400, spread)) == pytest.approx(0.8, abs=0.03)


def test_luck_follows_the_exact_test_over_posts():
    """Of 400 posts that 10 turn, up to 8 for the worse and 2 for the better are luck (p = 0.11)."""
    assert luck(8, 2, 400) > 6 / 400
    assert luck(9, 1, 400) < 8 / 400
    assert seed_spread([0.8, 0.9]) is None


def test_too_few_posts_show_no_difference_at_all():
    assert detectable(0, 0, 5) == 1.0
    assert detectable(0, 0, 0) == 1.0


def test_the_same_answers_are_equivalent_only_within_what_the_posts_can_tell():
    assert equivalence(0, 0, 400, 0.02) < LEVEL
    assert equivalence(0, 0, 40, 0.02) > LEVEL


def test_discordant_posts_are_counted_by_their_direction():
    before, after = np.array([True, True, False, False]), np.array([True, False, True, False])
    assert discordant(before, after) == (1, 1)
    assert discordant(before, ~before) == (2, 2)


def test_holm_multiplies_the_smallest_by_all_and_keeps_the_order():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []
