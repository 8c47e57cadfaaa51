"""What the lab says in the terminal: progress while it computes, answers when it is done."""

import sys
import textwrap
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from labkit.errors import visible
from labkit.evaluation.gates import GateResult
from labkit.exercises import stage_words
from labkit.plugin.session import LabSession
from labkit.plumbing.progress import duration

if TYPE_CHECKING:
    import pytest

WIDTH = 78
GAP = 3  # between two columns
CLEAR = "\r\x1b[K"  # to the start of the line, and erase it
Line = tuple[str, dict[str, bool]]  # a line and its markup, as pytest's terminal takes them


class TerminalProgress:
    """Progress in spite of pytest's capture and between its dots.

    On a terminal one live line with stage, share done and time left stands below what pytest has
    written. Elsewhere one plain line tells when a stage ends, and for a long one every quarter. A
    pytest-xdist worker has no `reporter`; it writes plain lines to the standard error that all
    workers share. With `-q` no line stays.
    """

    def __init__(
        self,
        reporter: "Callable[[], pytest.TerminalReporter | None]",
        uncaptured: Callable[[], AbstractContextManager[None]],
        verbosity: int = 0,
    ) -> None:
        self._reporter = reporter
        self._uncaptured = uncaptured
        self._verbosity = verbosity
        self._stage = ""
        self._started = self._shown = 0.0
        self._quarter = 0

    def begin(self, stage: str) -> None:
        self._stage, self._started, self._quarter = stage_words(stage), time.monotonic(), 0
        self._live(f"lab: {self._stage} ...")

    def advance(self, done: float, note: str = "") -> None:
        now = time.monotonic()
        elapsed = now - self._started
        left = f", {duration(elapsed / done * (1 - done))} left" if done > 0 else ""
        line = f"lab: {self._stage} {100 * done:3.0f} %{', ' + note if note else ''}{left}"
        if now - self._shown > 0.2:
            self._shown = now
            self._live(line)
        quarter = int(4 * done)
        if self._quarter < quarter < 4 and elapsed > 5 and not self._is_live():
            self._record(line)
        self._quarter = max(self._quarter, quarter)

    def end(self, note: str = "") -> None:
        took = time.monotonic() - self._started
        self._live("")
        self._record(f"lab: {self._stage} done in {duration(took)}{', ' + note if note else ''}")

    def _record(self, line: str) -> None:
        if self._verbosity >= 0:
            self.say(line)

    def say(self, line: str) -> None:
        """A line that stays, below what pytest has written."""
        line = visible(line)
        with self._uncaptured():
            if reporter := self._reporter():
                reporter.ensure_newline()
                reporter.write_line(line)
            else:
                print(f"\n{line}", file=sys.__stderr__, flush=True)

    def _is_live(self) -> bool:
        reporter = self._reporter()
        return reporter is not None and bool(reporter.isatty)

    def _live(self, line: str) -> None:
        reporter = self._reporter()
        if reporter is not None and self._is_live():
            with self._uncaptured():
                reporter.ensure_newline()
                reporter.write_raw(CLEAR + visible(line)[:WIDTH], flush=True)


def header(session: LabSession) -> list[str]:
    """What will run, for the top of pytest's output."""
    if session.fresh:
        results = "all computed anew (--lab-fresh)"
    elif next(session.cache.glob("*/*/manifest.json"), None) is None:
        results = "all computed, the store is empty"
    else:
        results = "stages whose inputs have not changed are reused from the store"
    lines = (
        f"profile {session.config.profile} ({session.why})",
        f"base model {session.config.base_model.source}",
        f"data {session.config.data.name}",
        f"results: {results}",
    )
    return [wrapped for line in lines for wrapped in _wrap(f"lab: {line}", "     ")]


def nothing_asked(typed: Sequence[str]) -> str:
    """What to say where options of the lab were typed and no test asked for it."""
    return (
        f"lab: nothing was measured, whatever {', '.join(typed)} may ask: no test that ran takes "
        "a fixture of the lab; `labkit init FOLDER` writes the six exercises"
    )


def write_outcome(
    reporter: "pytest.TerminalReporter", session: LabSession, not_pinned: str, not_written: str
) -> None:
    """Answers, verdict, comparison, and where the report lies."""
    count = len(session.asked)
    reporter.section(f"{count} question{'s' * (count != 1)}, measured")
    lines = (
        *answer_table(session, reporter.verbosity),
        *verdict_lines(session),
        *skip_lines(session),
        *comparison_lines(session),
    )
    for line, markup in lines:
        reporter.write_line(line, **markup)
    if not_pinned:
        reporter.write_line(f"not pinned as the baseline: {not_pinned}", red=True)
    if not_written:
        reporter.write_line(f"no report was written: {not_written}", red=True)
        return
    for line, markup in closing_lines(session):
        reporter.write_line(line, **markup)


