"""What the small trainings say about a learning rate, for classes of any size."""

import math

import numpy as np
import pytest

from labkit.config import Recipe
from labkit.training.history import Epoch, History
from labkit.training.sweep import gather


def labels(*counts):
    """The class indices of posts of as many classes as there are counts."""
    return np.repeat(range(len(counts)), counts)


def with_losses(*losses):
    """A training by learning rate, smallest first, that ends at these losses whatever the seed."""

    def train(recipe):
        near = pytest.approx(recipe.learning_rate)
        place = [rate == near for rate in (1e-6, 5e-5, 5e-3)].index(True)
        epoch = Epoch(1, losses[place], losses[place], 0.5)
        return History((epoch,), ((1, losses[place]),), 1, 1, 0.1, False, "cpu")

    return train


@pytest.mark.parametrize(
    ("counts", "guessing"), [((8, 8), math.log(2)), ((5, 5, 5), math.log(3)), ((15, 1), 0.2338)]
)
def test_guessing_is_the_entropy_of_the_classes(counts, guessing):
    found = gather(with_losses(1.0, 1.0, 1.0), labels(*counts), 4, Recipe())
    assert found.guessing == pytest.approx(guessing, abs=1e-4)


@pytest.mark.parametrize(
    ("losses", "underfits", "fails"),
    [
        ((0.23, 0.05, 0.24), True, True),
        ((0.05, 0.05, 0.05), False, False),
        ((0.69, 0.05, math.nan), True, True),
    ],
)
def test_a_rate_is_judged_by_what_guessing_gets_on_rare_classes(losses, underfits, fails):
    found = gather(with_losses(*losses), labels(15, 1), 4, Recipe())
    assert found.smallest_underfits is underfits
    assert found.largest_fails is fails
