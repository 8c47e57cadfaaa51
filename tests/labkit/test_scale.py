"""Work, memory and page grow no faster than the posts, and many classes stay readable.

Counted and not timed: pairs that are compared, rows that are read, bytes that are written.
"""

import json
import random
import time
from functools import partial
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest

from benchmarks import scale
from labkit.answers import compare, training_data, zero_shot
from labkit.config import DataSource, LabConfig, ModelSource, Selection
from labkit.data import texts
from labkit.data.posts import MOST_SLICES, OTHER_SLICES, BySplit, Cleaning, Posts
from labkit.data.probes import MOST_TOPICS, choose_sentences
from labkit.data.texts import Known
from labkit.data.tokens import id_rows
from labkit.evaluation import calibration, data_checks, intervals, search
from labkit.evaluation import zero_shot as entailment
from labkit.evaluation.data_checks import near_copies, runs_in, suspects
from labkit.evaluation.findings import DataChecks, Mistaken
from labkit.evaluation.intervals import Estimate
from labkit.evaluation.metrics import evaluate_all
from labkit.evaluation.scores import BaselineScores, ZeroShotScores
from labkit.evaluation.separation import SAMPLE, Separation, Separations, subsample
from labkit.model.predictions import Predictions
from labkit.plugin.session import LabSession
from labkit.plumbing.progress import Silent
from labkit.report import page
from labkit.report.answer import Answer
from labkit.report.blocks import Figure
from labkit.report.plots import methods

POSTS, CLASSES = 20_000, 150
LARGEST_PAGE = 3_000_000  # bytes


def boilerplate(count: int) -> list[str]:
    """Different posts that all end with the same forty words."""
    rng = random.Random(0)
    footer = " ".join(f"disclaimer{i}" for i in range(40))
    return [
        " ".join([*(f"w{rng.randrange(9999)}" for _ in range(60)), footer]) for _ in range(count)
    ]


@pytest.mark.parametrize("written", [lambda n: [t for t, _ in scale.texts(n, 4, "a")], boilerplate])
def test_texts_compared_grow_with_the_posts_and_not_with_their_pairs(monkeypatch, written):
    """Of six times as many posts, with a footer or without, each is compared with as many."""
    compared = []
    jaccard = texts._jaccard
    monkeypatch.setattr(
        texts, "_jaccard", lambda *runs: compared.append(len(runs)) or jaccard(*runs)
    )
    each = []
    for count in (60, 360):
        compared.clear()
        known = Known()
        for text in written(count):
            assert text not in known
            known.add(text)
        assert max(map(len, known.holders.values())) <= texts.FAMILY
        each.append(len(compared) / count)
    assert each[1] <= max(texts.FAMILY, 2 * each[0])


def test_near_copies_are_those_that_every_pair_would_show():
    rng = random.Random(1)
    posts = [text for text, _ in scale.texts(30, 3, "b")]
    for text in posts[:30]:
        for changed in (1, 5, 8, 12):
            words = text.split()
            for _ in range(changed):
                words[rng.randrange(len(words))] = f"other{rng.randrange(9999)}"
            posts.append(" ".join(words))
    runs = [set(runs_in(text).tolist()) for text in posts]
    expected = {
        (i, j): len(runs[i] & runs[j]) / len(runs[i] | runs[j])
        for j in range(len(posts))
        for i in range(j)
    }
    found = {(i, j): shared for i, j, shared in near_copies(posts)}
    assert found == {pair: pytest.approx(x) for pair, x in expected.items() if x >= 0.5}
    assert len(found) > 30


def test_of_a_family_of_copies_each_is_found_and_not_every_pair():
    copies = [
        f"{scale.LENGTH} {'the same letter to everybody ' * 10} dear number {i}" for i in range(400)
    ]
    found = near_copies(copies)
    assert {other for _, other, _ in found} == set(range(1, 400))
    assert len(found) <= 400 * texts.FAMILY


def test_token_ids_are_one_array_whatever_was_selected():
    rows = [[2, 7, 3], [2, 3], [2, 9, 9, 9, 3]]
    posts = datasets.Dataset.from_dict({"input_ids": rows, "label": [0, 1, 0]})
    assert [row.tolist() for row in id_rows(posts)] == rows
    picked = id_rows(posts.select([2, 0]))
    assert [row.tolist() for row in picked] == [rows[2], rows[0]]
    assert picked[0].base is picked[1].base is not None  # parts of the same
    assert id_rows(posts.select([])) == [] or len(id_rows(posts.select([]))[0]) == 0


