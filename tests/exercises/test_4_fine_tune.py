"""Exercise 4: fine-tune DistilBertForSequenceClassification with the Hugging Face Trainer.

What you see: A head with one output for each class is put on the base model, and all layers are
trained. A batch is a few posts that the model reads together (16 here). For each batch the loss
says how surprised the model was by the true labels; `backward` finds for every weight the
direction that lowers the loss, and the optimizer takes a step in it. The learning rate is the size
of that step. An epoch is one pass over all train posts; the lab's own corpus gets three, up to six
with more classes or fewer posts (`labkit/training/plan.py` has the rule). The learning rate rises
for the first tenth of the steps and then falls to 0. The epoch with the lowest validation loss is
kept.

Too small a rate or too few epochs: the loss stays where guessing is. Too large a rate: the first
steps destroy what the model knew, and the loss jumps or stays at guessing. Too many epochs: the training loss goes on falling while
the validation loss rises; the model learns its train posts by heart.

Predict first: A new head knows nothing. What is its loss in the first step: 0, 0.7 or 2? And what is
it in the last epoch? Then look:

    pytest -k fine_tune -v

Question: What accuracy did it reach? How much better than zero-shot?
"""

import math

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.metrics import log_loss

from labkit.evaluation.metrics import ZERO_SHOT, best_zero_shot
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


def test_one_batch_by_hand(base, posts, lab):
    """Forward, loss, backward, step: the loss of this batch falls, and the encoder has moved."""
    import torch
    from transformers import AutoTokenizer, DistilBertForSequenceClassification

    torch.manual_seed(lab.settings["seed"])  # the new head is drawn at random
    tokenizer = AutoTokenizer.from_pretrained(base.folder)
    model = DistilBertForSequenceClassification.from_pretrained(
        base.folder, num_labels=len(posts.labels), dtype=torch.float32
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-5)

    batch = tokenizer(
        posts.train[:16]["text"], padding=True, truncation=True, max_length=64, return_tensors="pt"
    )
    labels = torch.tensor(posts.train[:16]["label"])

    def forward():
        logits = model(batch["input_ids"], batch["attention_mask"]).logits  # (posts, classes)
        return torch.nn.functional.cross_entropy(logits, labels)

    weight = model.get_parameter("distilbert.transformer.layer.0.attention.q_lin.weight")
    weight_before = weight.detach().clone()
    loss = forward()
    loss.backward()  # a gradient for every weight, those of the encoder too
    optimizer.step()  # one small step against it

    assert loss.item() == pytest.approx(math.log(len(posts.labels)), abs=0.2)  # guessing
    assert forward().item() < loss.item()
    assert not torch.equal(weight, weight_before)


def test_the_trainer_set_up_by_hand(base, posts, lab, history, tmp_path):
    """The Trainer takes such steps, batch after batch and epoch after epoch.

    Here on 16 posts for two epochs; `labkit/training/fine_tune.py` has the lab's own call.
    """
    entry = lab.entries.get("fine_tuned")
    if entry is None or entry.reused:
        pytest.skip("the model comes from the store: nothing is trained, and no Trainer imported")
    import datasets
    import torch
    from transformers import (
        AutoTokenizer,
        DataCollatorWithPadding,
        DistilBertForSequenceClassification,
        Trainer,
        TrainingArguments,
    )

    torch.manual_seed(lab.settings["seed"])
    tokenizer = AutoTokenizer.from_pretrained(base.folder)
    few = datasets.Dataset.from_dict(posts.train[:16]).map(
        lambda post: tokenizer(post["text"], truncation=True, max_length=64)
    )
    trainer = Trainer(
        model=DistilBertForSequenceClassification.from_pretrained(
            base.folder, num_labels=len(posts.labels), dtype=torch.float32
        ),
        args=TrainingArguments(
            output_dir=str(tmp_path),
            num_train_epochs=2,
            per_device_train_batch_size=4,
            learning_rate=5e-5,
            warmup_steps=0.1,  # of all steps
            weight_decay=0.01,
            logging_steps=1,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            use_cpu=True,
        ),
        train_dataset=few,
        data_collator=DataCollatorWithPadding(tokenizer),  # pads each batch
    )
    trainer.train()

    losses = [log["loss"] for log in trainer.state.log_history if "loss" in log]
    assert len(losses) == trainer.state.global_step == 2 * math.ceil(len(few) / 4)
    assert all(math.isfinite(loss) for loss in losses)


def test_it_trained_for_all_epochs(plan, posts, history):
    steps = math.ceil(len(posts.train) / plan.recipe.batch_size)
    assert [epoch.epoch for epoch in history.epochs] == list(range(1, plan.epochs + 1))
    assert history.steps == steps * plan.epochs


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


def test_it_is_no_lucky_seed(evaluations, reseeded):
    """Trained with other seeds it still beats the zero-shot method that does best."""
    if reseeded is None:
        pytest.skip("trained with one seed; --lab-seeds 3 trains two more")
    tuned, rival = evaluations["fine_tuned"], best_zero_shot(evaluations)
    accuracies = tuned.accuracy.value + tuned.changes
    assert accuracies.min() > rival.accuracy.value, (
        f"by seed {', '.join(percent(one) for one in accuracies)}, "
        f"{rival.name} {percent(rival.accuracy.value)}"
    )


def test_too_small_a_learning_rate_hardly_learns(small_trainings):
    rate, guessing = small_trainings.rates[0], small_trainings.guessing
    loss = small_trainings.at(rate)[0].history.epochs[-1].train_loss
    assert small_trainings.smallest_underfits, (
        f"at {rate:g} the loss is {loss:.3f}, {guessing:.3f} guessing"
    )


def test_too_large_a_learning_rate_diverges_or_collapses(small_trainings):
    rate, guessing = small_trainings.rates[-1], small_trainings.guessing
    loss = small_trainings.at(rate)[0].history.epochs[-1].validation_loss
    assert small_trainings.largest_fails, (
        f"at {rate:g} the loss is {loss:.3f}, {guessing:.3f} guessing"
    )


def test_many_epochs_lower_the_training_loss(small_trainings):
    """What they do to the validation loss is measured, and drawn in the report."""
    epochs = small_trainings.long.history.epochs
    first, last = epochs[0].train_loss, epochs[-1].train_loss
    assert last < first, f"training loss {first:.4f} in the first epoch, {last:.4f} in the last"


def test_every_amount_of_posts_was_tried_on_the_same_posts(small_trainings, learning_curve):
    """Fine-tuning and the two linear methods are compared amount by amount."""
    assert learning_curve.posts == tuple(sorted({one.posts for one in learning_curve.trials}))
    sizes = {len(one.correct) for one in learning_curve.trials}
    assert sizes == {learning_curve.validation}


def test_the_same_seed_gives_the_same_weights(hardware, history, repeatability):
    if hardware.device != "cpu":
        pytest.skip("kernels of a GPU may add in any order; lineage.json says what was found")
    assert repeatability.identical, repeatability


def test_gate(answer, gate):
    answer.check(gate)
