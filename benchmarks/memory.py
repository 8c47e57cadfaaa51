"""The memory and the time that each stage of the lab takes; Linux only.

As a plugin of pytest, `-p benchmarks.memory`, it writes the peaks of a run into the file that the
variable `LAB_PEAKS` names.
"""

import json
import os
import time
from pathlib import Path

import pytest

from labkit.plugin.stash import SESSION
from labkit.plumbing.progress import Silent

STATUS, REFERENCES = Path("/proc/self/status"), Path("/proc/self/clear_refs")
RESET_PEAK = "5"  # https://docs.kernel.org/filesystems/proc.html
BETWEEN = "between stages"  # answers, plots and the page


class PeakMemory(Silent):
    """Listens to a run and notes the peak of resident memory (MiB) while each stage is computed.

    A stage's inputs are computed before it begins, and read after that.
    """

    def __init__(self) -> None:
        self.peaks: dict[str, int] = {}
        self._stage = BETWEEN

    def begin(self, stage: str) -> None:
        self.note()
        self._stage = stage

    def end(self, note: str = "") -> None:
        self.note()
        self._stage = BETWEEN

    def note(self) -> None:
        """Take down the peak since the last time."""
        (line,) = (row for row in STATUS.read_text().splitlines() if row.startswith("VmHWM"))
        peak = round(int(line.split()[1]) / 2**10)
        self.peaks[self._stage] = max(peak, self.peaks.get(self._stage, 0))
        REFERENCES.write_text(RESET_PEAK)


class Watched(PeakMemory):
    """The same with the processor's seconds, which a busy machine changes little.

    What is bracketed by hand counts as well.
    """

    def __init__(self) -> None:
        super().__init__()
        self.seconds: dict[str, float] = {}
        self._began = time.process_time()

    def note(self) -> None:
        now = time.process_time()
        self.seconds[self._stage] = self.seconds.get(self._stage, 0.0) + now - self._began
        super().note()
        self._began = time.process_time()


def pytest_runtestloop(session: pytest.Session) -> None:
    if lab := session.config.stash.get(SESSION, None):
        lab.progress = lab.lab.progress = PeakMemory()


def pytest_unconfigure(config: pytest.Config) -> None:
    lab = config.stash.get(SESSION, None)
    if lab and isinstance(lab.progress, PeakMemory):
        lab.progress.note()
        Path(os.environ["LAB_PEAKS"]).write_text(json.dumps(lab.progress.peaks))
