"""How many trainings the spread of the result is taken from, and that they are what they say."""

from dataclasses import replace

import numpy as np
import pytest

from labkit import lab
from labkit.config import Recipe
from labkit.training.plan import Plan
from labkit.training.reseed import seeds_of


@pytest.mark.parametrize(
    ("epochs", "posts", "wanted", "seeds"),
    [
        (3, 480, None, (43, 44)),  # 90 steps each: the lab's own corpus
        (3, 600, None, (43, 44)),
        (6, 600, None, ()),  # 228 steps each: too long to be done unasked
        (6, 600, 3, (43, 44)),
        (3, 480, 1, ()),
        (3, 480, 5, (43, 44, 45, 46)),
    ],
)
def test_short_trainings_are_repeated_unasked_and_long_ones_where_asked(
    epochs, posts, wanted, seeds
):
    plan = Plan(Recipe(epochs=epochs, learning_rate=1e-4), "given")
    assert seeds_of(plan, posts, wanted) == seeds


def test_other_seeds_are_other_models_by_the_same_recipe(tiny_lab):
    """Their seeds follow on the recipe's. A model so small may fail to learn with one of them."""
    found = tiny_lab.reseeded
    assert found.seeds == tuple(tiny_lab.plan.recipe.seed + more for more in (1, 2))
    truth = tiny_lab.posts.truth.test
    every = np.stack([tiny_lab.predictions.logits.test, *found.logits])
    assert every.shape == (3, len(truth), 2)
    assert len({logits.tobytes() for logits in every}) == 3
    assert ((every.argmax(axis=2) == truth).mean(axis=1) > 0.9).any()


def test_the_seed_is_all_that_they_differ_in(tiny_lab, tiny_config):
    """A fine-tune with such a seed gives the very logits."""
    recipe = replace(tiny_config.recipe, seed=tiny_lab.reseeded.seeds[0])
    alone = lab.run(replace(tiny_config, recipe=recipe, seeds=1), tiny_lab.store)
    given = alone.predictions.logits.test, tiny_lab.reseeded.logits[0]
    np.testing.assert_allclose(*given, atol=1e-5)
