"""The wordings of the labels: which there are, and which are refused."""

import numpy as np
import pytest

from labkit.errors import LabError
from labkit.evaluation.wordings import MOST, TEMPLATES, label_texts, wordings
from labkit.profiles import GROUP_TEXTS, GROUPS


def test_the_first_wording_is_the_pipelines_with_the_first_texts():
    first = wordings(GROUPS, GROUP_TEXTS)[0]
    assert first == ("This example is about baseball.", "This example is about space.")


def test_every_text_goes_into_every_template_and_none_twice():
    found = wordings(("a", "b"), {"a": "one|two", "b": "x | y"})
    assert len(found) == len(set(found)) == len(TEMPLATES) * 4
    assert ("two", "y") in found
    assert "spaceflight" in {text for texts in wordings(GROUPS, GROUP_TEXTS) for text in texts}


def test_many_labels_with_many_texts_change_one_at_a_time():
    labels = [f"label {i}" for i in range(20)]
    found = label_texts(labels, {label: f"{label}|other {label}" for label in labels})
    assert len(found) == 21 < MOST
    changed = np.array([[text.startswith("other") for text in texts] for texts in found])
    assert changed.sum(axis=1).tolist() == [0] + [1] * 20


def test_names_that_read_alike_stay_as_they_are():
    assert label_texts(("+1", "-1"), {}) == [("+1", "-1")]


def test_labels_that_are_worded_alike_are_refused_in_one_line():
    with pytest.raises(LabError, match="two labels are worded 'Space'") as caught:
        wordings(("a", "b"), {"a": "Space", "b": "space"})
    assert "\n" not in str(caught.value)


def test_a_combination_in_which_two_labels_are_alike_is_left_out():
    assert label_texts(("a", "b"), {"a": "x", "b": "y|x"}) == [("x", "y")]
