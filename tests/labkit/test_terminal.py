"""Progress on a terminal, in a file, in a worker, and with `-q`; answers at every verbosity."""

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from labkit.evaluation import gates
from labkit.plugin import terminal
from labkit.plugin.session import LabSession
from labkit.plugin.terminal import CLEAR, TerminalProgress, answer_table, header
from labkit.plumbing.progress import Silent
from labkit.profiles import EMBEDDED
from labkit.report.answer import Answer

DOTS = "test_a.py .."


class Reporter:
    """pytest's terminal as far as progress uses it, in the middle of a line of dots."""

    def __init__(self, tty: bool) -> None:
        self.isatty, self.written, self.within_a_line = tty, DOTS, True

    def ensure_newline(self) -> None:
        self.written += "\n" * self.within_a_line
        self.within_a_line = False

    def write_line(self, line: str) -> None:
        self.ensure_newline()
        self.written += f"{line}\n"

    def write_raw(self, text: str, flush: bool) -> None:
        self.written += text


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test sets."""
    now = SimpleNamespace(seconds=100.0)
    monkeypatch.setattr(terminal, "time", SimpleNamespace(monotonic=lambda: now.seconds))
    return now


def progress_on(reporter: Reporter | None, verbosity: int = 0) -> TerminalProgress:
    terminal = cast("pytest.TerminalReporter | None", reporter)
    return TerminalProgress(lambda: terminal, nullcontext, verbosity)


def run_a_stage(progress: TerminalProgress, clock: SimpleNamespace) -> None:
    """Ten seconds, told about every second."""
    progress.begin("fine_tuned")
    for second in range(1, 11):
        clock.seconds += 1
        progress.advance(second / 10, "loss 0.50")
    progress.end("3 epochs")


def test_a_terminal_has_one_live_line_below_the_dots(clock):
    reporter = Reporter(tty=True)
    progress = progress_on(reporter)
    run_a_stage(progress, clock)
    dots, *shown = reporter.written.split(CLEAR)
    assert dots == f"{DOTS}\n"
    assert shown[0] == "lab: fine-tuning ..."
    assert shown[3] == "lab: fine-tuning  30 %, loss 0.50, 7.0 s left"
    assert shown[-1] == "lab: fine-tuning done in 10 s, 3 epochs\n"
    assert "\n" not in "".join(shown[:-1])


def test_a_live_line_is_not_written_faster_than_one_can_read(clock):
    reporter = Reporter(tty=True)
    progress = progress_on(reporter)
    progress.begin("tokens")
    for _ in range(100):
        clock.seconds += 0.01
        progress.advance(0.5)
    assert 4 <= reporter.written.count(" 50 %") <= 5


def test_a_file_has_a_line_for_each_quarter_and_one_for_the_end(clock):
    reporter = Reporter(tty=False)
    progress = progress_on(reporter)
    run_a_stage(progress, clock)
    assert reporter.written.splitlines() == [
        DOTS,
        "lab: fine-tuning  80 %, loss 0.50, 2.0 s left",
        "lab: fine-tuning done in 10 s, 3 epochs",
    ]


def test_quiet_leaves_no_line_but_a_remark(clock):
    reporter = Reporter(tty=False)
    progress = progress_on(reporter, verbosity=-1)
    run_a_stage(progress, clock)
    assert reporter.written == DOTS
    progress.say("a damaged file")
    assert reporter.written == f"{DOTS}\na damaged file\n"


def test_a_worker_writes_to_the_shared_standard_error(clock, capfd):
    run_a_stage(progress_on(None), clock)
    assert "lab: fine-tuning done in 10 s, 3 epochs" in capfd.readouterr().err


@pytest.fixture
def session(tmp_path):
    """A run that has one answer of two exercises asked for."""
    measured = Answer(
        "save_and_track",
        "6 files, 91.6 MB",
        "A fine tuned model is 6 files.",
        {"size_ratio": 1.0, "reload_difference": 0.5},
    ).judged(gates.thresholds("embedded", {}))
    return LabSession(
        config=EMBEDDED,
        why="asked for",
        reports=tmp_path,
        cache=tmp_path / "cache",
        started=0.0,
        fresh=True,
        progress=Silent(),
        asked={"save_and_track", "compare"},
        answers={"save_and_track": measured},
    )


@pytest.mark.parametrize(
    ("verbosity", "shown"),
    [
        (-1, ["6  FAIL 6 files, 91.6 MB"]),
        (0, ["6  6 files, 91.6 MB", "ok   size_ratio 1", "FAIL reload_difference 0.5"]),
        (1, ["6. What files make up", "A fine tuned model is 6 files.", "FAIL reload_difference"]),
    ],
)
def test_answers_are_as_long_as_asked_for(session, verbosity, shown):
    lines = list(answer_table(session, verbosity))
    text = "\n".join(line for line, _ in lines)
    assert [part for part in shown if part not in text] == []
    assert "A fine tuned model is 6 files." not in text or verbosity > 0
    assert max(len(line) for line, _ in lines) <= terminal.WIDTH
    failed = [line for line, markup in lines if "FAIL" in line and not markup.get("red")]
    assert failed == []
    assert lines[-1][0].startswith("5  FAIL not answered")


def test_the_header_says_what_will_be_computed(session, tmp_path):
    assert "results: all computed anew (--lab-fresh)" in header(session)[-1]
    session.fresh = False
    assert "all computed, the store is empty" in header(session)[-1]
    entry = Path(session.cache, "tokens", "key")
    entry.mkdir(parents=True)
    (entry / "manifest.json").touch()
    assert "are reused from the store" in " ".join(header(session))
