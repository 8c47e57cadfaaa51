"""Every gate holds on a healthy subject and fails on a sabotaged one."""

import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from labkit.answers import answer
from labkit.gates import GATES
from labkit.lab import Lab
from labkit.separation import separation
from tests.sabotage.conftest import with_stages


def know_nothing(lab: Lab, folder: Path) -> Lab:
    """An encoder whose embeddings have nothing to do with the sentences."""
    noise = np.random.default_rng(0).normal(size=lab.probe_embeddings.shape)
    return with_stages(lab, probe_embeddings=noise)


def swap_label_texts(lab: Lab, folder: Path) -> Lab:
    """A zero-shot method that knows the topics, with the label texts in the wrong order."""
    swapped = {name: scores[..., ::-1] for name, scores in lab.zero_shot.items()}
    return with_stages(lab, zero_shot=swapped)


def cut_short(lab: Lab, folder: Path) -> Lab:
    """A token limit that hardly leaves a word."""
    recipe = replace(lab.config.recipe, max_length=4)
    return Lab(replace(lab.config, recipe=recipe), lab.store, folder / "model")


def leak_a_test_post(lab: Lab, folder: Path) -> Lab:
    """One test post among the train posts."""
    splits = lab.splits
    train = datasets.concatenate_datasets([splits.train, splits.test.select([0])])
    return with_stages(lab, splits=replace(splits, train=train))


def shuffle_labels(lab: Lab, folder: Path) -> Lab:
    """A fine-tune on labels that were shuffled."""
    tokens = lab.tokens
    order = np.random.default_rng(0).permutation(len(tokens.train))
    train = tokens.train.remove_columns("label").add_column(
        "label", np.asarray(tokens.train["label"])[order]
    )
    other = replace(lab.config.recipe, weight_decay=0.02)  # so that the store has no such entry
    fresh = Lab(replace(lab.config, recipe=other), lab.store, folder / "model")
    vars(fresh)["tokens"] = replace(tokens, train=train)
    return with_stages(lab, predictions=fresh.predictions)


def swap_label_order(lab: Lab, folder: Path) -> Lab:
    """The fine-tuned model with its two outputs exchanged."""
    swapped = {"logits_test": lab.predictions["logits_test"][:, ::-1]}
    return with_stages(lab, predictions=lab.predictions | swapped)


def leave_untrained(lab: Lab, folder: Path) -> Lab:
    """A fine-tune whose learning rate is as good as none."""
    recipe = replace(lab.config.recipe, learning_rate=1e-12)
    fresh = Lab(replace(lab.config, recipe=recipe), lab.store, folder / "model")
    return with_stages(lab, history=fresh.history)


def pick_a_bad_rate(lab: Lab, folder: Path) -> Lab:
    """The grid of a recipe whose own learning rate is the one that hardly learns."""
    small, middle, _ = lab.sweep.by_rate
    return with_stages(lab, sweep=replace(lab.sweep, by_rate=(small, small, middle)))


def train_the_head_only(lab: Lab, folder: Path) -> Lab:
    """An encoder that is after the fine-tune what it was before."""
    before = lab.base_embeddings["test"]
    same = asdict(separation(before, lab.truth["test"], seed=0))
    return with_stages(lab, separations={"before": same, "after": same})


def rewrite_weights(lab: Lab, folder: Path, change: Callable[[np.ndarray], Any]) -> Lab:
    model = shutil.copytree(lab.saved_model, folder / "model")
    weights = load_file(model / "model.safetensors")
    save_file(
        {name: change(array) for name, array in weights.items()},
        model / "model.safetensors",
        {"format": "pt"},
    )
    return with_stages(lab, saved_model=model)


def save_in_a_wide_format(lab: Lab, folder: Path) -> Lab:
    """Weights in 64 bits."""
    return rewrite_weights(lab, folder, lambda array: array.astype(np.float64))


def damage_the_weights(lab: Lab, folder: Path) -> Lab:
    """Weights a tenth too large."""
    return rewrite_weights(lab, folder, lambda array: array * np.float32(1.1))


SABOTAGE = {
    "topic_gap_low": know_nothing,
    "above_chance_low": swap_label_texts,
    "truncated_share": cut_short,
    "split_overlap": leak_a_test_post,
    "fine_tuned_accuracy": shuffle_labels,
    "margin_low": swap_label_order,
    "loss_ratio": leave_untrained,
    "learning_rate_shortfall": pick_a_bad_rate,
    "silhouette_gain": train_the_head_only,
    "size_ratio": save_in_a_wide_format,
    "reload_difference": damage_the_weights,
}
BEHAVIOURAL = {
    "minimum_functionality_high",
    "invariance_high",
    "directional_high",
    "any_text_failures",
    "batch_failures",
}


def gate_of(lab: Lab, name: str) -> Any:
    (gate,) = (gate for gate in GATES if gate.name == name)
    (result,) = (r for r in answer(gate.exercise, lab).gates if r.gate.name == name)
    return result


def test_every_gate_has_its_sabotage():
    """Those of behaviour have theirs in `test_behaviours_catch_sabotage`."""
    assert set(SABOTAGE) | BEHAVIOURAL == {gate.name for gate in GATES}


@pytest.mark.parametrize("exercise", dict.fromkeys(gate.exercise for gate in GATES))
def test_every_gate_holds_on_the_healthy_subject(healthy, exercise):
    failing = [result.explain() for result in answer(exercise, healthy).gates if not result.holds]
    assert not failing, failing


@pytest.mark.parametrize("gate", SABOTAGE)
def test_gate_fails_on_the_sabotaged_subject(healthy, tmp_path, gate):
    result = gate_of(SABOTAGE[gate](healthy, tmp_path), gate)
    assert result.measured is not None
    assert not result.holds, result.explain()


def test_truncated_weights_are_an_error_and_not_a_number(healthy, tmp_path):
    model = shutil.copytree(healthy.saved_model, tmp_path / "model")
    weights = (model / "model.safetensors").read_bytes()
    (model / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    with pytest.raises((SafetensorError, OSError)):
        answer("save_and_track", with_stages(healthy, saved_model=model))
