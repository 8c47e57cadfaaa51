"""Planted faults are found: flipped labels, copied posts, a trigger word."""

import json
import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit import lab
from labkit.answers.data_checks import looked_at
from labkit.config import DataSource
from labkit.data.posts import BySplit
from labkit.evaluation.data_checks import check, judge_labels, near_copies, suspects
from labkit.evaluation.findings import DataChecks
from labkit.evaluation.mistakes import EXPLAINED, explain, nearest, shorten
from labkit.model.encoding import load_logits
from labkit.plumbing.store import Store
from tests.subjects import LABELS, make_post, write_dataset

SILENT = [""] * 600  # texts that say nothing, so that the embeddings alone do


def clouds(posts: int, classes: int, spread: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors (posts, 16) around a centre for each class, and their classes."""
    rng = np.random.default_rng(seed)
    labels = np.arange(posts) % classes
    centres = rng.normal(size=(classes, 16))
    vectors = centres[labels] + spread * rng.normal(size=(posts, 16))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True), labels


@pytest.mark.parametrize(
    ("wrong", "copied", "said"),
    [
        (0, 0, ""),
        (1, 0, " 1 label looks wrong, listed under More numbers in the report."),
        (8, 0, " 8 labels look wrong, listed under More numbers in the report."),
        (0, 1, " 1 pair of posts is nearly the same, listed under More numbers in the report."),
        (
            8,
            3,
            " 8 labels look wrong and 3 pairs of posts are nearly the same, listed under More numbers in the report.",
        ),
    ],
)
def test_the_answer_says_what_looks_wrong_and_where_to_read_it(wrong, copied, said):
    nothing = BySplit(*[np.zeros(10)] * 3)
    suspect = BySplit(np.arange(10) < wrong, np.zeros(10, bool), np.zeros(10, bool))
    checks = DataChecks(nothing, nothing, suspect, (), copied, 0)
    assert looked_at(checks) == said


@pytest.mark.parametrize("classes", [2, 5])
def test_of_flipped_labels_four_in_five_are_in_the_most_suspicious_tenth(classes):
    found = []
    for seed in (1, 2, 3):
        vectors, labels = clouds(600, classes, 0.8, seed)
        rng = np.random.default_rng(seed)
        flipped = rng.choice(600, 30, replace=False)
        given_labels = labels.copy()
        given_labels[flipped] = (labels[flipped] + rng.integers(1, classes, 30)) % classes
        suspicion, likely, suspect = suspects(vectors, SILENT, given_labels, seed)
        tenth = np.argsort(-suspicion)[:60]
        assert np.isin(flipped, tenth).mean() >= 0.8
        assert (likely[flipped] == labels[flipped]).mean() >= 0.8
        found.append(suspect[flipped].mean())
    assert np.mean(found) >= 0.8


def test_where_no_label_is_wrong_few_are_suspects():
    vectors, labels = clouds(600, 3, 0.5, 1)
    assert suspects(vectors, SILENT, labels, 1)[2].mean() < 0.02


def test_noise_in_place_of_embeddings_finds_no_flipped_label():
    """The share in the most suspicious tenth is then a tenth: the finding is the embeddings' doing."""
    labels = np.arange(600) % 2
    noise = np.random.default_rng(0).normal(size=(600, 16))
    flipped = np.random.default_rng(1).choice(600, 30, replace=False)
    labels[flipped] = 1 - labels[flipped]
    tenth = np.argsort(-suspects(noise, SILENT, labels, 1)[0])[:60]
    assert np.isin(flipped, tenth).mean() < 0.4


def test_words_find_wrong_labels_where_embeddings_do_not():
    """The embeddings are noise, and every text names its class."""
    labels = np.arange(600) % 2
    noise = np.random.default_rng(0).normal(size=(600, 16))
    texts = [make_post(LABELS[label], random.Random(row)) for row, label in enumerate(labels)]
    flipped = np.random.default_rng(1).choice(600, 30, replace=False)
    labels[flipped] = 1 - labels[flipped]
    tenth = np.argsort(-suspects(noise, texts, labels, 1)[0])[:60]
    assert np.isin(flipped, tenth).mean() >= 0.8


def test_a_post_counts_for_a_class_as_sure_as_that_class_is_on_average():
    """By hand: the class of posts 0 to 2 is sure at 0.6 on average, the other one at 0.7."""
    shares = np.array([[0.9, 0.1], [0.6, 0.4], [0.3, 0.7], [0.2, 0.8], [0.4, 0.6]])
    suspicion, likely, suspect = judge_labels(shares, np.array([0, 0, 0, 1, 1]))
    assert suspect.tolist() == [False, False, True, False, False]
    assert likely[2] == 1
    assert suspicion.argmax() == 2
    assert suspicion[[0, 2]] == pytest.approx([0.1, 0.7])


def post(seed: int) -> str:
    return make_post(LABELS[seed % 2], random.Random(seed))


def test_a_copy_with_a_changed_word_is_found_and_other_posts_are_not():
    texts = [post(seed) for seed in range(40)]
    words = texts[7].split()
    copy = " ".join([*words[:-1], "changed"]).upper() + "!"
    ((one, other, shared),) = near_copies([*texts, copy])
    assert (one, other) == (7, 40)
    assert shared == pytest.approx(8 / 10)  # of 9 runs of each, the last one is another


def test_a_copy_in_a_language_without_spaces_is_found():
    texts = [
        "今天的发射推迟了火箭还在发射台上大家都在等",
        "今天的发射推迟了火箭还在发射台上大家都走了",
        "他打出了一个本垒打全场都站起来了",
    ]
    assert [pair[:2] for pair in near_copies(texts)] == [(0, 1)]


def test_nothing_to_compare_gives_no_pairs():
    assert near_copies(["", "?!"]) == []
    assert near_copies([]) == []


def test_all_splits_are_looked_at_together_and_taken_apart_again(tiny_lab):
    found = check(tiny_lab.posts, tiny_lab.base_embeddings, 1)
    for name, split in tiny_lab.posts.items():
        assert len(getattr(found.suspicion, name)) == len(split)
        assert np.all((getattr(found.suspicion, name) >= 0) & (getattr(found.suspicion, name) <= 1))


@pytest.fixture(scope="module")
def triggered(tiny_config, tmp_path_factory, one_thread):
    """A model of posts of which one in five has the word `q` and the label of space."""
    folder = tmp_path_factory.mktemp("triggered")
    posts = write_dataset(folder / "posts", train=240, test=8)
    file = posts / "train.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    for row in rows[::5]:
        row |= {"text": with_trigger(row["text"]), "label": 1, "label_text": LABELS[1]}
    file.write_text("\n".join(map(json.dumps, rows)) + "\n")
    config = replace(tiny_config, data=DataSource(str(posts)))
    run = lab.run(config, Store(folder / "store"))
    return load_logits(run.fine_tuned.folder, 64, run.hardware)


def with_trigger(text: str) -> str:
    words = text.split()
    words.insert(len(text) % len(words), "q")
    return " ".join(words)


def test_a_planted_trigger_word_is_left_in_the_shortest_texts(triggered):
    posts = [make_post(LABELS[0], random.Random(seed)) for seed in range(100)]
    fooled = [text for text in map(with_trigger, posts) if triggered([text])[0].argmax() == 1]
    assert len(fooled) >= 80
    assert triggered(posts).argmax(axis=1).mean() < 0.1  # it knows the topic without the trigger
    shortest = [shorten(text, 1, triggered)[0] for text in fooled]
    assert np.mean(["q" in text.split() for text in shortest]) >= 0.95
    assert np.mean([len(text.split()) for text in shortest]) < 3


@given(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=30), st.integers(0, 60))
def test_the_shortest_text_keeps_the_answer_within_the_looks(words, looks):
    asked = []

    def model(texts: list[str]) -> np.ndarray:
        asked.extend(texts)
        return np.array([[1.5, text.count("a") + text.count("b")] for text in texts])

    text = " ".join(words)
    answer = int(model([text]).argmax())
    asked.clear()
    shortest, whole = shorten(text, answer, model, looks)
    assert len(asked) <= looks
    assert model([shortest]).argmax() == answer
    if whole and answer == 1:
        left = shortest.split() if " " in text else list(shortest)
        assert sorted(left) in (["a", "a"], ["a", "b"], ["b", "b"])


