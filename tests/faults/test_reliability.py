"""The table of attacks in the docs counts what is there."""

import re

from labkit.plumbing.reading import read_text
from tests.running import ROOT

ROW = re.compile(r"^\| .* \| \[(test_\w+\.py)\]\(\S+\) \| (\d+) \| (\d+) \|$", re.MULTILINE)


def test_the_docs_count_the_attacks(request):
    """Of the files that this run has collected whole; `make faults` collects all."""
    rows = ROW.findall(read_text(ROOT / "docs" / "reliability.md"))
    assert {name for name, _, _ in rows} == {
        path.name for path in (ROOT / "tests" / "faults").glob("test_*.py")
    } - {"test_reliability.py"}
    assert sum(int(tried) for _, tried, _ in rows) >= 400
    if request.config.option.keyword or request.config.option.markexpr:
        return
    collected = [item.path.name for item in request.session.items]
    for name, tried, _ in rows:
        assert collected.count(name) in (0, int(tried)), name
