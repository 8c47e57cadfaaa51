"""The lab on data of one's own: formats, classes, a test split that is made, all six exercises."""

import json
import random
import tempfile
from dataclasses import replace
from pathlib import Path

import datasets
import numpy as np
import pandas as pd
import pytest

from labkit import lab
from labkit.answers import answer
from labkit.config import DataSource, Selection
from labkit.data import files
from labkit.data.posts import Cleaning, load_posts
from labkit.data.stratified import stratified_sample
from labkit.evaluation.gates import gates_of, thresholds
from labkit.evaluation.wordings import label_texts, wordings
from labkit.exercises import EXERCISES
from labkit.plumbing.store import Store
from tests.subjects import COMMON_WORDS, TOPIC_WORDS

GERMAN = {
    "Küche": ["Rührschüssel", "Schneebesen", "Hefeteig", "Gewürze", "Soße", "Backofen", "Zwiebel"],
    "Garten": ["Rosenbeet", "Gießkanne", "Kompost", "Unkraut", "Rasenmäher", "Hecke", "Blüte"],
    "Straßenverkehr": ["Ampel", "Radweg", "Vorfahrt", "Überholverbot", "Kreuzung", "Tempolimit"],
}
FILLER = ["heute", "und", "wir", "der", "eine", "neue", "für", "über", "wieder", "schön", "ganz"]


def rows_of(words, counts, filler, seed=0):
    rng = random.Random(seed)
    rows = []
    for label, count in counts.items():
        for _ in range(count):
            post = [*rng.choices(words[label], k=4), *rng.choices(filler, k=8)]
            rng.shuffle(post)
            rows.append({"text": " ".join(post), "label": label})
    rng.shuffle(rows)
    return pd.DataFrame(rows)


def load(path, tmp_path, **settings):
    found = files.locate(DataSource(str(path)))
    scratch = Path(tempfile.mkdtemp(dir=tmp_path))
    return load_posts(found, Selection(**settings), (), scratch)


def english(baseball, space, seed=0):
    counts = dict(zip(TOPIC_WORDS, (baseball, space), strict=True))
    return rows_of(TOPIC_WORDS, counts, COMMON_WORDS, seed)


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "json", "parquet"])
def test_a_file_of_each_format_gives_the_same_splits(tmp_path, suffix):
    frame = english(30, 30)
    path = tmp_path / f"posts.{suffix}"
    if suffix == "csv":
        frame.to_csv(path, index=False)
    elif suffix == "parquet":
        frame.to_parquet(path)
    else:
        frame.to_json(path, orient="records", lines=suffix == "jsonl")
    splits = load(path, tmp_path)
    assert splits.labels == tuple(TOPIC_WORDS)
    assert [len(split) for _, split in splits.items()] == [39, 9, 12]
    assert splits.cleaning == Cleaning({"train": 60}, {"train": 0}, 0, 0, set_aside=12)
    (tmp_path / "reference").mkdir()
    frame.sample(frac=1, random_state=3).to_csv(tmp_path / "reference" / "any.csv", index=False)
    other = load(tmp_path / "reference", tmp_path)
    for (_, split), (_, expected) in zip(splits.items(), other.items(), strict=True):
        assert set(split["text"]) == set(expected["text"])


def test_columns_can_be_named(tmp_path):
    english(30, 30).rename(columns={"text": "body", "label": "topic"}).to_csv(
        tmp_path / "posts.csv", index=False
    )
    splits = load(tmp_path / "posts.csv", tmp_path, text_column="body", label_column="topic")
    assert splits.train.column_names == ["text", "label"]


def test_whole_numbers_are_labels_in_the_order_of_their_values(tmp_path):
    frame = english(30, 30)
    frame["label"] = [10 if label == "sci.space" else 9 for label in frame["label"]]
    frame.to_csv(tmp_path / "posts.csv", index=False)
    assert load(tmp_path / "posts.csv", tmp_path).labels == ("9", "10")


def test_class_names_of_a_hub_data_set_are_labels(tmp_path):
    frame = english(30, 30)
    frame["label"] = (frame["label"] == "sci.space").astype(int)
    rows = datasets.Dataset.from_pandas(frame, preserve_index=False)
    named = rows.cast_column("label", datasets.ClassLabel(names=["sport", "space"]))
    named.to_parquet(str(tmp_path / "posts.parquet"))
    splits = load(tmp_path / "posts.parquet", tmp_path)
    assert splits.labels == ("space", "sport")
    assert "rocket" in " ".join(splits.test.filter(lambda row: row["label"] == 0)["text"])


def test_the_labs_two_groups_are_the_default_where_the_data_has_them(tmp_path):
    words = {**TOPIC_WORDS, "sci.med": ["dose", "nurse", "virus", "fever", "clinic"]}
    rows_of(words, dict.fromkeys(words, 20), COMMON_WORDS).to_csv(
        tmp_path / "posts.csv", index=False
    )
    assert load(tmp_path / "posts.csv", tmp_path).labels == tuple(TOPIC_WORDS)
    asked = load(tmp_path / "posts.csv", tmp_path, labels=("sci.med", "sci.space"))
    assert asked.labels == ("sci.med", "sci.space")


