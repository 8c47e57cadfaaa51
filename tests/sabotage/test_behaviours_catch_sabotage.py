"""Every kind of behavioural test passes a healthy model and fails sabotaged ones."""

import hashlib
from typing import Any

import numpy as np
import pytest
import torch

from labkit.answers.behaviours import (
    COUNTED,
    RATED,
    behaviour_values,
    counter_examples,
    not_applicable,
)
from labkit.data.tokens import encode, load_tokenizer
from labkit.evaluation.behaviour import SHRINKS, Outcome, behaviours_of, examine, missing_topics
from labkit.evaluation.gates import GATES
from labkit.model.checkpoints import load_classifier
from labkit.model.encoding import classify
from labkit.plumbing import results
from tests.sabotage.sabotages import SEED, TOPICS
from tests.subjects import LABELS

GATE_OF = RATED | COUNTED
INVARIANCES = ["case", "white_space", "punctuation", "typos", "names", "neutral_sentence"]


@pytest.fixture(scope="module")
def sabotaged(trained, logits) -> Any:
    """Models with something wrong, by what it is."""
    tokenizer = load_tokenizer(trained.base.folder)
    untrained = load_classifier(trained.base.folder, LABELS)
    with torch.no_grad():
        untrained.get_parameter("classifier.bias")[:] = 0.0

    def encoded(texts: list[str]) -> list[list[int]]:
        return encode(tokenizer, texts, 64)

    def length(texts: list[str]) -> np.ndarray:
        longer = np.array([len(text) - 62.0 for text in texts])
        return np.column_stack([-longer, longer])

    def form(texts: list[str]) -> np.ndarray:
        """Depends on every character, and on nothing else."""
        bits = [hashlib.sha256(text.encode()).digest()[0] / 8 for text in texts]
        return np.column_stack([np.zeros(len(texts)), np.array(bits) - 16])

    def no_mask(texts: list[str]) -> np.ndarray:
        """Pads like everyone, and looks at the padding."""
        ids = encoded(texts)
        width = max(map(len, ids))
        return logits_of([row + [0] * (width - len(row)) for row in ids])

    def logits_of(ids: list[list[int]]) -> np.ndarray:
        return classify(model, ids).logits

    model = load_classifier(trained.fine_tuned.folder)
    return {
        "untrained head": lambda texts: classify(untrained, encoded(texts)).logits,
        "swapped label order": lambda texts: logits(texts)[:, ::-1],
        "length only": length,
        "form only": form,
        "no attention mask": no_mask,
        "NaN weights": lambda texts: logits(texts) * np.nan,
    }


def outcome_of(name: str, model: Any) -> Any:
    (claim,) = (claim for claim in behaviours_of(LABELS, TOPICS) if claim.name == name)
    return examine(claim, model, SEED)


def gate_holds(outcome: Any) -> bool:
    (gate,) = (gate for gate in GATES if gate.name == GATE_OF[outcome.kind])
    return behaviour_values([outcome])[gate.name] <= gate.threshold


@pytest.mark.parametrize("name", [claim.name for claim in behaviours_of(LABELS, TOPICS)])
def test_a_healthy_model_passes(logits, name):
    outcome = outcome_of(name, logits)
    assert gate_holds(outcome), outcome


@pytest.mark.parametrize(
    ("sabotage", "name"),
    [
        ("untrained head", "plain_sentences"),
        ("swapped label order", "plain_sentences"),
        ("swapped label order", "more_on_topic"),
        ("length only", "plain_sentences"),
        ("length only", "neutral_sentence"),
        ("length only", "more_on_topic"),
        *(("form only", name) for name in INVARIANCES),
        ("no attention mask", "batch"),
        ("NaN weights", "any_text"),
        ("NaN weights", "batch"),
        ("NaN weights", "more_on_topic"),
    ],
)
def test_a_sabotaged_model_fails_with_a_counter_example(sabotaged, sabotage, name):
    model = sabotaged[sabotage]
    outcome = outcome_of(name, model)
    assert not gate_holds(outcome), outcome
    (claim,) = (claim for claim in behaviours_of(LABELS, TOPICS) if claim.name == name)
    assert claim.failed(model, [outcome.counter_example]).tolist() == [True]


def test_the_counter_example_is_shrunk(logits):
    """Of a model that fails at every space beyond the third, the plainest such text is shown."""

    def model(texts: list[str]) -> np.ndarray:
        right = logits(texts)
        swapped = [text.count("the") > 2 for text in texts]
        return np.where(np.array(swapped)[:, None], right[:, ::-1], right)

    outcome = outcome_of("plain_sentences", model)
    assert outcome.counter_example.text.count("the") == 3
    shown = counter_examples([outcome], LABELS)[0].text
    assert repr(outcome.counter_example.text) in shown
    assert "minimum functionality" in shown


def test_shrinking_asks_the_model_a_bounded_number_of_times():
    calls = []

    def wrong(texts: list[str]) -> np.ndarray:
        calls.append(len(texts))
        return np.array([[len(text), 200.0] for text in texts])

    outcome = outcome_of("plain_sentences", wrong)
    assert outcome.counter_example is not None
    assert len(calls) <= 1 + SHRINKS
    assert calls[0] == outcome.cases  # one batched call for the rate


def test_the_same_seed_finds_the_same(sabotaged):
    first, again = (outcome_of("typos", sabotaged["form only"]) for _ in range(2))
    assert first == again


def test_outcomes_survive_json(tmp_path, logits, sabotaged):
    outcomes = (outcome_of("typos", logits), outcome_of("typos", sabotaged["form only"]))
    results.save(outcomes, tmp_path)
    assert results.load(tuple[Outcome, ...], tmp_path) == outcomes


def test_classes_without_a_grammar_are_not_applicable():
    labels = ("rec.sport.baseball", "rec.autos")
    assert missing_topics(labels) == ["rec.autos"]
    assert [claim.name for claim in behaviours_of(labels)] == ["any_text", "batch"]
    reasons = not_applicable(labels)
    assert set(reasons) == set(RATED.values())
    assert "rec.autos" in reasons["invariance_high"]
    assert not not_applicable(LABELS)
