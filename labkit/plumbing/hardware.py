"""What the machine has, and which of its abilities the lab uses.

Found out without importing torch where that is possible, so that a run that computes nothing, but
must know whether what is stored still holds, starts at once.
"""

import ctypes
import gc
import math
import os
import platform
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from labkit.plumbing.processes import place

BF16_FLAGS = {"avx512_bf16", "amx_bf16"}  # as Linux names what multiplies in bf16
GPU_FILES = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")  # drivers of NVIDIA, AMD and WSL
KERNELS = "512"  # oneDNN keeps, and torch above it; sixteen widths need nine each
M_ARENA_MAX, M_MMAP_THRESHOLD, M_TRIM_THRESHOLD = -8, -3, -1  # of glibc's malloc.h
MAPPED_ALONE, KEPT = 32 * 2**20, 2**30  # bytes; glibc takes no more for the first of them
THREAD_VARIABLES = ("OMP_NUM_THREADS", "RAYON_NUM_THREADS")  # torch, NumPy; tokenizers


@dataclass(frozen=True)
class Hardware:
    """Where and how tensors are computed. `bf16` is autocast in training only.

    `processes` share every training batch; `threads` are those of one process, and change how
    sums are rounded.
    """

    device: str
    bf16: bool
    threads: int
    processes: int = 1


def detect() -> Hardware:
    """The GPU where there is one, else the CPU; bf16 only where the processor multiplies in it.

    A CPU without bf16 instructions emulates them and gets slower, so it stays in float32.
    `CUDA_VISIBLE_DEVICES=""` keeps a GPU out of it.
    """
    if _may_have_gpu():
        import torch

        if torch.cuda.is_available():
            bf16 = torch.cuda.is_bf16_supported()
            return Hardware("cuda", bf16, available_cpus(), place().count)
    return Hardware("cpu", _cpu_has_bf16(), available_cpus(), place().count)


def share_cpus(workers: int) -> None:
    """Have this process, one of `workers`, start its share of the threads and no more.

    To be called before torch or NumPy is imported: they read the variables only then.
    """
    for variable in THREAD_VARIABLES:
        os.environ[variable] = str(max(1, available_cpus(variable) // workers))


def torch_device(hardware: Hardware) -> str:
    """The device that computes, with as many threads as the run may have."""
    import torch

    set_up_memory()
    torch.set_num_threads(hardware.threads)
    return hardware.device


def set_up_memory() -> None:
    """Keep fewer kernels and more of what is freed, for the rest of this process.

    oneDNN and torch's layer above it compile kernels for every shape of a batch and keep a thousand
    of them. Activations stay in glibc's heap for the next layer, until `return_memory`: mapped anew
    each time, the system would clear their pages each time
    (https://man7.org/linux/man-pages/man3/mallopt.3.html).
    """
    for variable in ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY"):
        os.environ.setdefault(variable, KERNELS)
    if library := _glibc():
        library.mallopt(M_ARENA_MAX, 1)
        library.mallopt(M_MMAP_THRESHOLD, MAPPED_ALONE)
        library.mallopt(M_TRIM_THRESHOLD, KEPT)


def free_memory() -> None:
    """Give back what nothing uses any more, also what only holds itself.

    A Trainer does, and with it model, gradients and optimizer.
    """
    gc.collect()
    return_memory()


def return_memory() -> None:
    """Give free memory back to the system, where the C library is glibc.

    Batches of every length leave its heap in pieces that are free but kept.
    """
    if library := _glibc():
        library.malloc_trim(0)


@cache
def _glibc() -> ctypes.CDLL | None:
    return ctypes.CDLL("libc.so.6") if platform.libc_ver()[0] == "glibc" else None


def available_cpus(variable: str = THREAD_VARIABLES[0]) -> int:
    """Threads that may run at once: by affinity, by cgroup quota, and by `variable` where set.

    The processes of a launcher share the machine; `variable` holds for each of them.
    """
    sharing = place().local_count
    limits = [_affinity() / sharing, _cgroup_quota() / sharing]
    value = os.environ.get(variable, "").split(",")[0].strip()
    if value.isdecimal() and int(value) > 0:
        limits.append(int(value))
    return max(1, int(min(limits)))


def _affinity() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cgroup_quota(root: Path = Path("/sys/fs/cgroup")) -> float:
    """CPUs that the control group of this container grants, infinite where it sets no limit."""
    for names in (("cpu.max",), ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us")):  # v2, v1
        try:
            quota, period = " ".join((root / name).read_text() for name in names).split()
        except (OSError, ValueError):
            continue
        if quota not in ("max", "-1"):
            return int(quota) / int(period)
    return math.inf


def _may_have_gpu() -> bool:
    if os.environ.get("CUDA_VISIBLE_DEVICES") == "":
        return False
    if os.environ.get("ACCELERATE_USE_CPU", "").lower() == "true":  # accelerate launch --cpu
        return False
    return platform.system() != "Linux" or any(Path(file).exists() for file in GPU_FILES)


def _cpu_has_bf16() -> bool:
    info = Path("/proc/cpuinfo")
    if info.exists():
        flags = [line for line in info.read_text().splitlines() if line.startswith("flags")]
        return any(BF16_FLAGS.intersection(line.split()) for line in flags[:1])
    import torch

    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


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
