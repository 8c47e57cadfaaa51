"""What became of the tests, and of the run as a whole."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from labkit.plugin.options import REPORT_ONLY
from labkit.plugin.session import LabSession, TestResult
from labkit.plugin.stash import EXERCISE, REPORTS
from labkit.plumbing.files import write_files
from labkit.plumbing.results import plain, rebuild
from labkit.runs import history
from labkit.runs.history import Record

if TYPE_CHECKING:
    from labkit.runs.post_by_post import Kept


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


def results(config: pytest.Config) -> list[TestResult]:
    """What became of each test so far."""
    return [result_of(report) for report in config.stash[REPORTS].seen]


def asked(config: pytest.Config) -> set[str]:
    """The exercises that tests were run for, also in a worker of xdist that died with its answers."""
    seen = config.stash[REPORTS].seen
    return {getattr(report, EXERCISE) for report in seen if hasattr(report, EXERCISE)}


def finish(config: pytest.Config, session: LabSession) -> str:
    """Write the report, keep the run in the history, pin and track it where that was asked for.

    Returns why it is not pinned, empty where it is or where nobody asked for it.
    """
    from labkit.plumbing.checkout import commit
    from labkit.report import page
    from labkit.runs import trend
    from labkit.runs.flips import against
    from labkit.runs.seeds import reseeded, spreads

    kept = session.kept or predictions_of(session)
    if session.baseline and kept:
        asked = Path(config.invocation_params.dir, config.option.lab_compare)
        places = (asked.parent, session.reports)
        found = spreads(reseeded(session.baseline, session.reports))
        session.flips = against(
            session.baseline, kept, session.lab.posts, session.tolerances, places, found
        )
    if session.comparison:
        made_of, passed = session.description, session.passed
        session.trend = trend.of(session.comparison, made_of, passed, session.reports)
    page.write(session, session.folder)
    names = ("answers.json", "summary.md", page.PAGE)
    if not session.answers:
        return ""
    record = session.record(session.passed, commit(config.invocation_params.dir))
    record = replace(record, seeds=reseeded(record, session.reports))
    if kept:
        record = replace(record, predictions=kept.save(session.reports))
    record.append(session.reports)
    track(session, [session.folder / name for name in names])
    if config.option.lab_pin is None:
        return ""
    reason = pin(record, pin_file(config, session.reports))
    if kept and not reason:
        kept.save(pin_file(config, session.reports).parent)
    return reason


def predictions_of(session: LabSession) -> "Kept | None":
    """The answers to the test posts, where this very process has asked the model for them."""
    from labkit.runs import post_by_post

    asked = "lab" in vars(session) and "predictions" in session.lab.entries
    return post_by_post.of(session.lab) if asked else None


def send_predictions(session: LabSession) -> object:
    """What a pytest-xdist worker sends to the controller of them: builtin types only."""
    return plain(predictions_of(session))


def take_predictions(session: LabSession, sent: object) -> None:
    """Take in what a worker sent."""
    if sent:
        from labkit.runs.post_by_post import Kept

        session.kept = rebuild(Kept, sent)


def track(session: LabSession, files: Sequence[Path]) -> None:
    """Give the tracker, where there is one, what the run measured and left behind."""
    if session.tracker is None:
        return
    if "saved_model" in session.stages:
        files = [session.model, *files]
    measured = {
        f"lab/{exercise}/{name}": float(value)
        for exercise, values in session.values.items()
        for name, value in values.items()
        if isinstance(value, int | float)
    }
    for result in session.gates:
        measured[f"gates/{result.gate.name}"] = float(result.holds)
    trained = session.lab.fine_tuned.history if "fine_tuned" in session.stages else None
    session.tracker.finish(session.config, trained, measured, files)


def pin_file(config: pytest.Config, reports: Path) -> Path:
    """Where the baseline goes."""
    return Path(config.invocation_params.dir, config.option.lab_pin or reports / history.BASELINE)


def pin(record: Record, path: Path) -> str:
    """Make a run the baseline, or say why not."""
    if not record.passed:
        return "the run failed"
    missing = history.load(path, "--lab-pin").values.keys() - record.values if path.exists() else ()
    if missing:
        return f"the baseline has more exercises than this run: {', '.join(sorted(missing))}"
    write_files(path.parent, {path.name: json.dumps(plain(record), indent=2) + "\n"})
    return ""