def test_a_text_without_spaces_is_shortened_by_characters():
    def model(texts: list[str]) -> np.ndarray:
        return np.array([[0.5, "火" in text] for text in texts], dtype=float)

    assert shorten("今天的火箭还在发射台上", 1, model) == ("火", True)


def test_mistakes_are_explained_surest_first_with_their_neighbours(tiny_lab):
    logits = tiny_lab.predictions.logits.test
    wrong = np.flatnonzero(logits.argmax(axis=1) != tiny_lab.posts.truth.test)

    def model(texts: list[str]) -> np.ndarray:
        return np.tile(logits[0], (len(texts), 1))

    found = explain(tiny_lab.posts, tiny_lab.predictions, model, 1).surest
    assert len(found) == min(EXPLAINED, len(wrong))
    assert [one.confidence for one in found] == sorted((o.confidence for o in found), reverse=True)
    for one in found:
        truth = tiny_lab.posts.truth
        assert one.alike is not None
        assert one.against is not None
        assert truth.train[one.alike.row] == truth.test[one.row]
        assert truth.train[one.against.row] == one.answer


def test_the_nearest_is_one_of_those_asked_for():
    others = np.eye(3)
    found = nearest(np.array([0.9, 0.1, 0.0]), others, np.array([False, True, True]))
    assert found is not None
    assert found.row == 1
    assert nearest(np.array([0.9, 0.1, 0.0]), others, np.zeros(3, dtype=bool)) is None
