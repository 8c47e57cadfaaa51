"""Exercise 4: fine-tune DistilBertForSequenceClassification with the Hugging Face Trainer.

All layers are trained for three epochs with AdamW, batches of 16, a peak learning rate of 5e-5
after a short warm-up, and weight decay 0.01. The epoch with the lowest validation loss is kept.

Question: What accuracy did it reach? How much better than zero-shot?
"""

import math

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.metrics import log_loss

from labkit.evaluation.metrics import ZERO_SHOT
from labkit.report.wording import percent

pytestmark = pytest.mark.exercise("fine_tune")
SAME_LOSS = 0.01  # nats: training evaluates in bf16 where the processor has it


@pytest.fixture
def history(fine_tuned):
    if fine_tuned.history is None:
        pytest.skip("the model was trained elsewhere; how its training went is not known here")
    return fine_tuned.history


@pytest.fixture
def small_trainings(history, sweep):
    """The sweep of a lab that trains."""
    return sweep


def test_it_trained_for_all_epochs(lab, posts, history):
    recipe = lab.settings["recipe"]
    steps = math.ceil(len(posts.train) / recipe.batch_size)
    assert [epoch.epoch for epoch in history.epochs] == list(range(1, recipe.epochs + 1))
    assert history.steps == steps * recipe.epochs


def test_every_step_logged_a_finite_loss(history):
    assert len(history.step_losses) == history.steps
    assert all(math.isfinite(loss) for _, loss in history.step_losses)


def test_first_loss_is_that_of_guessing(posts, history):
    """A new head knows nothing: its cross-entropy is about log(classes)."""
    _, first = history.step_losses[0]
    assert first == pytest.approx(math.log(len(posts.labels)), abs=0.2)


def test_training_loss_falls_from_epoch_to_epoch(history):
    losses = [epoch.train_loss for epoch in history.epochs]
    assert losses == sorted(losses, reverse=True)


def test_the_epoch_with_the_lowest_validation_loss_is_kept(history, fine_tuned, posts):
    """Looked for in the kept model itself: its logits give the loss of that epoch, to rounding."""
    logits, truth = fine_tuned.validation_logits, posts.truth.validation
    loss = log_loss(truth, softmax(logits, axis=1), labels=range(len(posts.labels)))
    losses = [epoch.validation_loss for epoch in history.epochs]
    assert history.best_epoch == np.argmin(losses) + 1
    assert loss == pytest.approx(min(losses), abs=SAME_LOSS)


@pytest.mark.parametrize("method", ZERO_SHOT, ids=[m.replace("_", "-") for m in ZERO_SHOT])
def test_it_beats_every_method_that_saw_no_example(evaluations, method):
    """The untrained head counts by the mean over its draws."""
    if method not in evaluations:
        pytest.skip("this profile has no checkpoint with a trained NLI head")
    tuned, rival = evaluations["fine_tuned"].accuracy.value, evaluations[method]
    assert tuned > rival.accuracy.value, (
        f"fine-tuned {percent(tuned)}, {rival.name} {percent(rival.accuracy.value)}"
    )


def test_too_small_a_learning_rate_hardly_learns(small_trainings):
    rate, history = small_trainings.by_rate[0]
    loss, guessing = history.epochs[-1].train_loss, small_trainings.guessing
    assert small_trainings.smallest_underfits, (
        f"at {rate:g} the loss is {loss:.3f}, {guessing:.3f} guessing"
    )


def test_too_large_a_learning_rate_diverges_or_collapses(small_trainings):
    rate, history = small_trainings.by_rate[-1]
    loss, guessing = history.epochs[-1].validation_loss, small_trainings.guessing
    assert small_trainings.largest_fails, (
        f"at {rate:g} the loss is {loss:.3f}, {guessing:.3f} guessing"
    )


def test_more_epochs_lower_the_loss_of_the_default_rate(small_trainings):
    _, history = small_trainings.by_rate[1]
    first, last = (history.epochs[i].validation_loss for i in (0, -1))
    assert last < first, f"validation loss {first:.4f} after the first epoch, {last:.4f} at the end"


def test_the_same_seed_gives_the_same_weights(hardware, history, repeatability):
    if hardware.device != "cpu":
        pytest.skip("kernels of a GPU may add in any order; lineage.json says what was found")
    assert repeatability.identical, repeatability


def test_gate(answer, gate):
    answer.check(gate)
