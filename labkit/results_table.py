"""pytest-html's page taken apart, so that its table of tests can stand under the answers.

The plugin has no hook for the order of its page, and its markup leaves out what a screen reader
needs; both are mended here, on the text of the file it wrote.
"""

import base64
import hashlib
import re
from dataclasses import dataclass

from labkit.errors import LabError


@dataclass(frozen=True)
class ResultsTable:
    """The parts of pytest-html's page: its CSS, its body, and the digest of its one script.

    `script_digest` is what a content security policy names to let this script run and no other.
    """

    style: str
    body: str
    script_digest: str


def take_apart(page: str) -> ResultsTable:
    """The parts of a page that pytest-html wrote with `--self-contained-html`."""
    style = _between(page, '<style type="text/css">', "</style>")
    body = _between(page, "<body>", "</body>")
    body = body.replace("join('')}<ul>`", "join('')}</ul>`")  # a list that its script leaves open
    script = _between(body, "<script>", "</script>")
    body = re.sub(r'<h1 id="title">.*?</h1>', "", body, count=1, flags=re.DOTALL)
    # Its check boxes stand beside their words without a label of their own.
    body = re.sub(r'data-test-result="(\w+)"', r'\g<0> aria-label="show \1 tests"', body)
    body = body.replace(' onclick="location.reload()"', "")  # for a page that still grows
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    return ResultsTable(style, body, f"sha256-{digest}")


def _between(text: str, start: str, end: str) -> str:
    """What stands between the first `start` and the last `end` after it."""
    _, found, rest = text.partition(start)
    inner, closed, _ = rest.rpartition(end)
    if not found or not closed:
        raise LabError(f"pytest-html's page has no {start}; pytest-html 4 is needed")
    return inner