def answer_table(session: LabSession, verbosity: int) -> Iterator[Line]:
    """The answers with their gates, side by side; with `-v` in full, with `-q` only the answers."""
    widest = max((len(_gate(gate)) for gate in session.gates), default=0)
    left = max(24, min(44, WIDTH - 3 - GAP - widest))
    for answer in session.in_order():
        exercise = session.registry.exercises[answer.exercise]
        if verbosity > 0:
            yield from _in_full(exercise.number, exercise.question, answer.sentence)
            yield from ((f"   {_gate(gate)}", _colour(gate.holds)) for gate in answer.gates)
            yield "", {}
        elif verbosity < 0:
            mark = "ok  " if answer.holds else "FAIL"
            headline = visible(answer.headline)
            yield f"{exercise.number}  {mark} {headline}"[:WIDTH], _colour(answer.holds)
        else:
            yield from _side_by_side(exercise.number, answer.headline, answer.gates, left)
    for name in session.unanswered:
        exercise = session.registry.exercises[name]
        yield f"{exercise.number}  FAIL not answered: {exercise.title}", _colour(False)


def verdict_lines(session: LabSession) -> Iterator[Line]:
    """The verdict, and what each gate that fails may mean."""
    good = session.holds and not session.failures
    for line in _wrap(session.verdict, ""):
        yield line, {**_colour(good), "bold": True}
    for result in session.failing:
        for line in _wrap(f"{result.gate.name}: {result.gate.hint}", "   "):
            yield line, {}


def comparison_lines(session: LabSession) -> Iterator[Line]:
    """The metrics against those of the baseline, and what else is not as it was then."""
    if session.comparison is None:
        return
    baseline = session.comparison.baseline
    for remark in session.remarks:
        yield visible(remark), {"yellow": True}
    against = f"against run {baseline.run} (commit {baseline.commit or 'unknown'}):"
    yield visible(against), {"bold": True}
    for change in session.comparison.changes:
        for line in _wrap(f"   {change.shown}", "      "):
            yield line, _colour(not change.regressed) if change.regressed else {}
    for difference in session.comparison.differences:
        for line in _wrap(f"   not the same {difference}", "      "):
            yield line, {"yellow": True}
    for sentence in session.flips.sentences if session.flips else ():
        for line in _wrap(f"   {sentence}", "      "):
            yield line, {}


def skip_lines(session: LabSession) -> Iterator[Line]:
    """Why tests were skipped, each reason once."""
    reasons = Counter(test.message for test in session.tests if test.outcome == "skipped")
    for reason, count in reasons.items():
        for line in _wrap(f"skipped {count}: {' '.join(reason.split())}", "   "):
            yield line, {}


def closing_lines(session: LabSession) -> Iterator[Line]:
    """Where the report is, and the command that asks the model for a sentence of one's own."""
    from labkit.report.page import next_command, shown

    yield f"report: {shown(session.page)}", {}
    if command := next_command(session):
        yield "ask the model:", {}
        yield f"  {command}", {}


def _in_full(number: int, question: str, sentence: str) -> Iterator[Line]:
    for line in _wrap(f"{number}. {question}", "   "):
        yield line, {"bold": True}
    for paragraph in sentence.split("\n\n"):
        for line in _wrap(f"   {paragraph}", "   "):
            yield line, {}


def _side_by_side(
    number: int, headline: str, gates: tuple[GateResult, ...], left: int
) -> Iterator[Line]:
    """The headline wrapped in the left column, one gate to a line in the right one."""
    words = textwrap.wrap(visible(headline), left)
    for row in range(max(len(words), len(gates))):
        label = f"{number}" if row == 0 else ""
        text = words[row] if row < len(words) else ""
        gate = gates[row] if row < len(gates) else None
        yield (
            f"{label:<3}{text:<{left + GAP}}{_gate(gate) if gate else ''}".rstrip(),
            _colour(gate.holds) if gate else {},
        )


def _gate(result: GateResult) -> str:
    mark = "ok  " if result.holds else "FAIL"
    gate = result.gate
    return f"{mark} {gate.name} {result.shown} {gate.sign} {gate.threshold:g}"


def _colour(holds: bool) -> dict[str, bool]:
    return {"green": True} if holds else {"red": True, "bold": True}


def _wrap(text: str, rest: str) -> list[str]:
    return textwrap.wrap(visible(text), WIDTH, subsequent_indent=rest)
