"""The memory that each stage of the lab takes."""

from pathlib import Path
from typing import Any

from labkit.lab import Lab

STATUS, REFERENCES = Path("/proc/self/status"), Path("/proc/self/clear_refs")
RESET_PEAK = "5"  # https://docs.kernel.org/filesystems/proc.html


class PeakMemory(Lab):
    """A lab that notes the peak of resident memory (MiB) while each stage is built or read."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.peaks: dict[str, int] = {}
        self._open: list[str] = []

    def _stage(self, stage: str, *args: Any) -> Any:
        self._note()  # stages that asked for this one go on afterwards
        self._open.append(stage)
        REFERENCES.write_text(RESET_PEAK)
        try:
            return super()._stage(stage, *args)
        finally:
            self._note()
            self._open.remove(stage)
            REFERENCES.write_text(RESET_PEAK)

    def _note(self) -> None:
        """Credit the peak since the last reset to every stage that is under way."""
        (line,) = (row for row in STATUS.read_text().splitlines() if row.startswith("VmHWM"))
        peak = round(int(line.split()[1]) / 2**10)
        for stage in self._open:
            self.peaks[stage] = max(peak, self.peaks.get(stage, 0))