@pytest.mark.parametrize("counts", [(500, 4), (2000, 5), (7, 33)])
def test_a_rare_class_is_in_every_split(tmp_path, counts):
    english(*counts).to_csv(tmp_path / "posts.csv", index=False)
    splits = load(tmp_path / "posts.csv", tmp_path, train_size=min(200, sum(counts) // 2))
    for _, split in splits.items():
        assert set(split["label"]) == {0, 1}
    texts = [text for _, split in splits.items() for text in split["text"]]
    assert len(texts) == len(set(texts))


def test_shares_stay_within_one_post_when_a_rare_class_is_helped(tmp_path):
    labels = np.array([0] * 996 + [1] * 4)
    parts = stratified_sample(labels, (600, 150), 1)
    for part in parts:
        expected = len(part) * 4 / 1000
        assert 1 <= (labels[part] == 1).sum() <= expected + 1
    assert len(set(parts[0]) & set(parts[1])) == 0


@pytest.mark.parametrize(
    ("label", "readable"),
    [
        ("rec.sport.hockey", "rec sport hockey"),
        ("credit_card-lost", "credit card lost"),
        ("cardLost", "card Lost"),
        ("Straßenverkehr", "Straßenverkehr"),
        ("+1", "1"),
        ("???", "???"),
    ],
)
def test_a_label_without_wording_goes_by_its_readable_name(label, readable):
    assert label_texts([label], {}) == [(readable,)]
    assert label_texts([label], {label: "given"}) == [("given",)]
    assert wordings([label], {})[0] == (f"This example is about {readable}.",)


LIMITS = thresholds("embedded", {})


@pytest.fixture(scope="module")
def own_run(tiny_config, tmp_path_factory):
    """A run of the lab on a table of posts, with the selection that is asked for."""

    def build(frame, label_texts=None, **selection):
        folder = tmp_path_factory.mktemp("own")
        frame.to_csv(folder / "posts.csv", index=False)
        config = replace(
            tiny_config,
            data=DataSource(str(folder / "posts.csv")),
            selection=Selection(**selection),
            label_texts=label_texts or {},
            recipe=replace(tiny_config.recipe, epochs=1),
        )
        return lab.run(config, Store(folder / "store"))

    return build


def check_all_answers(run):
    for exercise in EXERCISES:
        measured = answer(exercise.id, run, LIMITS)
        named = {result.gate.name for result in measured.gates}
        assert named == {gate.name for gate in gates_of(exercise.id)}
        assert all(result.measured is not None for result in measured.gates)
        json.dumps(measured.to_dict(), allow_nan=False)


def test_forty_rows_go_through_all_exercises(own_run):
    run = own_run(english(20, 20))
    check_all_answers(run)
    assert [len(split) for _, split in run.posts.items()] == [26, 6, 8]
    sentence = answer("training_data", run, LIMITS).sentence
    assert "no test split; 8 posts, stratified, were set aside" in sentence


def test_badly_unbalanced_classes_go_through_all_exercises(own_run):
    run = own_run(english(120, 5))
    check_all_answers(run)
    majority = run.evaluations["majority"]
    assert majority.accuracy.value == pytest.approx(24 / 25)
    assert majority.macro_f1.value < 0.5


def test_a_dozen_classes_go_through_all_exercises(own_run):
    words = {f"class_{i}": [f"word{i}{letter}" for letter in "abcdef"] for i in range(12)}
    run = own_run(rows_of(words, dict.fromkeys(words, 8), COMMON_WORDS))
    check_all_answers(run)
    assert len(run.posts.labels) == 12
    assert not run.probes.curated


def test_three_classes_of_german_text_go_through_all_exercises(own_run):
    counts = dict.fromkeys(GERMAN, 30)
    run = own_run(
        rows_of(GERMAN, counts, FILLER),
        labels=("Küche", "Garten", "Straßenverkehr"),
        label_texts={"Küche": "cooking"},
    )
    check_all_answers(run)
    assert run.posts.labels == ("Küche", "Garten", "Straßenverkehr")
    assert "Straßenverkehr posts" in answer("zero_shot", run, LIMITS).sentence


def test_the_wording_that_is_given_changes_what_zero_shot_finds(own_run):
    frame = english(20, 20)
    plain, worded = (
        own_run(frame, texts) for texts in ({}, {"sci.space": "the orbit of a rocket"})
    )
    before, after = (run.zero_shot.label_similarity[0] for run in (plain, worded))
    same = np.isclose(before, after).all(axis=0)
    assert dict(zip(plain.posts.labels, same, strict=True)) == {
        "rec.sport.baseball": True,
        "sci.space": False,
    }
