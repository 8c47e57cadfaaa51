"""This project's own exercise.

Question: Which two teams are mixed up most?
"""

import pytest

pytestmark = pytest.mark.exercise("mixed_up")


def test_the_numbers_are_masked(posts):
    assert not any(digit in text for text in posts.test["text"] for digit in "123456789")


def test_gate(answer, gate):
    answer.check(gate)
