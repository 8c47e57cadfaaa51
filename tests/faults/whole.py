"""Whole runs of the lab on small subjects, each in a process forked from one that has imported it all.

A run is what a person starts: `pytest` in a folder with tests, settings, posts and a store. It can
be made to die at the moment when it changes its folder for the n-th time.
"""

import json
import multiprocessing
import os
import re
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

import pytest

from labkit.plumbing.hardware import THREAD_VARIABLES
from labkit.plumbing.store import BUILDING, MANIFEST, find_damage
from labkit.release.model_folder import check_target
from labkit.runs import history
from tests.running import environment
from tests.subjects import write_dataset

IMPORTED = (
    "tests.faults.whole",
    "datasets",
    "hypothesis",
    "labkit.answers.save_and_track",
    "labkit.answers.training_data",
    "labkit.answers.zero_shot",
    "labkit.evaluation.metrics",
    "labkit.model.encoding",
    "labkit.plugin.fixtures",
    "labkit.plugin.outcome",
    "labkit.plugin.setup",
    "labkit.release.model_folder",
    "labkit.report.page",
    "labkit.training.classifier",
    "labkit.training.sweep",
    "matplotlib.backends.backend_svg",
    "transformers.models.distilbert.modeling_distilbert",
)
VOLATILE = "total_bytes"  # of the model folder: its lineage and card have the date and seconds
CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod", "os.utime")
EXERCISES = ("zero_shot", "training_data", "save_and_track")
TESTS = "import pytest\n" + "".join(
    f"""
@pytest.mark.exercise("{exercise}")
def test_{exercise}(answer, gate):
    answer.check(gate)
"""
    for exercise in EXERCISES
)
SETTINGS = """
[tool.pytest.ini_options]
addopts = ["--tb=short"]
[tool.labkit]
profile = "embedded"
base-model = "checkpoint"
max-length = 64
epochs = 1
learning-rate = 5e-3
gates = { above_chance_low = -1 }
"""


@dataclass(frozen=True)
class Death:
    """How a process ends: by a signal, at its n-th change or after some seconds."""

    change: int = 0
    seconds: float = 0.0
    signal: int = signal.SIGKILL


@dataclass(frozen=True)
class Ended:
    """What became of a run: its exit code, below 0 for a signal, what it said, its changes."""

    code: int
    said: str
    changes: int


class Project:
    """A folder with tests, settings and a checkpoint, in which runs follow each other."""

    def __init__(self, folder: Path, checkpoint: Path) -> None:
        self.folder, self.runs = folder, 0
        folder.mkdir(exist_ok=True)
        (folder / "pyproject.toml").write_text(SETTINGS)
        (folder / "test_answers.py").write_text(TESTS)
        shutil.copytree(checkpoint, folder / "checkpoint")

    @property
    def reports(self) -> Path:
        return self.folder / "reports"

    @property
    def store(self) -> Path:
        return self.folder / ".pytest_cache" / "d" / "labkit"

    def posts(self, seed: int = 0) -> str:
        """Posts under a name that is the next run's alone, so that each file tells whose it is."""
        self.runs += 1
        name = f"posts{self.runs}"
        write_dataset(self.folder / name, train=32, test=12, seed=seed)
        return name

    def start(self, *args: str, death: Death | None = None, before: Any = None) -> "Started":
        """Start `pytest`; `before` is called in the process first."""
        return Started(self.folder, args, death or Death(), before)

    def run(self, *args: str, death: Death | None = None, before: Any = None) -> Ended:
        """`pytest`, to its end."""
        return self.start(*args, death=death, before=before).end()

    def measure(self, *args: str, seed: int = 0, **more: Any) -> Ended:
        """`pytest` on posts of its own."""
        return self.run(f"--lab-dataset={self.posts(seed)}", *args, **more)


class Started:
    """A run that goes on."""

    def __init__(
        self, folder: Path, args: tuple[str, ...], death: Death, before: Callable[[], None] | None
    ) -> None:
        self.death = death
        self.log = folder / "log" / str(time.monotonic_ns())
        self.log.parent.mkdir(exist_ok=True)
        self.process = context().Process(target=_run, args=(args, folder, self.log, death, before))
        self.process.start()

    def end(self) -> Ended:
        """Wait for it."""
        if self.death.seconds:
            self.process.join(self.death.seconds)
            if self.process.is_alive() and self.process.pid:
                os.kill(self.process.pid, self.death.signal)
        self.process.join(600)
        assert self.process.exitcode is not None, f"it hangs: {self.log.read_text()}"
        told = self.log.with_suffix(".changes")
        changes = int(told.read_text()) if told.is_file() else 0
        return Ended(self.process.exitcode, self.log.read_text(), changes)


