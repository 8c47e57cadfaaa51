"""The table of attacks in the docs counts what is there."""

import re

from labkit.plumbing.reading import read_text
from tests.running import ROOT

NUMBERS = r"(\d+) \| (\d+) \| (\d+)"
ROW = re.compile(rf"^\| .* \| \[(test_\w+\.py)\]\(\S+\) \| {NUMBERS} \|$", re.MULTILINE)


def test_the_docs_count_the_attacks(request):
    """Of the files that this run has collected whole; `make faults` collects all."""
    rows = ROW.findall(read_text(ROOT / "docs" / "reliability.md"))
    assert {row[0] for row in rows} == {
        path.name for path in (ROOT / "tests" / "faults").glob("test_*.py")
    } - {"test_reliability.py"}
    assert sum(int(tried) for _, tried, _, _ in rows) >= 400
    assert all(int(tried) == int(held) + int(fails) for _, tried, held, fails in rows)
    if request.config.option.keyword or request.config.option.markexpr:
        return
    collected = [item.path.name for item in request.session.items]
    known = [item.path.name for item in request.session.items if item.get_closest_marker("xfail")]
    for name, tried, _, fails in rows:
        assert collected.count(name) in (0, int(tried)), name
        assert known.count(name) in (0, int(fails)), name
