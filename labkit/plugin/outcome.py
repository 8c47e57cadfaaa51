"""What became of the tests, and of the run as a whole."""

import json
from pathlib import Path

import pytest

from labkit.plugin.session import LabSession, TestResult
from labkit.runs import history

REPORT_ONLY = "--lab-report-only"


def result_of(report: pytest.TestReport) -> TestResult:
    """A test's outcome in the words of pytest's summary, with what it says."""
    crash = getattr(report.longrepr, "reprcrash", None)
    message = crash.message if crash else report.longreprtext
    outcome: str = report.outcome
    if getattr(report, "wasxfail", None) == REPORT_ONLY:
        outcome = "tolerated"
    elif hasattr(report, "wasxfail"):
        outcome = "xfailed" if report.skipped else "xpassed"
    elif report.failed and report.when != "call":
        outcome = "error"
    elif report.skipped and isinstance(report.longrepr, tuple):
        message = report.longrepr[2].removeprefix("Skipped: ")
    shown = report.longreprtext if outcome in ("failed", "error", "tolerated") else ""
    captured = "".join(f"\n{title}\n{text}" for title, text in report.sections) if shown else ""
    return TestResult(
        report.nodeid,
        outcome,
        report.duration,
        message.removeprefix("AssertionError: "),
        shown + captured,
    )


class Results:
    """Keeps what becomes of each test; under xdist in the controller as well."""

    def __init__(self, session: LabSession) -> None:
        self.session = session

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or not report.passed:
            self.session.tests.append(result_of(report))


def keep_record(config: pytest.Config, session: LabSession, passed: bool) -> None:
    """Add the run to the history, and make it the baseline where that was asked for."""
    from labkit.plumbing.results import plain
    from labkit.release.lineage import commit
    from labkit.report.page import write_atomically

    record = session.record(passed, commit(config.invocation_params.dir))
    record.append(session.reports)
    pin = config.option.lab_pin
    if pin is not None and passed:
        path = Path(config.invocation_params.dir, pin or session.reports / history.BASELINE)
        write_atomically(path, json.dumps(plain(record), indent=2) + "\n")
