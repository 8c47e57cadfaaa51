"""What the machine has, and which of its abilities the lab uses."""

import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch


@dataclass(frozen=True)
class Hardware:
    """Where and how tensors are computed. `bf16` is autocast in training only."""

    device: str
    bf16: bool
    threads: int


def detect() -> Hardware:
    """The GPU where there is one, else the CPU; bf16 only where the processor multiplies in it.

    A CPU without bf16 instructions emulates them and gets slower, so it stays in float32.
    `CUDA_VISIBLE_DEVICES=""` keeps a GPU out of it.
    """
    if torch.cuda.is_available():
        return Hardware("cuda", torch.cuda.is_bf16_supported(), torch.get_num_threads())
    native_bf16 = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return Hardware("cpu", bool(native_bf16), torch.get_num_threads())


def describe_machine() -> dict[str, Any]:
    """Processor, cores, memory and system, for the record of a run."""
    return {
        "processor": _processor_name(),
        "cores": os.cpu_count(),
        "memory_gib": round(_memory_bytes() / 2**30, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def _processor_name() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _memory_bytes() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return 0
