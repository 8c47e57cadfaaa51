"""The lab's exercise 4 in short: its gates, those of the lab and this project's own.

Question: What accuracy did it reach? How much better than zero-shot?
"""

import pytest

pytestmark = pytest.mark.exercise("fine_tune")


def test_gate(answer, gate):
    answer.check(gate)
