"""Plots of classes whose names are long, many, or both."""

from typing import cast
from xml.etree import ElementTree

import numpy as np
import pytest

from labkit.report import page
from labkit.report.blocks import Matrix, Point, Table
from labkit.report.plots import embeddings, methods, style
from labkit.report.plots.training import training_curve
from labkit.training.history import Epoch, History

LONG = "Rückgabe und Umtausch (Gewährleistung), Abteilung"


@pytest.mark.parametrize("count", [2, 3, 12])
@pytest.mark.parametrize(
    "name", ["{}", LONG + " {}", "{} " + LONG, "W" * 200 + "{}", "退货与换货{}"]
)
@pytest.mark.filterwarnings("error")  # matplotlib warns where names leave a plot no room
def test_long_names_leave_room_for_the_plot(count, name):
    labels = [name.format(number) for number in range(count)]
    truth = np.repeat(np.arange(count), 4)
    points = np.random.default_rng(0).normal(size=(len(truth), 2))
    similarity = cast(np.ndarray, np.corrcoef(points))
    assert embeddings.similarity_heat_map(similarity, truth.tolist(), labels).svg


@pytest.mark.parametrize(
    "names",
    [
        [LONG, f"Neu: {LONG}", f"{LONG} 2"],
        ["comp.sys.ibm.pc.hardware", "comp.sys.mac.hardware", "comp.os.ms-windows.misc"],
        ["W" * 200 + str(number) for number in range(12)],
        [f"{number} " + "W" * 200 for number in range(12)],
        [f"{'a' * 30}{number}{'b' * 30}" for number in range(3)],  # only in the middle
    ],
    ids=["either-end", "newsgroups", "late", "early", "middle"],
)
def test_names_stay_apart(names):
    shown = style.short_names(names)
    assert len(set(shown)) == len(names)
    assert max(map(len, shown)) <= style.LABEL_LENGTH
    assert style.short_names(["rec.sport.baseball"]) == ["rec.sport.baseball"]


def test_few_classes_have_a_matrix_and_many_a_table_of_confusions():
    counts = np.full((20, 20), 1) + 9 * np.eye(20, dtype=int)
    counts[3, 7] = 6
    names = [f"class {number}" for number in range(20)]
    few = methods.confusion_matrix("a method", counts[:4, :4], names[:4])
    assert isinstance(few, Matrix)
    assert few.counts[0] == (10, 1, 1, 1)
    many = methods.confusion_matrix("a method", counts, names)
    assert isinstance(many, Table)
    assert many.rows[0] == ("class 3", "class 7", "6", "18 %")
    assert len(many.rows) == methods.SHOWN_CONFUSIONS
    assert many.title == f"A method: {counts.sum() - np.trace(counts)} of {counts.sum()} wrong"


def test_without_a_mistake_there_is_no_confusion():
    perfect = methods.confusion_matrix("a method", 5 * np.eye(20, dtype=int), ["x"] * 20)
    assert isinstance(perfect, Table)
    assert perfect.rows == ()


@pytest.mark.parametrize("steps", [1, 2, 3, 50])
def test_a_training_of_few_steps_can_be_drawn(steps):
    losses = tuple((step, 1.0 / step) for step in range(1, steps + 1))
    epochs = (Epoch(1, 0.5, 0.4, 0.9),)
    history = History(
        epochs, losses, best_epoch=1, steps=steps, seconds=1.0, bf16=False, device="cpu"
    )
    assert "validation after each epoch: 0.400." in training_curve(history).alt


def test_planes_are_squares_with_a_place_for_every_post():
    points = [Point("a post", number % 2, 0, 0.9, "", ()) for number in range(6)]
    plane = np.random.default_rng(0).normal(size=(6, 2)) * [50, 3]
    drawn = embeddings.embedding_planes(
        {"before": plane, "after": -plane}, {"before": 0.1, "after": 0.5}, points, ("a", "b")
    )
    placed = np.array([point.places for point in drawn.points])
    assert placed.shape == (6, 2, 2)
    assert placed.min() > 0
    assert placed.max() < 1
    assert np.ptp(placed[:, 0, 0]) > 10 * np.ptp(placed[:, 0, 1])  # no axis is stretched
    assert drawn.titles == (
        "Before: silhouette 0.10 in the full space",
        "After: silhouette 0.50 in the full space",
    )


def test_a_plot_takes_the_colours_and_the_typeface_of_the_page():
    figure = methods.random_heads(np.array([0.4, 0.5]), 0.7)
    assert "var(--blue)" in figure.svg
    assert "DejaVu" not in figure.svg
    foreign = ("<style", "<metadata", "<?xml", "<!--", "javascript")
    assert not [part for part in foreign if part in figure.svg]


def test_the_same_numbers_draw_the_same_bytes():
    heads = np.array([0.4, 0.5])
    assert methods.random_heads(heads, 0.7) == methods.random_heads(heads, 0.7)


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "a & b", "$x_1$"])
def test_a_class_name_stays_text_in_a_plot(text):
    similarity = np.eye(4)
    svg = embeddings.similarity_heat_map(similarity, [0, 0, 1, 1], [text, "other"]).svg
    root = ElementTree.fromstring(svg.replace("xlink:href", "href"))
    names = ["".join(node.itertext()) for node in root.iter() if node.tag.endswith("text")]
    assert text[:8] in " ".join(names)
    assert not [node for node in root.iter() if node.tag.endswith("script")]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("rec.sport.baseball", "rec.<wbr>sport.<wbr>baseball"),
        ("79.0 % (74.7 to 82.7)", "79.0 % (74.7 to 82.7)"),
        ("a<b.c", "a&lt;b.<wbr>c"),
    ],
)
def test_a_long_name_may_be_broken_and_a_number_may_not(name, shown):
    assert page.breakable(name) == shown
