"""Plots of classes whose names are long, many, or both."""

from typing import cast

import numpy as np
import pytest

from labkit.report.plots import embeddings, methods, style

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
    assert methods.confusion_matrix("a method", np.eye(count, dtype=int), labels).png
    similarity = cast(np.ndarray, np.corrcoef(points))
    assert embeddings.similarity_heat_map(similarity, truth.tolist(), labels).png
    assert embeddings.embedding_planes({"before": points}, {"before": 0.0}, truth, labels).figures


def test_names_that_differ_at_either_end_are_told_apart():
    names = [LONG, f"Neu: {LONG}", f"{LONG} 2"]
    assert len({style.short(name) for name in names}) == 3
    assert max(len(style.short(name)) for name in names) == style.LABEL_LENGTH
    assert style.short("rec.sport.baseball") == "rec.sport.baseball"
