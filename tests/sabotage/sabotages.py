"""What can be wrong with a model, its data or its files, each as a stage put in a run's place."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import datasets
import numpy as np
from safetensors.numpy import load_file, save_file

from labkit import lab
from labkit.config import LabConfig
from labkit.data.posts import Posts
from labkit.evaluation.grammar import Topic
from labkit.plumbing.runner import Run
from labkit.plumbing.store import Store
from tests.subjects import TOPIC_WORDS

SEED = 1
TOPICS = {  # plain sentences of words that the tiny model knows
    label: Topic(
        tuple(f"the {word}" for word in words[:4]),
        tuple(f"was on the {word} of" for word in words[2:6]),
        tuple(
            f"the {word} and that {other}" for word, other in zip(words, words[3:], strict=False)
        ),
    )
    for label, words in TOPIC_WORDS.items()
}


@dataclass(frozen=True)
class Subject:
    """A run that is yet to be made: its configuration, its store, and the stages put in place."""

    config: LabConfig
    store: Store
    stages: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def run(self) -> Run:
        return lab.run(self.config, self.store, replace=self.stages)

    def but(self, **stages: Any) -> "Subject":
        """The same with other stages, and all that depends on them."""
        return replace(self, stages={**self.stages, **stages})

    def but_recipe(self, **settings: Any) -> "Subject":
        """The same with another recipe."""
        recipe = replace(self.config.recipe, **settings)
        return replace(self, config=replace(self.config, recipe=recipe))


def know_nothing(subject: Subject, folder: Path) -> Subject:
    """An encoder whose embeddings have nothing to do with the sentences."""
    probes = subject.run.probes
    noise = np.random.default_rng(0).normal(size=probes.embeddings.shape)
    return subject.but(probes=replace(probes, embeddings=noise))


def swap_label_texts(subject: Subject, folder: Path) -> Subject:
    """A zero-shot method that knows the topics, with the label texts in the wrong order."""
    scores = subject.run.zero_shot
    return subject.but(
        zero_shot=replace(
            scores,
            label_similarity=scores.label_similarity[..., ::-1],
            untrained_nli=scores.untrained_nli[..., ::-1],
        )
    )


def cut_short(subject: Subject, folder: Path) -> Subject:
    """The smallest token limit, which cuts most posts."""
    return subject.but_recipe(max_length=8)


def leak(posts: Posts) -> Posts:
    """One test post among the train posts."""
    return replace(
        posts, train=datasets.concatenate_datasets([posts.train, posts.test.select([0])])
    )


def leak_a_test_post(subject: Subject, folder: Path) -> Subject:
    """One test post among the train posts."""
    return subject.but(posts=leak(subject.run.posts))


def shuffle_labels(subject: Subject, folder: Path) -> Subject:
    """A fine-tune on labels that were shuffled."""
    tokens = subject.run.tokens
    labels = np.asarray(tokens.train["label"])
    shuffled = labels[np.random.default_rng(0).permutation(len(labels))]
    train = tokens.train.remove_columns("label").add_column("label", shuffled)
    other = subject.but(tokens=replace(tokens, train=train))
    return subject.but(fine_tuned=other.run.fine_tuned)


def swap_label_order(subject: Subject, folder: Path) -> Subject:
    """The fine-tuned model with its two outputs exchanged."""
    predictions = subject.run.predictions
    logits = replace(predictions.logits, test=predictions.logits.test[:, ::-1])
    return subject.but(predictions=replace(predictions, logits=logits))


def leave_untrained(subject: Subject, folder: Path) -> Subject:
    """A fine-tune whose learning rate is as good as none."""
    return subject.but(fine_tuned=subject.but_recipe(learning_rate=1e-12).run.fine_tuned)


def pick_a_bad_rate(subject: Subject, folder: Path) -> Subject:
    """The small trainings of a recipe whose learning rate is a third of what it should be."""
    sweep = subject.run.sweep
    return subject.but(sweep=replace(sweep, rate=sweep.neighbours[0]))


def train_the_head_only(subject: Subject, folder: Path) -> Subject:
    """An encoder that is after the fine-tune what it was before."""
    before = subject.run.base_embeddings
    return subject.but(predictions=replace(subject.run.predictions, embeddings=before))


def rewritten(model: Path, folder: Path, change: Callable[[np.ndarray], Any]) -> Path:
    """A copy, in `folder`, of a saved model whose weights are changed."""
    copy = shutil.copytree(model, folder / "model")
    weights = load_file(copy / "model.safetensors")
    changed = {name: change(array) for name, array in weights.items()}
    save_file(changed, copy / "model.safetensors", {"format": "pt"})
    return copy


def damaged(model: Path, folder: Path) -> Path:
    """A copy of a saved model with weights a tenth too large."""
    return rewritten(model, folder, lambda array: array * np.float32(1.1))


def save_in_a_wide_format(subject: Subject, folder: Path) -> Subject:
    """Weights in 64 bits."""
    model = rewritten(subject.run.saved_model, folder, lambda array: array.astype(np.float64))
    return subject.but(saved_model=model)


def damage_the_weights(subject: Subject, folder: Path) -> Subject:
    """Weights a tenth too large."""
    return subject.but(saved_model=damaged(subject.run.saved_model, folder))


def not_a_number(texts: list[str]) -> np.ndarray:
    """The logits of a model whose weights are NaN."""
    return np.full((len(texts), 2), np.nan)


SABOTAGE: dict[str, Callable[[Subject, Path], Subject]] = {  # by the gate that must fail
    "topic_gap_low": know_nothing,
    "above_chance_low": swap_label_texts,
    "truncated_share": cut_short,
    "split_overlap": leak_a_test_post,
    "fine_tuned_accuracy": shuffle_labels,
    "margin_low": swap_label_order,
    "loss_ratio": leave_untrained,
    "neighbour_gain_low": pick_a_bad_rate,
    "silhouette_gain": train_the_head_only,
    "size_ratio": save_in_a_wide_format,
    "reload_difference": damage_the_weights,
}
