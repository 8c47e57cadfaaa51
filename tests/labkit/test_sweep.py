"""What the small trainings say about a learning rate, for classes of any size."""

import numpy as np
import pytest

from labkit.answers.fine_tune import about_posts, about_rates
from labkit.config import Recipe
from labkit.evaluation.seeds import better_neighbour, gain_of
from labkit.training.history import Epoch, History, LearningCurve, Sweep, Trial
from labkit.training.plan import Plan

RATES = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2)
GUESSING = np.log(2)


def trial(rate: float, seed: int, loss: float, train_loss: float | None = None) -> Trial:
    """A training that ends with about this loss on each of sixty validation posts."""
    noise = np.random.default_rng(seed).normal(0, 0.2, 60)
    last = loss if train_loss is None else train_loss
    history = History((Epoch(1, last, loss, 0.5),), ((1, last),), 1, 1, 0.1, False, "cpu")
    return Trial(rate, seed, 120, history, loss + noise, np.arange(60) < 30)


def sweep_of(*losses: float, rate: float = 1e-4) -> Sweep:
    """Trainings by rate with these losses, three seeds of the three in the middle."""
    trials = [
        trial(one, seed, loss + 0.01 * seed)
        for one, loss in zip(RATES, losses, strict=True)
        for seed in range(3 if one in RATES[1:4] else 1)
    ]
    return Sweep(tuple(trials), trials[0], rate, 120, 64, float(GUESSING))


PLAN = Plan(Recipe(learning_rate=1e-4, epochs=3), "")
HEALTHY = sweep_of(0.69, 0.6, 0.4, 0.5, np.nan)


def test_a_rate_between_worse_ones_is_left_alone():
    rate, gain = better_neighbour(HEALTHY, 0)
    assert gain.low < 0
    said = about_rates(PLAN, HEALTHY, rate, gain)
    assert "a rate three times smaller or larger is not better than 0.0001" in said


@pytest.mark.parametrize(
    ("losses", "better"),
    [((0.69, 0.4, 0.6, 0.65, np.nan), 1e-5), ((0.69, 0.65, 0.6, 0.4, 0.7), 1e-3)],
    ids=["too large", "too small"],
)
def test_a_recipe_off_by_three_is_told_the_better_rate(losses, better):
    sweep = sweep_of(*losses)
    rate, gain = better_neighbour(sweep, 0)
    assert (rate, gain.low > 0) == (better, True)
    said = about_rates(PLAN, sweep, rate, gain)
    assert f"a rate of {better:.2g} is better than 0.0001: 0.20 nats less" in said


def test_a_difference_that_the_seeds_do_not_agree_on_is_noise():
    """Two of three seeds gain and one loses more: posts alone would call it certain."""
    trials = [
        trial(one, seed, loss)
        for one, losses in {1e-5: (0.6, 0.6, 0.6), 1e-4: (0.6,) * 3, 1e-3: (0.5, 0.5, 0.75)}.items()
        for seed, loss in enumerate(losses)
    ]
    sweep = Sweep(tuple(trials), trials[0], 1e-4, 120, 64, float(GUESSING))
    assert gain_of(sweep, 1e-3, 0).low < 0


def test_no_number_never_wins():
    assert -10 < gain_of(sweep_of(0.6, 0.6, 0.6, np.nan, np.nan), 1e-3, 0).high < -9
    assert 9 < gain_of(sweep_of(0.6, 0.6, np.nan, 0.6, 0.6), 1e-3, 0).low < 10


@pytest.mark.parametrize(
    ("smallest", "largest", "underfits", "fails"),
    [(0.69, 0.7, True, True), (0.1, 0.1, False, False), (0.69, np.nan, True, True)],
)
def test_the_ends_of_the_grid_are_judged_by_what_guessing_gets(smallest, largest, underfits, fails):
    sweep = sweep_of(smallest, 0.5, 0.4, 0.5, largest)
    assert sweep.smallest_underfits is underfits
    assert sweep.largest_fails is fails


def curve(fine_tuned: tuple[float, ...], probe: tuple[float, ...]) -> LearningCurve:
    posts = (30, 60, 120)
    trials = tuple(
        Trial(1e-4, 0, amount, HEALTHY.long.history, np.zeros(100), np.arange(100) < 100 * share)
        for amount, share in zip(posts, fine_tuned, strict=True)
    )
    return LearningCurve(trials, posts, np.array(probe) - 0.1, np.array(probe), 100)


@pytest.mark.parametrize(
    ("fine_tuned", "said"),
    [
        ((0.5, 0.7, 0.9), "From 120 train posts on, fine-tuning does better"),
        ((0.5, 0.9, 0.9), "From 60 train posts on, fine-tuning does better"),
        ((0.9, 0.5, 0.9), "From 120 train posts on, fine-tuning does better"),
        ((0.5, 0.6, 0.7), "With up to 120 train posts, fine-tuning does not do better"),
        ((0.5, 0.6, 0.8), "With up to 120 train posts, fine-tuning does not do better"),
        ((0.9, 0.9, 0.7), "With 30 and 60 train posts fine-tuning does better"),
    ],
    ids=["at the end", "in the middle", "by luck", "never", "a tie", "no more"],
)
def test_it_is_said_from_how_many_posts_on_fine_tuning_pays(fine_tuned, said):
    assert about_posts(curve(fine_tuned, (0.8, 0.8, 0.8))).startswith(said)
