"""The one exception a user is meant to see."""


class LabError(Exception):
    """A mistake in what the lab was given, told in one line: what is wrong, where, what to do.

    The pytest plugin turns it into a usage error (exit code 4) when it is known before the first
    test runs; it never carries a traceback of its own.
    """
