"""What the hooks keep in pytest's configuration from one to the next."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from labkit.plugin.session import LabSession

SESSION: "pytest.StashKey[LabSession]" = pytest.StashKey()  # made when it is first asked for
STARTED = pytest.StashKey[float]()  # seconds since 1970; the same in all of xdist's workers
REPORTS: "pytest.StashKey[Reports]" = pytest.StashKey()
NOT_PINNED = pytest.StashKey[str]()


class Reports:
    """Keeps what pytest says of each test; under xdist in the controller as well."""

    def __init__(self) -> None:
        self.seen: list[pytest.TestReport] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or not report.passed:
            self.seen.append(report)
