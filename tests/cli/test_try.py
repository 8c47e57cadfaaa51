"""`labkit try`: sentences one by one, with words that mattered and the nearest train posts."""

import re
import shutil

import numpy as np
import pytest

from labkit import interactive
from labkit.interactive import Reader, lines, train_posts
from tests.running import run_python
from tests.subjects import LABELS, TOPIC_WORDS

BASEBALL, SPACE = (" ".join(TOPIC_WORDS[label][:4]) for label in LABELS)


@pytest.fixture(scope="module")
def reader(tiny_lab, tmp_path_factory):
    reader = Reader(tiny_lab.saved_model)
    texts, labels = train_posts(tiny_lab.saved_model, None, tmp_path_factory.mktemp("scratch"))
    reader.learn_train_posts(texts, labels)
    return reader


def test_probabilities_are_those_of_the_classifier(tiny_lab, reader):
    text = tiny_lab.posts.test[0]["text"]
    reading = reader.read(text)
    logits = tiny_lab.predictions.logits.test[0].astype(float)
    expected = np.exp(logits) / np.exp(logits).sum()
    found = dict(reading.probabilities)
    assert [found[label] for label in LABELS] == pytest.approx(expected, abs=1e-4)
    assert reading.probabilities[0][1] == max(found.values())


def test_a_word_matters_as_much_as_the_answer_loses_without_it(reader):
    text = f"the {BASEBALL} of"
    reading = reader.read(text)
    label, full = reading.probabilities[0]
    assert {word for word, _ in reading.words} == set(text.split())
    word, effect = reading.words[0]
    without = " ".join(other for other in text.split() if other != word)
    left = dict(reader.read(without).probabilities)[label]
    assert effect == pytest.approx(100 * (full - left), abs=0.01)
    effects = [abs(effect) for _, effect in reading.words]
    assert effects == sorted(effects, reverse=True)


def test_a_train_post_is_its_own_nearest(tiny_lab, reader):
    post = tiny_lab.posts.train[5]
    nearest = reader.read(post["text"]).nearest
    assert (nearest[0].text, nearest[0].label) == (post["text"], LABELS[post["label"]])
    assert nearest[0].cosine == pytest.approx(1, abs=1e-4)
    assert len(nearest) == interactive.SHOWN_POSTS


def test_one_word_has_nothing_left_without_it(reader):
    (line, words, *_) = lines(reader.read("pitcher"))
    assert re.fullmatch(r"  \S+ [\d.]+ %, \S+ [\d.]+ %", line)
    assert "pitcher" in words


def test_the_command_reads_lines_until_an_empty_one(tiny_lab, tmp_path):
    """As somebody types them; a model without its lineage is read without train posts."""
    model = shutil.copytree(tiny_lab.saved_model, tmp_path / "model")
    typed = f"{BASEBALL}\n{SPACE}\n\nnever read\n"
    found = run_python("-m", "labkit", "try", str(model), input=typed)
    assert found.returncode == 0, found.stderr
    assert len(re.findall(r"^  \S+ [\d.]+ %", found.stdout, re.M)) == 2
    assert found.stdout.count("nearest train posts") == 2
    (model / "lineage.json").unlink()
    found = run_python("-m", "labkit", "try", str(model), input=typed)
    assert found.returncode == 0, found.stderr
    assert "nearest train posts" not in found.stdout
    assert "without train posts: " in found.stderr


def test_a_folder_that_is_no_model_is_refused_with_one_line(tmp_path):
    found = run_python("-m", "labkit", "try", str(tmp_path), input="a\n")
    assert found.returncode == 2
    assert found.stderr.startswith("labkit try: MODEL ")
    assert len(found.stderr.splitlines()) == 1
