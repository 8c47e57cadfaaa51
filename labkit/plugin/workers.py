"""pytest-xdist: workers run the tests, and the controller has the last word."""

from typing import Any

import pytest

from labkit.plugin.stash import STARTED

ERROR = "lab_error"
FIRST = "gw0"


def speaks_for_all(config: pytest.Config) -> bool:
    """Whether this process says what all do: the only one, or the first worker."""
    return getattr(config, "workerinput", {}).get("workerid", FIRST) == FIRST


def tell(config: pytest.Config, error: str) -> None:
    """Leave word, in a worker, why nothing can run; the controller then says it."""
    if hasattr(config, "workeroutput"):
        config.workeroutput[ERROR] = error


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """All workers start when the controller did: `--lab-fresh` acts once."""
    node.workerinput["lab_started"] = node.config.stash[STARTED]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: Any) -> None:
    """Take in what a finished worker measured, or could not use."""
    output = getattr(node, "workeroutput", {})
    if ERROR in output:
        raise pytest.UsageError(output[ERROR])
    if packed := output.get("lab"):
        from labkit.plugin import setup

        setup.lab_session(node.config).absorb(packed)
