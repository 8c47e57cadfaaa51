"""A healthy subject that holds every gate, so that each failure below is the sabotage's doing.

The tiny model knows nothing before it is fine-tuned, so its fine-tuned self stands in for an
encoder and a zero-shot method that know the topics.
"""

import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from labkit.config import DataSource, LabConfig, ModelSource, Recipe, Selection
from labkit.data.tokens import encode, load_tokenizer
from labkit.evaluation.behaviour import Model, Sample, behaviours_of
from labkit.evaluation.edits import compose
from labkit.evaluation.outcomes import Outcome
from labkit.evaluation.search import beginnings_of, examine_all
from labkit.model.checkpoints import load_classifier
from labkit.model.encoding import embed, load_logits
from labkit.plumbing.runner import Run
from labkit.plumbing.store import Store
from tests.sabotage.sabotages import SEED, TOPICS, Subject
from tests.subjects import LABELS, write_dataset


def enrich(file: Path, edit: bool) -> None:
    """Give posts two sentences and a number, and `edit` most, so that no edit is news to the model."""
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    rng = random.Random(SEED)
    for row in rows:
        words = row["text"].split()
        row["text"] = f"{' '.join(words[:6])}. {' '.join(words[6:])} {rng.randrange(10, 100)}."
        if edit and rng.random() < 0.7:
            row["text"] = compose(row["text"], rng.randrange)
    file.write_text("\n".join(map(json.dumps, rows)) + "\n")


@pytest.fixture(scope="session")
def small_config(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> LabConfig:
    """Enough posts and steps for the tiny model to learn the topics for certain, also in the sweep."""
    posts = write_dataset(tmp_path_factory.mktemp("sabotage") / "posts", train=240, test=40)
    enrich(posts / "train.jsonl", edit=True)
    enrich(posts / "test.jsonl", edit=False)
    return LabConfig(
        profile="embedded",
        base_model=ModelSource(str(tiny_checkpoint)),
        data=DataSource(str(posts)),
        selection=Selection(labels=LABELS),
        label_texts=dict(zip(LABELS, ("baseball", "space"), strict=True)),
        recipe=Recipe(epochs=3, learning_rate=3e-3, max_length=64, batch_size=4),
    )


@pytest.fixture(scope="session")
def subject(
    small_config: LabConfig, tmp_path_factory: pytest.TempPathFactory, one_thread: None
) -> Subject:
    return Subject(small_config, Store(tmp_path_factory.mktemp("sabotage") / "store"))


@pytest.fixture(scope="session")
def trained(subject: Subject) -> Run:
    return subject.run


@pytest.fixture(scope="session")
def logits(trained: Run) -> Model:
    """The fine-tuned tiny model: texts to logits."""
    return load_logits(trained.fine_tuned.folder, 64, trained.hardware)


@pytest.fixture(scope="session")
def sample_by(trained: Run) -> Callable[[Model], Sample]:
    """The beginnings of the test posts, with what a model says of them."""
    folder = trained.fine_tuned.folder
    return lambda model: beginnings_of(trained.posts, folder, 64, model, SEED)


@pytest.fixture(scope="session")
def healthy(
    subject: Subject, trained: Run, logits: Model, sample_by: Callable[[Model], Sample]
) -> Subject:
    """The trained lab, with probes and zero-shot scores by a model that knows the topics."""
    encoder: Any = load_classifier(trained.fine_tuned.folder)
    posts = trained.posts.train.select(np.argsort(trained.posts.train[:24]["label"]))
    ids = encode(load_tokenizer(trained.base.folder), list(posts["text"]), 64)
    probes = replace(
        trained.probes,
        texts=tuple(posts["text"]),
        topics=tuple(posts["label"]),
        embeddings=embed(encoder.to(trained.hardware.device).distilbert, ids),
    )
    known = trained.predictions.logits.test.copy()
    known[::5] = known[::5, ::-1]  # wrong on every fifth post, so that there is more to learn
    scores = replace(trained.zero_shot, label_similarity=known[np.newaxis])
    outcomes: tuple[Outcome, ...] = examine_all(
        behaviours_of(LABELS, TOPICS), logits, sample_by(logits), SEED
    )
    return subject.but(probes=probes, zero_shot=scores, behaviours=outcomes)
