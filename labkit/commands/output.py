"""What the commands print: progress on standard error, results as JSON lines."""

import json
import re
import sys
from typing import Any

from labkit.errors import UNSEEN, visible
from labkit.exercises import stage_words


class Lines:
    """Progress as plain lines on standard error."""

    def begin(self, stage: str) -> None:
        self.say(f"{stage_words(stage)} ...")

    def advance(self, done: float, note: str = "") -> None: ...

    def end(self, note: str = "") -> None: ...

    def say(self, line: str) -> None:
        print(f"labkit: {visible(line)}", file=sys.stderr)


def write_json(value: Any) -> None:
    """Print a value as one line of JSON, in ASCII where the output has no more than that.

    Controls beyond ASCII are written as escapes as well: a terminal may obey them.
    """
    ascii_only = "utf" not in (sys.stdout.encoding or "").lower()
    text = json.dumps(value, ensure_ascii=ascii_only, allow_nan=False)
    print(re.sub(UNSEEN, lambda found: f"\\u{ord(found[0]):04x}", text))
