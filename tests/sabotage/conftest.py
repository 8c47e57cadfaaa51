"""A healthy subject that holds every gate, so that each failure below is the sabotage's doing.

The tiny model knows nothing before it is fine-tuned, so its fine-tuned self stands in for an
encoder and a zero-shot method that know the topics.
"""

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from labkit import base_model, grammar, tokenization
from labkit.behaviour import Model, behaviours_of, examine
from labkit.config import DataSource, LabConfig, ModelSource, Recipe
from labkit.embeddings import embed
from labkit.fine_tune import classify
from labkit.grammar import Topic
from labkit.lab import Lab
from labkit.store import Store
from tests.subjects import LABELS, TOPIC_WORDS, write_dataset

TOPICS = {
    label: Topic(
        tuple(f"the {word}" for word in words[:4]),
        tuple(f"was on the {word} of" for word in words[2:6]),
        tuple(
            f"the {word} and that {other}" for word, other in zip(words, words[3:], strict=False)
        ),
    )
    for label, words in TOPIC_WORDS.items()
}
SEED = 1
DERIVED = ("zero_shot_evaluations", "evaluations", "reload_difference")  # of stages replaced here


def with_stages(lab: Lab, **stages: Any) -> Lab:
    """A lab whose named stages are replaced, everything else as in `lab`."""
    other = Lab(lab.config, lab.store, lab.output)
    other.entries.update(lab.entries)
    kept = {name: value for name, value in vars(lab).items() if name not in DERIVED}
    vars(other).update(kept | stages)
    return other


def pad_out_posts(file: Path) -> None:
    """Add a name or a neutral sentence to most posts, so that neither is news to the model."""
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    rng = random.Random(SEED)
    for row in rows:
        if rng.random() < 0.5:
            opening = rng.choice(grammar.OPENINGS).format(name=rng.choice(grammar.NAMES))
            row["text"] = f"{opening} {row['text']}"
        if rng.random() < 0.5:
            around = [row["text"], rng.choice(grammar.NEUTRAL)]
            row["text"] = " ".join(rng.sample(around, 2))
    file.write_text("\n".join(map(json.dumps, rows)) + "\n")


@pytest.fixture(scope="session")
def small_config(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> LabConfig:
    """Enough posts and steps for the tiny model to learn the topics for certain, also in the sweep."""
    posts = write_dataset(tmp_path_factory.mktemp("sabotage") / "posts", train=240, test=40)
    pad_out_posts(posts / "train.jsonl")
    return LabConfig(
        profile="embedded",
        base_model=ModelSource(str(tiny_checkpoint)),
        data=DataSource(str(posts), labels=LABELS, label_texts=("baseball", "space")),
        recipe=replace(Recipe(), learning_rate=3e-3, max_length=64, batch_size=4),
    )


@pytest.fixture(scope="session")
def trained(
    small_config: LabConfig, tmp_path_factory: pytest.TempPathFactory, one_thread: None
) -> Lab:
    folder = tmp_path_factory.mktemp("sabotage-lab")
    return Lab(small_config, Store(folder / "store"), folder / "model")


@pytest.fixture(scope="session")
def logits(trained: Lab) -> Model:
    """The fine-tuned tiny model: texts to logits."""
    model = base_model.load_classifier(trained.fine_tuned_folder).to(trained.device)

    def of(texts: list[str]) -> Any:
        return classify(model, tokenization.encode(trained.tokenizer, texts, 64))[0]

    return of


@pytest.fixture(scope="session")
def behaviours_of_tiny() -> Any:
    """Outcomes of a model on every behaviour, with a grammar of words that the tiny model knows."""

    def measure(model: Model) -> Any:
        claims = behaviours_of(LABELS, TOPICS)
        return tuple(examine(replace(claim, draws=100), model, SEED) for claim in claims)

    return measure


@pytest.fixture(scope="session")
def healthy(trained: Lab, logits: Model, behaviours_of_tiny: Any) -> Lab:
    """The trained lab, with probes and zero-shot scores by a model that knows the topics."""
    encoder = base_model.load_classifier(trained.fine_tuned_folder).distilbert.to(trained.device)
    _ = trained.zero_shot, trained.evaluations  # the real ones, as the lineage records them
    posts = trained.splits.train.select(np.argsort(trained.splits.train[:24]["label"]))
    ids = tokenization.encode(trained.tokenizer, list(posts["text"]), 64)
    return with_stages(
        trained,
        probes=replace(trained.probes, texts=tuple(posts["text"]), topics=tuple(posts["label"])),
        probe_embeddings=embed(encoder, ids),
        zero_shot=trained.zero_shot | {"label_similarity": trained.predictions["logits_test"]},
        behaviours=behaviours_of_tiny(logits),
    )
