"""pytest-xdist: workers run the tests, and the controller has the last word."""

from typing import TYPE_CHECKING

import pytest

from labkit.plugin.stash import ERROR, STARTED

if TYPE_CHECKING:
    from xdist.workermanage import WorkerController


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: "WorkerController") -> None:
    """All workers start when the controller did: `--lab-fresh` acts once."""
    node.workerinput["lab_started"] = node.config.stash[STARTED]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_node_collection_finished(node: "WorkerController") -> None:
    """Begin the run in the tracker that was typed, which the controller follows for all."""
    if node.config.option.lab_report_to:
        from labkit.plugin import setup

        setup.follow(node.config)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: "WorkerController", error: object) -> None:
    """Take in what a finished worker measured, or could not use."""
    output = getattr(node, "workeroutput", {})
    if ERROR in output:
        raise pytest.UsageError(output[ERROR])
    if packed := output.get("lab"):
        from labkit.plugin import outcome, setup

        session = setup.lab_session(node.config)
        session.absorb(packed)
        outcome.take_predictions(session, output["predictions"])
