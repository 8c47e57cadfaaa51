"""Every kind of behavioural test passes a healthy model and fails sabotaged ones."""

import hashlib
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from labkit.answers.behaviours import COUNTED, RATED, behaviour_values, flip_table, flip_texts
from labkit.data.tokens import encode, load_tokenizer
from labkit.evaluation.behaviour import behaviours_of
from labkit.evaluation.edits import EDITS
from labkit.evaluation.gates import GATES
from labkit.evaluation.intervals import Estimate
from labkit.evaluation.outcomes import Outcome
from labkit.evaluation.search import DRAWS, SHRINKS, draw_cases, examine, examine_all
from labkit.model.checkpoints import load_classifier
from labkit.model.encoding import classify
from labkit.plumbing import results
from tests.running import run_python
from tests.sabotage.sabotages import SEED, TOPICS
from tests.subjects import LABELS

GATE_OF = RATED | COUNTED
CLAIMS = {claim.name: claim for claim in behaviours_of(LABELS, TOPICS)}
INVARIANCES = [name for name, claim in CLAIMS.items() if claim.kind == "invariance"]


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
        "one class for all": lambda texts: np.tile([3.0, -3.0], (len(texts), 1)),
        "NaN weights": lambda texts: logits(texts) * np.nan,
    }


@pytest.fixture(scope="module")
def outcome_of(sample_by) -> Any:
    def outcome(name: str, model: Any, seed: int = SEED) -> Outcome:
        return examine(CLAIMS[name], model, sample_by(model), seed)

    return outcome


def gate_holds(outcome: Outcome) -> bool:
    (gate,) = (gate for gate in GATES if gate.name == GATE_OF[outcome.kind])
    return behaviour_values([outcome])[gate.name] <= gate.threshold


def test_every_edit_is_a_behaviour():
    assert len(INVARIANCES) == len(EDITS) + 1


@pytest.mark.parametrize("name", CLAIMS)
def test_a_healthy_model_passes(logits, outcome_of, name):
    outcome = outcome_of(name, logits)
    assert gate_holds(outcome), outcome


def test_what_no_post_has_a_case_for_has_no_outcome(logits, sample_by):
    sample = replace(sample_by(logits), texts=("rocket probe",) * 40)
    assert examine(CLAIMS["numbers"], logits, sample, SEED).cases == 0
    claims = [CLAIMS["numbers"], CLAIMS["case"]]
    assert [found.name for found in examine_all(claims, logits, sample, SEED)] == ["case"]


@pytest.mark.parametrize(
    ("sabotage", "name"),
    [
        ("untrained head", "plain_sentences"),
        ("untrained head", "two_of_a_class"),
        ("swapped label order", "plain_sentences"),
        ("swapped label order", "two_of_a_class"),
        ("length only", "plain_sentences"),
        ("length only", "two_of_a_class"),
        ("length only", "more_of_another_class"),
        *(("form only", name) for name in INVARIANCES),
        ("form only", "more_of_its_class"),
        ("form only", "more_of_another_class"),
        ("no attention mask", "batch"),
        ("NaN weights", "any_text"),
        ("NaN weights", "batch"),
        *(
            (sabotage, name)
            for sabotage in ("one class for all", "NaN weights")
            for name in ("two_of_a_class", "plain_sentences", "case", "more_of_another_class")
        ),
        ("NaN weights", "more_of_its_class"),
    ],
)
def test_a_sabotaged_model_fails_with_a_counter_example(sabotaged, outcome_of, sabotage, name):
    outcome = outcome_of(name, sabotaged[sabotage])
    assert not gate_holds(outcome), outcome
    assert outcome.flip is not None


