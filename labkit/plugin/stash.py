"""What the hooks keep in pytest's configuration from one to the next, and tell other processes."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from labkit.plugin.session import LabSession

SESSION: "pytest.StashKey[LabSession]" = pytest.StashKey()  # made when it is first asked for
STARTED = pytest.StashKey[float]()  # seconds since 1970; the same in all of xdist's workers
REPORTS: "pytest.StashKey[Reports]" = pytest.StashKey()
NOT_PINNED = pytest.StashKey[str]()  # why the run is not the baseline, where that was asked for
NOT_WRITTEN = pytest.StashKey[str]()  # why there is no report, where there is none
ERROR = "lab_error"  # in an xdist worker's output: why nothing can run
EXERCISE = "labkit_exercise"  # of a test's report: the exercise whose answer it takes
FIRST = "gw0"


class Reports:
    """Keeps what pytest says of each test; under xdist in the controller as well."""

    def __init__(self) -> None:
        self.seen: list[pytest.TestReport] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or not report.passed:
            self.seen.append(report)


def speaks_for_all(config: pytest.Config) -> bool:
    """Whether this process says what all do: the only one, or the first worker."""
    return getattr(config, "workerinput", {}).get("workerid", FIRST) == FIRST


def tell(config: pytest.Config, error: str) -> None:
    """Leave word, in a worker, why nothing can run; the controller then says it."""
    if hasattr(config, "workeroutput"):
        config.workeroutput[ERROR] = error
