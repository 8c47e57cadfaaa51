"""The memory and the time that each stage of the lab takes."""

import time
from pathlib import Path

from labkit.plumbing.progress import Silent

STATUS, REFERENCES = Path("/proc/self/status"), Path("/proc/self/clear_refs")
RESET_PEAK = "5"  # https://docs.kernel.org/filesystems/proc.html


class PeakMemory(Silent):
    """Listens to a run and notes the peak of resident memory (MiB) while each stage is computed.

    A stage's inputs are computed before it begins, and read after that.
    """

    def __init__(self) -> None:
        self.peaks: dict[str, int] = {}
        self._stage = ""

    def begin(self, stage: str) -> None:
        self._stage = stage
        REFERENCES.write_text(RESET_PEAK)

    def end(self, note: str = "") -> None:
        (line,) = (row for row in STATUS.read_text().splitlines() if row.startswith("VmHWM"))
        self.peaks[self._stage] = round(int(line.split()[1]) / 2**10)


class Watched(PeakMemory):
    """The same with the processor's seconds, which a busy machine changes little.

    What is bracketed by hand counts as well.
    """

    def __init__(self) -> None:
        super().__init__()
        self.seconds: dict[str, float] = {}
        self._began = 0.0

    def begin(self, stage: str) -> None:
        super().begin(stage)
        self._began = time.process_time()

    def end(self, note: str = "") -> None:
        self.seconds[self._stage] = time.process_time() - self._began
        super().end(note)