def test_a_failure_is_shrunk_to_the_smallest_edit(logits, outcome_of):
    """Of a model that goes wrong where a word has a capital, one word is changed, and shown so."""

    def model(texts: list[str]) -> np.ndarray:
        right = logits(texts)
        capital = np.array([text != text.lower() for text in texts])
        return np.where(capital[:, None], right[:, ::-1], right)

    outcome = outcome_of("case", model)
    (change,) = [
        (old, new)
        for old, new in zip(outcome.flip.before.split(), outcome.flip.after.split(), strict=True)
        if old != new
    ]
    ((name, shown, turned),) = flip_table([outcome], LABELS)[0].rows
    assert (name, shown) == ("case", f"“{change[0]}” → “{change[1]}”")
    before, after = turned.split(" → ")
    assert before.partition(" ")[0] != after.partition(" ")[0]
    assert outcome.flip.after in flip_texts([outcome], LABELS)[0].text.replace("\\n", "\n")


def test_the_search_asks_the_model_a_bounded_number_of_times(logits, outcome_of):
    calls: list[int] = []

    def wrong(texts: list[str]) -> np.ndarray:
        calls.append(len(texts))
        return logits(texts)[:, ::-1] * (1 + np.array([[len(text) % 7] for text in texts]))

    outcome = outcome_of("two_of_a_class", wrong)
    _sample, rate, *search = calls
    assert rate == outcome.cases  # one batched call for the rate
    assert search[0] <= DRAWS
    assert len(search) <= 2 + SHRINKS  # of which the last is for the answer shown
    assert outcome.searched <= DRAWS + SHRINKS


def test_the_same_seed_finds_the_same_and_another_one_something_else(sabotaged, outcome_of):
    form = sabotaged["form only"]
    assert outcome_of("typos", form) == outcome_of("typos", form)
    assert outcome_of("typos", form) != outcome_of("typos", form, SEED + 1)


def test_the_rate_is_over_posts_that_the_model_gets_right_each_once(logits, sample_by):
    """Half of the posts are got wrong; none of these is asked of, and no post counts twice."""

    def half(texts: list[str]) -> np.ndarray:
        wrong = np.array([len(text) % 2 == 0 for text in texts])
        return np.where(wrong[:, None], logits(texts)[:, ::-1], logits(texts))

    sample = sample_by(half)
    cases = draw_cases(CLAIMS["typos"], sample, SEED)
    rows = [case.row for case in cases]
    assert len(set(rows)) == len(rows)
    assert set(rows) == set(np.flatnonzero(sample.right))
    assert 0 < len(rows) < len(sample.texts)


def test_outcomes_survive_json(tmp_path, logits, sabotaged, outcome_of):
    outcomes = (outcome_of("typos", logits), outcome_of("typos", sabotaged["form only"]))
    results.save(outcomes, tmp_path)
    assert results.load(tuple[Outcome, ...], tmp_path) == outcomes


def test_all_three_kinds_are_there_for_any_classes():
    kinds = {claim.kind for claim in behaviours_of(("a", "b"))}
    assert kinds == set(GATE_OF)
    assert "plain_sentences" not in {claim.name for claim in behaviours_of(("a", "b"))}
    assert "two_classes" in {claim.name for claim in behaviours_of(("a", "b", "c"))}


def test_a_gate_reads_no_behaviour_that_few_posts_have_a_case_for():
    def outcome(name: str, cases: int, high: float) -> Outcome:
        return Outcome(name, "invariance", "", cases, Estimate(0.0, 0.0, high), 0, None)

    values = behaviour_values([outcome("case", 80, 0.05), outcome("numbers", 39, 0.4)])
    assert values["invariance_high"] == 0.05
    values = behaviour_values([outcome("case", 80, 0.05), outcome("numbers", 40, 0.4)])
    assert values["invariance_high"] == 0.4


def test_an_answer_from_the_store_loads_no_search():
    """Its imports would be waited for in every warm run."""
    done = run_python(
        "-c",
        "import sys, labkit.answers.compare, labkit.answers.training_data; "
        "print([name for name in ('hypothesis', 'labkit.evaluation.search', 'torch') "
        "if name in sys.modules])",
    )
    assert done.stdout.strip() == "[]", done.stdout + done.stderr