@cache
def context() -> Any:
    """Forks from a process that has imported the lab, and computed nothing that has threads."""
    found = multiprocessing.get_context("forkserver")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment(PYTEST_DISABLE_PLUGIN_AUTOLOAD="1").items():
            patch.setenv(name, value)
        patch.setenv(THREAD_VARIABLES[0], "1")
        found.set_forkserver_preload(list(IMPORTED))
        forkserver.ensure_running()
    return found


def _run(
    args: tuple[str, ...], folder: Path, log: Path, death: Death, before: Callable[[], None] | None
) -> None:
    """What the process does; it never returns."""
    written = os.open(log, os.O_CREAT | os.O_WRONLY)
    os.dup2(written, 1)
    os.dup2(written, 2)
    os.chdir(folder)
    changes, inside = 0, str(folder)

    def watch(event: str, details: tuple[Any, ...]) -> None:
        nonlocal changes
        writes = event == "open" and isinstance(details[2], int) and details[2] & 3
        if (writes or event in CHANGES) and str(details[0]).startswith((inside, "reports")):
            changes += 1
            if changes == death.change:
                os.kill(os.getpid(), death.signal)

    sys.addaudithook(watch)
    code = 130  # of one that was stopped
    try:
        if before:
            before()
        code = int(pytest.main(["-p", "labkit.plugin", *args]))  # which is all that is loaded
    except KeyboardInterrupt:
        pass
    finally:
        sys.stdout.flush()
        told, changes = changes, -sys.maxsize  # to tell is none of them
        log.with_suffix(".changes").write_text(str(told))
        os._exit(code)


def answers(reports: Path) -> dict[str, dict[str, Any]]:
    """What a report measured, by exercise."""
    document = json.loads((reports / "answers.json").read_text())
    return {answer["id"]: answer["values"] for answer in document["answers"]}


def numbers(reports: Path) -> dict[str, dict[str, Any]]:
    """All that a report measured, without what no two runs share."""
    return {
        exercise: {name: value for name, value in values.items() if name != VOLATILE}
        for exercise, values in answers(reports).items()
    }


def owner(reports: Path) -> str:
    """The posts that a report is about, of which all its three files must tell."""
    told = {
        name: set(re.findall(r"posts\d+", (reports / name).read_text()))
        for name in ("answers.json", "summary.md", "lab.html")
    }
    names = set.union(*told.values())
    assert len(names) == 1, told
    assert all(told.values()), told
    return names.pop()


def check_folder(project: Project) -> None:
    """Whatever happened: the files of a report are of one run, a model is whole, and so is the store.

    To be called when a run has begun, or ended, after one that was killed.
    """
    for reports in (project.reports, project.reports / "partial"):
        if (reports / "answers.json").exists():
            owner(reports)
    if (project.reports / "model").exists():
        check_target(project.reports / "model")
    if (project.reports / history.BASELINE).exists():
        assert history.load(project.reports / history.BASELINE, "--lab-compare").passed
    for entry in entries(project):
        assert find_damage(entry) is None, (entry, find_damage(entry))


def check_no_rest(project: Project) -> None:
    """After a run that came to its end nothing is left of those that did not."""
    names = [path.name for path in (*project.reports.iterdir(), *project.store.glob("*/*"))]
    kept = {".labkit.lock", ".model.lock", ".gitignore"}
    assert not [n for n in names if n.startswith((".", BUILDING)) and n not in kept], names


def entries(project: Project) -> Iterator[Path]:
    """The entries of the store, without those that are being made."""
    for manifest in project.store.glob(f"*/*/{MANIFEST}"):
        if not manifest.parent.name.startswith(BUILDING) and manifest.parts[-3] != "damaged":
            yield manifest.parent


def records(reports: Path) -> list[dict[str, Any]]:
    """The runs of the history, without lines that were torn."""
    found = []
    for line in (reports / history.FILE).read_text().splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found
