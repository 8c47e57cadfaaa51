"""Small trainings side by side, one for each core, where two cores would share one badly.

A step on a few short posts is made of pieces too small for several threads: with two it takes three
quarters of the time, not half (docs/performance.md). Each training has one thread whether others run
or not, so what comes out does not depend on how many run at once.
"""

import ctypes
import multiprocessing
import signal
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from typing import Any, TypeVar

import torch

from labkit.errors import LabError
from labkit.plumbing.hardware import Hardware
from labkit.plumbing.progress import Report

MOST = 4  # at once: each takes some 250 MB of its own
PR_SET_PDEATHSIG = 1  # of Linux's prctl.h

Item = TypeVar("Item")
Result = TypeVar("Result")


def alone(hardware: Hardware) -> Hardware:
    """What one of the trainings computes with: a single thread where they can run side by side."""
    return replace(hardware, threads=1) if _can_fork(hardware) else hardware


def side_by_side(
    work: Callable[[Item], Result], items: Sequence[Item], hardware: Hardware, report: Report
) -> list[Result]:
    """What `work` makes of each of the items, in their order.

    The processes are forked, so they start at once with all that is in memory, and `work` may be
    any function; results are pickled. Elsewhere than on Linux, on a GPU and with one thread the
    items are worked on here, one after the other. Raises what `work` does, and LabError where a
    process was ended from outside.
    """
    count = min(hardware.threads, len(items), MOST)
    if count < 2 or not _can_fork(hardware):
        return [_told(report, n, items, work(item)) for n, item in enumerate(items, start=1)]
    context = multiprocessing.get_context("fork")
    try:
        with ProcessPoolExecutor(count, context, initializer=_start, initargs=(work,)) as pool:
            results = enumerate(pool.map(_do, items), start=1)
            return [_told(report, n, items, result) for n, result in results]
    except BrokenProcessPool as error:
        raise LabError(
            "a small training was ended from outside, perhaps for want of memory: with "
            "OMP_NUM_THREADS=1 one runs at a time"
        ) from error


def _told(report: Report, number: int, items: Sequence[object], result: Result) -> Result:
    report(number / len(items), f"training {number} of {len(items)}")
    return result


def _can_fork(hardware: Hardware) -> bool:
    return sys.platform == "linux" and hardware.device == "cpu" and hardware.processes == 1


_work: Callable[[Any], Any]


def _start(work: Callable[[Any], Any]) -> None:
    """Set up a forked process: it has `work`, one thread, and no life after the lab's."""
    global _work
    _work = work
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    torch.set_num_threads(1)  # no other was forked


def _do(item: Any) -> Any:
    return _work(item)
