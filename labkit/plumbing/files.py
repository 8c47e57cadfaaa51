"""Files and folders that are whole at any moment: the old ones, or the new ones.

What a process that was killed left behind is swept by the next one, under the same lock.
"""

import ctypes
import os
import platform
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from labkit.errors import LabError
from labkit.plumbing.locks import locked

# Of Linux's renameat2, https://man7.org/linux/man-pages/man2/rename.2.html
AT_FDCWD, RENAME_EXCHANGE = -100, 2
SPACE = 2**16  # bytes that must be left on a disk
LOCK, WRITING, WRITTEN = ".labkit.lock", ".labkit-", ".labkit.written"  # beside a report's files


def check_writable(folder: Path, names: Iterable[str] = ()) -> None:
    """Raise LabError unless `folder`, and in it files of these `names`, can be written.

    Nothing of it stays, so that a run that is refused leaves no folder behind.
    """
    for path in (folder / name for name in names):
        if path.is_dir() and not path.is_symlink():
            raise LabError(f"{path}: is a folder, where a file is to be written")
        if path.exists() and not os.access(path, os.W_OK):
            raise LabError(f"{path}: cannot be written to")
    there = next((path for path in (folder, *folder.absolute().parents) if path.exists()), folder)
    if folder.is_symlink() and there != folder:
        raise LabError(f"{folder}: cannot be written to: is a link that leads nowhere")
    try:
        with tempfile.TemporaryFile(dir=there) as file:
            file.write(bytes(SPACE))
    except OSError as error:
        raise LabError(f"{folder}: cannot be written to: {error.strerror or error}") from None


def write_files(folder: Path, contents: Mapping[str, str]) -> None:
    """Write text files of one folder: all of them whole, or none.

    They are written into a folder of their own, whose renaming says that all are there. From then
    on they are put in place, by this process or, where it is killed, by the next (`settle`).
    """
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / LOCK):
        _put_in_place(folder)
        for left in folder.glob(f"{WRITING}*"):
            shutil.rmtree(left)
        writing = Path(tempfile.mkdtemp(dir=folder, prefix=WRITING))
        try:
            for name, content in contents.items():
                (writing / name).write_text(content, encoding="utf-8")
                (writing / name).chmod(0o644)  # a strict umask would keep a web server out
            os.replace(writing, folder / WRITTEN)
        finally:
            shutil.rmtree(writing, ignore_errors=True)
        _put_in_place(folder)


def settle(folder: Path) -> None:
    """Finish what a process that was killed had written to `folder` and not yet put in place."""
    if (folder / WRITTEN).is_dir():
        with locked(folder / LOCK):
            _put_in_place(folder)


def _put_in_place(folder: Path) -> None:
    if (folder / WRITTEN).is_dir():
        for file in sorted((folder / WRITTEN).iterdir()):
            os.replace(file, folder / file.name)
        (folder / WRITTEN).rmdir()


def lock_of(target: Path) -> Path:
    """The lock under which a folder is replaced."""
    return target.parent / f".{target.name}.lock"


def replace_folder(target: Path, fill: Callable[[Path], None]) -> None:
    """Make `target` what `fill` puts into an empty folder: in one step, where the system can."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with locked(lock_of(target)):
        for left in target.parent.glob(f".{target.name}-*"):
            if (left / "old").exists() and not target.exists():  # killed between two renames
                (left / "old").rename(target)
            shutil.rmtree(left, ignore_errors=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
        try:
            fresh, old = folder / "new", folder / "old"
            fresh.mkdir()
            fill(fresh)
            if target.exists() and not exchange(fresh, target):
                target.rename(old)
            if fresh.exists() and not target.exists():
                fresh.rename(target)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def exchange(one: Path, other: Path) -> bool:
    """Let two paths change their names in one step; False where the system cannot."""
    if platform.system() != "Linux":
        return False
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    paths = os.fsencode(one), os.fsencode(other)
    return rename(AT_FDCWD, paths[0], AT_FDCWD, paths[1], RENAME_EXCHANGE) == 0