def test_behaviours_cut_no_more_posts_than_they_ask_of(monkeypatch):
    split = datasets.Dataset.from_dict(
        {"text": [f"post {i}" for i in range(3000)], "label": [i % 3 for i in range(3000)]}
    )
    posts = Posts(split, split, split, ("a", "b", "c"), Cleaning({}, {}, 0, 0))
    cut = []
    monkeypatch.setattr(search, "load_tokenizer", lambda folder: None)
    monkeypatch.setattr(search, "beginnings", lambda _, found, __: cut.extend(found) or list(found))
    sample = search.beginnings_of(posts, Path(), 64, lambda found: np.zeros((len(found), 3)), 1)
    assert len(cut) == len(sample.texts) == search.POSTS


def test_a_fold_learns_from_a_sample_and_judges_every_post(monkeypatch):
    learned = []

    class Counted(data_checks.LogisticRegression):
        def fit(self, rows, labels):
            learned.append(len(rows))
            return super().fit(rows, labels)

    monkeypatch.setattr(data_checks, "LogisticRegression", Counted)
    monkeypatch.setattr(data_checks, "LEARNED", 120)
    labels = np.arange(1000) % 4
    vectors = np.eye(4)[labels] + np.random.default_rng(0).normal(size=(1000, 4)) / 20
    wrong = labels.copy()
    wrong[:20] = (labels[:20] + 1) % 4
    suspicion, likely, suspect = suspects(vectors, [""] * 1000, wrong, 1)
    assert learned == [120] * data_checks.FOLDS
    assert len(suspicion) == 1000
    assert suspect[:20].mean() >= 0.8
    assert (likely[:20] == labels[:20]).mean() >= 0.8


def test_label_similarity_keeps_a_bounded_number_of_scores(monkeypatch):
    """The wordings beyond it are not tried, so that the report says how many were."""
    assert (
        entailment.CELLS // (50_000 * 150) >= 5
    )  # every template, of 50,000 posts and 150 classes
    vectors = np.random.default_rng(0).normal(size=(100, 8))
    wordings = [("x", "y", "z"), ("z", "u", "v")]
    described = dict(zip("uvxyz", np.random.default_rng(1).normal(size=(5, 8)), strict=True))

    class Config:
        max_position_embeddings = 8

    class Encoder:
        config = Config()

    monkeypatch.setattr(entailment, "encode", lambda _, sentences, __: sentences)
    monkeypatch.setattr(
        entailment, "embed", lambda _, found: np.array([described[text] for text in found])
    )
    score: Any = entailment.label_similarity
    whole = score(vectors, Encoder(), None, wordings)
    monkeypatch.setattr(entailment, "BLOCK", 7)
    parts = score(vectors, Encoder(), None, wordings)
    assert whole.shape == (2, 100, 3)
    np.testing.assert_allclose(parts, whole, atol=1e-6)
    z = vectors[3] @ described["z"] / np.linalg.norm(vectors[3]) / np.linalg.norm(described["z"])
    assert whole[0, 3, 2] == whole[1, 3, 0] == pytest.approx(z, abs=1e-6)


def test_counts_that_are_drawn_give_the_interval_of_resampled_posts():
    rng = np.random.default_rng(3)
    truth = rng.integers(0, 4, 300)
    predicted = np.where(rng.random(300) < 0.7, truth, rng.integers(0, 4, 300))
    rows = intervals.bootstrap(
        lambda drawn: intervals.macro_f1_of(intervals.confusion(truth[drawn], predicted[drawn], 4)),
        300,
        seed=0,
    )
    counts = intervals.macro_f1(truth, predicted, 4, seed=1)
    assert counts.value == pytest.approx(rows.value)
    for one, other in ((rows.low, counts.low), (rows.high, counts.high)):
        assert one == pytest.approx(other, abs=0.06 * (rows.high - rows.low))


def test_counts_are_drawn_in_blocks_however_many_classes(monkeypatch):
    shapes = []
    monkeypatch.setattr(intervals, "CELLS", 6000)
    intervals.drawn_counts(
        lambda drawn: shapes.append(drawn.shape) or drawn[:, 0], np.ones(300, int), 0
    )
    assert sum(rows for rows, _ in shapes[:-1]) == intervals.RESAMPLES
    assert max(rows * kinds for rows, kinds in shapes) <= 6000


def test_pairs_of_sentences_are_of_so_many_classes_at_most():
    split = datasets.Dataset.from_dict(
        {"text": [f"post {i}" for i in range(600)], "label": [i % 150 for i in range(600)]}
    )
    labels = tuple(f"class {i}" for i in range(150))
    found = choose_sentences(Posts(split, split, split, labels, Cleaning({}, {}, 0, 0)), 1)
    assert len(set(found.topics)) == MOST_TOPICS
    assert list(found.topics) == sorted(found.topics)


