"""The lab's exercise 5 in short: its gates, which count this project's own behaviour and topics.

Question: How clearly separated are the classes in embedding space?
"""

import pytest

pytestmark = pytest.mark.exercise("compare")


def test_gate(answer, gate):
    answer.check(gate)
