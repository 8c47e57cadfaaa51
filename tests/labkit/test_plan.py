"""The rule for rate and length, and the search that may take its place."""

import math

import pytest

from labkit.config import Recipe
from labkit.errors import LabError
from labkit.profiles import EMBEDDED
from labkit.training.history import Epoch, History
from labkit.training.plan import by_fit, by_rule


@pytest.mark.parametrize(
    ("width", "posts", "classes", "epochs", "rate"),
    [
        (384, 480, 2, 3, 1e-4),  # the lab's own corpus: the three epochs of its text
        (768, 600, 2, 3, 5e-5),  # DistilBERT on two groups: the BERT papers' recipe
        (384, 600, 6, 6, 1.2e-4),  # 228 of 270 steps
        (384, 60, 2, 6, 3e-4),  # 24 of 90 steps: three times the rate is the limit
        (384, 2000, 20, 6, 1.2e-4),
        (384, 100_000, 20, 3, 1e-4),
    ],
)
def test_the_rule(width, posts, classes, epochs, rate):
    plan = by_rule(Recipe(), width, posts, classes)
    assert plan.epochs == epochs
    assert plan.learning_rate == pytest.approx(rate)
    assert f"{epochs} epochs" in plan.why
    assert f"a rate of {rate:.2g}" in plan.why


def test_what_is_given_is_kept_and_said():
    plan = by_rule(Recipe(epochs=1, learning_rate=1e-3), 384, 480, 2)
    assert (plan.epochs, plan.learning_rate, plan.why) == (1, 1e-3, "Rate and epochs were given.")
    assert by_rule(Recipe(learning_rate=1e-3), 384, 480, 2).learning_rate == 1e-3
    assert by_rule(Recipe(epochs=9), 384, 480, 2).epochs == 9


def search(losses, **given):
    """Fit a recipe where a training's validation loss follows from rate and epochs."""
    trained = []

    def train(recipe):
        trained.append((recipe.learning_rate, recipe.epochs))
        loss = losses(recipe.learning_rate, recipe.epochs)
        return History((Epoch(1, loss, loss, 0.5),), ((1, loss),), 1, 1, 0.1, False, "cpu")

    recipe = Recipe(choice="fit", **given)
    plan = by_fit(recipe, by_rule(recipe, 384, 480, 2), train)
    assert [(one.learning_rate, one.epochs) for one in plan.tried] == trained
    return plan, trained


def test_fitting_takes_the_lowest_validation_loss_of_four_trainings():
    plan, trained = search(lambda rate, epochs: abs(rate - 2e-4) * 1e3 + 1 / epochs)
    assert len(trained) == 4
    assert plan.learning_rate == pytest.approx(2e-4)
    assert plan.epochs == 6
    assert "lowest validation loss of 4 trainings" in plan.why


def test_fitting_never_takes_what_diverged():
    plan, _ = search(lambda rate, epochs: 0.5 if rate < 6e-5 else math.nan)
    assert plan.learning_rate == pytest.approx(5e-5)


@pytest.mark.parametrize(
    ("given", "trainings"), [({"learning_rate": 1e-3}, 2), ({"epochs": 2}, 3)], ids=str
)
def test_fitting_leaves_what_is_given(given, trainings):
    plan, trained = search(lambda rate, epochs: rate, **given)
    assert len(trained) == trainings
    for name, value in given.items():
        assert getattr(plan.recipe, name) == value


def test_a_recipe_is_one_that_is_known():
    with pytest.raises(LabError, match="--lab-recipe: 'best' is not one of lab, fit"):
        Recipe(choice="best")
    assert EMBEDDED.recipe == Recipe()