@pytest.fixture(scope="module")
def world() -> dict[str, Answer]:
    """Answers on 20,000 posts of 150 classes and 3,000 slices, from results that nobody measured.

    Plots are not drawn, and intervals made of a few draws: neither is another size for it.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(intervals, "RESAMPLES", 20)
        patch.setattr(calibration, "SIMULATIONS", 20)
        patch.setattr(calibration, "bootstrap", partial(intervals.bootstrap, resamples=20))
        patch.setattr(methods, "figure_of", lambda canvas, title, alt, *how: Figure(title, alt, ""))
        return made_up()


def made_up() -> dict[str, Answer]:
    rng = np.random.default_rng(0)
    truth = rng.permutation(np.arange(POSTS) % CLASSES)
    labels = tuple(f"a class with a long name, number {i}" for i in range(CLASSES))
    rows = {
        "text": [f"post {i} " + "with some words " * 40 for i in range(POSTS)],
        "label": truth.tolist(),
        "slice": [f"customer {i % 3000}" for i in range(POSTS)],
    }
    test = datasets.Dataset.from_dict(rows)
    few = test.select(range(300))
    posts = Posts(few, few, test, labels, Cleaning({}, {}, 0, 0, unused={"train": 9000}))

    def scores(share: float) -> np.ndarray:
        near = (truth + rng.integers(1, 4, POSTS)) % (CLASSES - 1)
        said = np.where(rng.random(POSTS) < share, truth, near)
        found = np.zeros((POSTS, CLASSES), np.float32)
        found[np.arange(POSTS), said] = rng.random(POSTS) * 9
        return found

    asked = entailment.asked(truth, CLASSES, 0)
    by_label = ZeroShotScores(
        (labels,), scores(0.2)[None], asked, rng.random((20, len(asked), CLASSES))
    )
    baselines = BaselineScores(scores(0), scores(0.4), scores(0.5))
    logits = scores(0.7)
    predictions = Predictions(
        BySplit(logits[:300], logits[:300], logits), BySplit(*[np.zeros((1, 2))] * 3)
    )
    shown = subsample(truth, 0)
    each = Separation(0.1, 0.0, 0.01)
    plane = rng.random((len(shown), 2))
    separation = Separations(each, each, Estimate(0.0, -0.1, 0.1), shown, plane, plane)
    nothing = BySplit(*[np.zeros(size) for size in (300, 300, POSTS)])
    suspect = BySplit(*[np.ones(size, bool) for size in (300, 300, POSTS)])
    likely = BySplit(*[np.zeros(size, int) for size in (300, 300, POSTS)])
    checks = DataChecks(nothing, likely, suspect, (), 0, 0)
    evaluations = evaluate_all(posts, 0, baselines, by_label, predictions)
    compared = compare.answer(
        posts, evaluations, predictions, separation, (), Mistaken((), ()), checks, 0
    )
    said = training_data.left_unused(posts.cleaning)
    tables = (training_data.balance_table(posts), *training_data.check_tables(posts, checks))
    return {
        "zero_shot": zero_shot.answer(posts, baselines, by_label, 0),
        "training_data": Answer("training_data", "made up", said, {}, tables),
        "compare": compared,
    }


def test_the_page_of_20_000_posts_and_150_classes_is_small(world, tmp_path):
    labels = tuple(f"class {i}" for i in range(CLASSES))
    model, data = ModelSource("nowhere"), DataSource("nowhere")
    config = LabConfig("embedded", model, data, Selection(labels=labels))
    session = LabSession(config, "", tmp_path, tmp_path, time.time(), False, Silent())
    session.asked, session.answers = set(world), world
    found = page.page(session, {})
    assert len(found.encode()) < LARGEST_PAGE
    assert f"{CLASSES} classes: point at a mark" in found
    assert len(json.dumps(page.answers_dict(session))) < 40_000


def test_no_sentence_lists_every_class_or_slice(world):
    for answer in world.values():
        assert len(answer.sentence) < 2500
        assert sum(answer.sentence.count(f"number {i}") for i in range(CLASSES)) < 60
        for block in answer.blocks:
            assert len(getattr(block, "rows", ())) <= CLASSES + 1
            assert len(getattr(block, "header", ())) <= 10


def test_rare_slices_are_one_together(world):
    tables = [
        block for block in world["compare"].blocks if "by slice" in getattr(block, "title", "")
    ]
    (rows,) = [table.rows for table in tables]
    assert len(rows) == MOST_SLICES + 1
    assert OTHER_SLICES in {row[0] for row in rows}
    assert sum(int(row[1]) for row in rows) == POSTS


def test_the_silhouette_is_of_a_stated_sample(world):
    assert len(subsample(np.zeros(POSTS), 0)) == SAMPLE
    assert f"over {SAMPLE} of the {POSTS} test posts drawn at random" in world["compare"].sentence


def test_what_was_left_unused_is_said(world):
    assert "9000 train posts are there and not used" in world["training_data"].sentence
    assert "--lab-train-size takes more" in world["training_data"].sentence
