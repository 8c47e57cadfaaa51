"""What the lab says in the terminal: progress while it computes, answers when it is done."""

import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TextIO

from labkit.exercises import BY_ID
from labkit.session import LabSession

WIDTH = 78


class TerminalProgress:
    """Progress in spite of pytest's capture.

    On a terminal one live line with stage, share done and time left; elsewhere one plain line
    when a stage ends, and for a long one a line at every quarter.
    """

    def __init__(
        self, stream: Callable[[], TextIO], uncaptured: Callable[[], AbstractContextManager[None]]
    ) -> None:
        self._stream = stream
        self._uncaptured = uncaptured
        self._stage = ""
        self._started = self._shown = 0.0
        self._quarter = 0

    def begin(self, stage: str) -> None:
        self._stage, self._started, self._quarter = stage, time.monotonic(), 0
        self._live(f"lab: {stage} ...")

    def advance(self, done: float, note: str = "") -> None:
        now = time.monotonic()
        elapsed = now - self._started
        left = f", {elapsed / done * (1 - done):.0f} s left" if done > 0 else ""
        line = f"lab: {self._stage} {100 * done:3.0f} %{', ' + note if note else ''}{left}"
        if now - self._shown > 0.2:
            self._shown = now
            self._live(line)
        quarter = int(4 * done)
        if self._quarter < quarter < 4 and elapsed > 5:
            self._plain(line)
        self._quarter = max(self._quarter, quarter)

    def end(self, note: str = "") -> None:
        seconds = time.monotonic() - self._started
        self.say(f"lab: {self._stage} done in {seconds:.1f} s{', ' + note if note else ''}")

    def say(self, line: str) -> None:
        self._write(f"\r\x1b[K{line}\n" if self._is_terminal() else f"{line}\n")

    def _live(self, line: str) -> None:
        if self._is_terminal():
            self._write(f"\r\x1b[K{line[:WIDTH]}")

    def _plain(self, line: str) -> None:
        if not self._is_terminal():
            self._write(f"{line}\n")

    def _is_terminal(self) -> bool:
        return self._stream().isatty()

    def _write(self, text: str) -> None:
        with self._uncaptured():
            self._stream().write(text)
            self._stream().flush()


def answer_lines(session: LabSession) -> Iterator[tuple[str, dict[str, bool]]]:
    """The six questions with their answers and gates: lines, each with its terminal markup."""
    for answer in session.in_order():
        exercise = BY_ID[answer.exercise]
        yield "", {}
        yield from _wrapped(exercise.question, f"{exercise.number}. ", "   ", bold=True)
        yield from _wrapped(answer.sentence, "   ", "   ")
        for result in answer.gates:
            gate = result.gate
            measured = "nothing" if result.measured is None else f"{result.measured:.4g}"
            mark = "holds" if result.holds else "FAILS"
            yield (
                f"   {mark}: {gate.name} {measured} {gate.sign} {gate.threshold:g}",
                {"green": True} if result.holds else {"red": True, "bold": True},
            )
    for name in session.unanswered:
        exercise = BY_ID[name]
        yield "", {}
        yield from _wrapped(exercise.question, f"{exercise.number}. ", "   ", bold=True)
        yield "   NOT ANSWERED: its stages failed, see the errors above", {"red": True}


def _wrapped(
    text: str, first: str, rest: str, **markup: bool
) -> Iterator[tuple[str, dict[str, bool]]]:
    for line in textwrap.wrap(text, WIDTH, initial_indent=first, subsequent_indent=rest):
        yield line, markup
