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

from filelock import FileLock

from labkit.errors import LabError

# Of Linux's renameat2, https://man7.org/linux/man-pages/man2/rename.2.html
AT_FDCWD, RENAME_EXCHANGE = -100, 2
SPACE = 2**16  # bytes that must be left on a disk


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
    """Write text files of one folder, each whole or not at all, and none beside another's."""
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".labkit.lock"):
        for name in contents:
            for left in folder.glob(f".{name}-*"):
                left.unlink()
        written: list[tuple[str, Path]] = []
        try:
            for name, content in contents.items():
                handle, temporary = tempfile.mkstemp(dir=folder, prefix=f".{name}-")
                written.append((temporary, folder / name))
                with os.fdopen(handle, "w", encoding="utf-8") as file:
                    file.write(content)
                os.chmod(temporary, 0o644)  # mkstemp's 0600 would keep a web server out
            for temporary, path in written:
                os.replace(temporary, path)
        finally:
            for temporary, _ in written:
                Path(temporary).unlink(missing_ok=True)


def replace_folder(target: Path, fill: Callable[[Path], None]) -> None:
    """Make `target` what `fill` puts into an empty folder: in one step, where the system can."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(target.parent / f".{target.name}.lock"):
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
