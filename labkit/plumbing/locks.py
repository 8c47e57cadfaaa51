"""One lock for all that several processes may write at once."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from labkit.errors import LabError

PATIENCE = 0.2  # seconds until somebody is told that another process has the lock


@contextmanager
def locked(path: Path, waits: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold the lock at `path`; `waits` is called where another process has it.

    Raises LabError where there can be no lock, as where a folder has its name.
    """
    from filelock import FileLock, Timeout  # when it is needed, and not before

    lock = FileLock(path)
    try:
        try:
            lock.acquire(timeout=PATIENCE if waits else -1)
        except Timeout:
            if waits:
                waits()
            lock.acquire()
    except OSError as error:
        raise LabError(f"{path}: cannot be locked: {error.strerror or error}") from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def locked_by_nobody(path: Path) -> Iterator[bool]:
    """Hold the lock at `path` if it can be had at once; gives whether it could."""
    from filelock import FileLock

    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except OSError:  # a Timeout is one
        yield False
        return
    try:
        yield True
    finally:
        lock.release()
