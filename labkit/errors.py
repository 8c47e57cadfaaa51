"""The one exception a user is meant to see, and text from elsewhere as a terminal may have it."""

import re

# Controls, and what turns the direction of a line: a terminal obeys them, a person doesn't see them.
# A pattern, which is compiled when it is needed: every run of pytest imports this.
UNSEEN = "[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"


class LabError(Exception):
    """A mistake in what the lab was given, told in one line: what is wrong, where, what to do.

    The pytest plugin turns it into a usage error (exit code 4) when it is known before the first
    test runs; it never carries a traceback of its own.
    """

    def __str__(self) -> str:
        return visible(super().__str__())


def visible(text: str) -> str:
    """A text in one line, in which `\\x1b` stands for the control character of that number."""
    return re.sub(UNSEEN, lambda found: ascii(found[0])[1:-1], text)
