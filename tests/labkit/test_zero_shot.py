"""Zero-shot by entailment, against the pipeline that the lab's text names."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import pytest
import torch

from labkit import lab
from labkit.answers import answer
from labkit.config import DataSource
from labkit.data.files import CORPUS
from labkit.data.tokens import load_tokenizer
from labkit.errors import LabError
from labkit.evaluation import zero_shot
from labkit.evaluation.metrics import best_zero_shot, evaluate_untrained
from labkit.evaluation.wordings import TEMPLATES
from labkit.model.checkpoints import load_classifier
from labkit.plumbing.store import Store

if TYPE_CHECKING:
    from transformers import DistilBertForSequenceClassification

CLAIMS = tuple(map(TEMPLATES[0].format, ("baseball", "space", "medicine")))
TEXTS = ["the pitcher and the catcher", "a probe in orbit", "old glove", "lunar shuttle " * 40]
LABELS = ("baseball", "space", "medicine")


def distilbert(checkpoint: Path) -> "DistilBertForSequenceClassification":
    model = load_classifier(checkpoint, ("0", "1"))
    return cast("DistilBertForSequenceClassification", model)


@pytest.fixture(scope="module")
def model(tiny_checkpoint):
    return distilbert(tiny_checkpoint)


@pytest.fixture(scope="module")
def tokenizer(tiny_checkpoint):
    return load_tokenizer(tiny_checkpoint)


def pipeline_scores(model, tokenizer):
    """What transformers' own pipeline says, with its scores put back in the labels' order."""
    from transformers import pipeline

    classify = pipeline("zero-shot-classification", model=model, tokenizer=tokenizer, device=-1)
    rows = []
    for text in TEXTS:
        found = classify(text, list(LABELS), hypothesis_template=TEMPLATES[0])
        rows.append([found["scores"][found["labels"].index(label)] for label in LABELS])
    return np.array(rows)


def test_a_limit_that_leaves_no_room_for_a_post_is_told(model, tokenizer):
    claim = tokenizer(CLAIMS[0])["input_ids"]
    texts = ["lunar shuttle " * 40]
    with pytest.raises(LabError, match=r"--lab-max-length \d+: no room for a post beside"):
        zero_shot.untrained_nli(model, tokenizer, texts, CLAIMS[:1], len(claim) + 1)
    zero_shot.untrained_nli(model, tokenizer, texts, CLAIMS[:1], len(claim) + 2)


@pytest.mark.parametrize("seed", [0, 7])
def test_scores_of_a_random_head_are_those_of_the_pipeline(model, tokenizer, seed):
    scores = zero_shot.untrained_nli(model, tokenizer, TEXTS, CLAIMS, 64, heads=seed + 1)
    expected = pipeline_scores(zero_shot.draw_head(model, seed), tokenizer)
    assert scores[seed] == pytest.approx(expected, abs=1e-5)


def test_scores_of_a_trained_head_are_those_of_the_pipeline(model, tokenizer):
    names = {"contradiction": 0, "ENTAILMENT": 1}
    model.config.label2id = names
    model.config.id2label = {index: name for name, index in names.items()}
    zero_shot.draw_head(model, 3)
    scores = zero_shot.trained_nli(model, tokenizer, TEXTS, CLAIMS, 64)
    assert scores == pytest.approx(pipeline_scores(model, tokenizer), abs=1e-5)


def test_the_head_is_drawn_as_from_pretrained_draws_it(tiny_checkpoint):
    """Same spread, zero biases; and two seeds differ."""
    fresh = distilbert(tiny_checkpoint)
    drawn = zero_shot.draw_head(distilbert(tiny_checkpoint), 1)
    spreads = [m.pre_classifier.weight.detach().std().item() for m in (fresh, drawn)]
    assert spreads[0] == pytest.approx(spreads[1], rel=0.1)
    assert not drawn.pre_classifier.bias.any()
    assert not fresh.pre_classifier.bias.any()
    first = drawn.classifier.weight.clone()
    assert not torch.equal(first, zero_shot.draw_head(drawn, 2).classifier.weight)


def test_so_many_pairs_are_read_and_no_more():
    """Of posts drawn by class share; the same posts for the same seed."""
    truth = np.arange(9000) % 20
    rows = zero_shot.asked(truth, 20, seed=1)
    assert len(rows) * 20 == zero_shot.PAIRS
    assert (np.diff(rows) > 0).all()
    assert set(np.bincount(truth[rows]).tolist()) == {zero_shot.PAIRS // 20 // 20}
    assert rows.tolist() == zero_shot.asked(truth, 20, seed=1).tolist()
    assert rows.tolist() != zero_shot.asked(truth, 20, seed=2).tolist()
    assert len(zero_shot.asked(truth, 500, seed=1)) == zero_shot.LEAST_POSTS
    assert zero_shot.asked(truth[:400], 2, seed=1).tolist() == list(range(400))


def test_states_are_the_same_whatever_is_tokenized_at_a_time(model, tokenizer, monkeypatch):
    whole = zero_shot.encode_pairs(model, tokenizer, TEXTS, CLAIMS, 64)
    monkeypatch.setattr(zero_shot, "CHUNK", 3)
    parts = zero_shot.encode_pairs(model, tokenizer, TEXTS, CLAIMS, 64)
    np.testing.assert_allclose(parts, whole, atol=1e-5)


def test_entailment_is_found_by_name():
    assert zero_shot.entailment_index({"CONTRADICTION": 0, "NEUTRAL": 1, "Entailment": 2}) == 2
    with pytest.raises(ValueError, match="no entailment label"):
        zero_shot.entailment_index({"LABEL_0": 0, "LABEL_1": 1})


def test_the_answer_tells_how_much_is_wrong_in_each_slice(tiny_config, tmp_path):
    """On the first posts of the lab's own corpus."""
    posts = tmp_path / "posts"
    posts.mkdir()
    for name in ("train", "validation", "test"):
        lines = (CORPUS / f"{name}.jsonl").read_text().splitlines()[:60]
        (posts / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
    config = replace(tiny_config, data=DataSource(str(posts)))
    run = lab.run(config, Store(tmp_path / "store"))
    evaluations = evaluate_untrained(run.posts, config.recipe.seed, run.baselines, run.zero_shot)
    wrong = ~best_zero_shot(evaluations).correct
    slices = np.asarray(run.posts.test["slice"])
    sentence = answer("zero_shot", run, {}).sentence
    assert len(np.unique(slices)) == 5
    for name in np.unique(slices):
        own = slices == name
        assert f"{wrong[own].sum()} of {own.sum()} {name}" in sentence
