"""The artifact store: every expensive stage is computed once and found again by what it depends on.

An entry is a folder `<stage>/<key>/` that holds the stage's files and a `manifest.json` with the
SHA-256 of each. The key digests what the result depends on, as `labkit.plumbing.runner` lists it.
An entry is written to a temporary folder and renamed into place, so a reader sees a whole one or
none; one lock per key makes parallel workers and parallel runs compute it once and wait.
"""

import importlib.metadata
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from labkit.plumbing.digests import file_digest, fingerprint
from labkit.plumbing.locks import locked, locked_by_nobody
from labkit.plumbing.progress import Progress, Silent

LIBRARIES = (
    "torch",
    "transformers",
    "accelerate",
    "tokenizers",
    "datasets",
    "scikit-learn",
    "scipy",
    "numpy",
)
MANIFEST = "manifest.json"
BUILDING = "building-"  # then the key: the folder of an entry that is being made


def library_versions(libraries: Iterable[str] = LIBRARIES) -> dict[str, str]:
    """Installed versions of libraries, without those that are no distribution's name."""
    versions = {name: _installed(name) for name in libraries}
    return {name: version for name, version in versions.items() if version is not None}


@cache
def _installed(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


@dataclass(frozen=True)
class Entry:
    """A verified entry: its folder, its key, whether it was there before, the seconds it took.

    `created` is when it was computed (seconds since the epoch), `content` is the digest of what its files hold.
    """

    path: Path
    key: str
    reused: bool
    seconds: float
    created: float
    content: str


@dataclass
class Store:
    """Entries under `root`. With `fresh`, what earlier runs left is rebuilt once and not reused.

    `keep` bounds the number of entries per stage; the least recently used go first.
    """

    root: Path
    fresh: bool = False
    keep: int = 8
    progress: Progress = field(default_factory=Silent)
    started: float = field(default_factory=time.time)

    def get(self, stage: str, inputs: Mapping[str, Any], build: Callable[[Path], None]) -> Entry:
        """The entry of `stage` for `inputs`, made by `build(folder)` if there is none.

        `inputs` must be JSON-able and name all that the result depends on. Whatever `build`
        raises leaves no entry.
        """
        key = key_of(stage, inputs)
        entry = self.root / stage / key
        entry.parent.mkdir(parents=True, exist_ok=True)
        busy = f"lab: {stage}: another run is computing this; waiting for it"
        with locked(entry.with_name(f"{key}.lock"), lambda: self.progress.say(busy)):
            _sweep(entry)
            reused = self._is_whole(entry, stage) and not self._is_stale(entry)
            if not reused:
                self._build(entry, stage, inputs, build)
            os.utime(entry)
            manifest = _manifest(entry)
        if not reused:
            self._prune(entry)
        seconds, created = manifest["seconds"], manifest["created"]
        return Entry(entry, key, reused, seconds, created, fingerprint(manifest["files"]))

    def _is_stale(self, entry: Path) -> bool:
        """In a fresh run, entries older than this run's start do not count."""
        if not self.fresh:
            return False
        return _manifest(entry)["created"] < self.started

    def _is_whole(self, entry: Path, stage: str) -> bool:
        """Whether all files of the manifest are there with their digests; a damaged entry goes."""
        if not os.path.lexists(entry):
            return False
        damage = find_damage(entry)
        if damage is None:
            return True
        aside = self.root / "damaged" / f"{stage}-{entry.name}"
        aside.parent.mkdir(exist_ok=True)
        _remove(aside)  # the same entry, damaged once before
        entry.rename(aside)
        self.progress.say(f"lab: {stage}: {damage}; set aside as {aside} and computed again")
        return False

    def _build(
        self, entry: Path, stage: str, inputs: Mapping[str, Any], build: Callable[[Path], None]
    ) -> None:
        folder = Path(tempfile.mkdtemp(prefix=f"{BUILDING}{entry.name}-", dir=entry.parent))
        try:
            started = time.perf_counter()
            build(folder)
            seconds = time.perf_counter() - started
            files = sorted(path for path in folder.rglob("*") if path.is_file())
            manifest = {
                "stage": stage,
                "inputs": dict(inputs),
                "created": time.time(),
                "seconds": seconds,
                "files": {str(file.relative_to(folder)): file_digest(file) for file in files},
            }
            (folder / MANIFEST).write_text(json.dumps(manifest, indent=2))
            if entry.exists():
                shutil.rmtree(entry)
            folder.rename(entry)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _prune(self, current: Path) -> None:
        for key in {left.name.split("-")[1] for left in current.parent.glob(f"{BUILDING}*")}:
            with locked_by_nobody(current.with_name(f"{key}.lock")) as mine:
                if mine:
                    _sweep(current.with_name(key))
        entries = [path for path in current.parent.iterdir() if (path / MANIFEST).exists()]
        entries.sort(key=lambda path: path.stat().st_mtime, reverse=True)
        for old in entries[self.keep :]:
            if old != current:
                shutil.rmtree(old, ignore_errors=True)


def _sweep(entry: Path) -> None:
    """Remove what a run that was killed has left of an entry; who calls has its lock."""
    for left in entry.parent.glob(f"{BUILDING}{entry.name}-*"):
        shutil.rmtree(left)


def _remove(path: Path) -> None:
    """Remove a folder, or whatever lies in its place."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def key_of(stage: str, inputs: Mapping[str, Any]) -> str:
    """The key of an entry: 32 hex digits."""
    return fingerprint({"stage": stage, "inputs": dict(inputs)})[:32]


def find_damage(entry: Path) -> str | None:
    """What is wrong with the files of an entry, in words, or None where all digests hold."""
    try:
        manifest = _manifest(entry)
        files = dict(manifest["files"])
        float(manifest["created"]), float(manifest["seconds"])
    except (OSError, ValueError, KeyError, TypeError):
        return "the manifest cannot be read"
    for path in entry.rglob("*"):
        name = str(path.relative_to(entry))
        if name not in files and name != MANIFEST and not path.is_dir():
            return f"{name} is none of its files"
    for name, digest in files.items():
        path = entry / name
        if not path.is_file():
            return f"{name} is missing"
        if file_digest(path) != digest:
            return f"{name} does not match its recorded digest"
    return None


def _manifest(entry: Path) -> Any:
    return json.loads((entry / MANIFEST).read_text())
