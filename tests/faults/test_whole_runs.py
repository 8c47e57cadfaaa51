"""Whole runs that are killed, stopped, refused a place to write, or three at once on one folder."""

import ctypes
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from labkit.plumbing.files import LOCK, settle
from labkit.plumbing.hardware import THREAD_VARIABLES
from labkit.runs import history
from tests.faults.whole import (
    EXERCISES,
    Death,
    Project,
    check_folder,
    check_no_rest,
    entries,
    numbers,
    owner,
    records,
)
from tests.running import run_python

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks from what has threads")


class Subject(Project):
    """A project with a complete report, a model, a history and a baseline."""

    def begin(self) -> None:
        """Two runs: of the first everything is computed, of the second nothing."""
        first = self.measure("--lab-pin")
        assert first.code == 0, first.said
        self.fresh = numbers(self.reports)
        assert self.fresh.keys() == set(EXERCISES)
        again = self.measure("--lab-pin")
        assert again.code == 0, again.said
        assert numbers(self.reports) == self.fresh
        self.cold, self.warm = first.changes, again.changes

    def kept(self) -> dict[str, bytes]:
        """The files of the reports folder, with what they hold."""
        return {
            str(path.relative_to(self.reports)): path.read_bytes()
            for path in self.reports.rglob("*")
            if path.is_file() and path.stat().st_size
        }


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoint: Path) -> Subject:
    subject = Subject(tmp_path_factory.mktemp("whole") / "project", tiny_checkpoint)
    subject.begin()
    return subject


@pytest.fixture
def copy(subject: Subject, tmp_path: Path) -> Subject:
    """One to spoil."""
    copied = Subject.__new__(Subject)
    vars(copied).update(vars(subject) | {"folder": tmp_path / "project"})
    shutil.copytree(subject.folder, copied.folder)
    return copied


def death_of(moment: int, subject: Subject) -> Death:
    """When and how a run dies: at one of its changes, or, for every fourth, after some seconds.

    Every fifth is one that computes everything. Half of the others die while they publish and
    report, in the last third of what they change.
    """
    chance = random.Random(moment)
    how = signal.SIGINT if moment % 3 == 2 else signal.SIGKILL
    if moment % 4 == 3:
        return Death(seconds=chance.uniform(0.5, 12), signal=how)
    last = subject.cold if moment % 5 == 4 else subject.warm
    first = 1 if moment % 2 else last * 2 // 3
    return Death(change=chance.randint(first, last), signal=how)


MOMENTS = [
    pytest.param(moment, marks=[] if moment in (0, 2, 4) else [pytest.mark.faults])
    for moment in range(54)
]


@pytest.mark.parametrize("moment", MOMENTS)
def test_whenever_a_run_ends_nothing_is_lost_and_nothing_is_half(subject, moment):
    if moment % 5 == 4:
        shutil.rmtree(subject.store)
    before, past, baseline = owner(subject.reports), records(subject.reports), baseline_of(subject)
    ended = subject.measure("--lab-pin", death=death_of(moment, subject))
    settle(subject.reports)  # as the next run begins
    check_folder(subject)
    own = f"posts{subject.runs}"
    assert owner(subject.reports) in (before, own)
    assert numbers(subject.reports) == subject.fresh
    assert records(subject.reports)[: len(past)] == past
    assert baseline_of(subject) in (baseline, own)
    if ended.code == 0:
        assert owner(subject.reports) == baseline_of(subject) == own
        assert records(subject.reports)[-1]["data"].endswith(own)
    else:
        assert ended.code in (-signal.SIGKILL, 2, 130), ended.said


def baseline_of(subject: Subject) -> str:
    """The posts of the baseline."""
    record = history.load(subject.reports / history.BASELINE, "--lab-pin")
    return record.data.rpartition("/")[2]


def test_after_all_that_a_run_is_as_a_fresh_one(subject):
    last = subject.measure("--lab-pin", "--lab-compare")
    assert last.code == 0, last.said
    assert numbers(subject.reports) == subject.fresh
    assert owner(subject.reports) == baseline_of(subject) == f"posts{subject.runs}"
    assert {path.name for path in (subject.reports / "model").iterdir()} >= {"lineage.json"}
    check_folder(subject)
    check_no_rest(subject)


# Places that cannot be written: one line before anything is computed, and all is as it was.


def ordinary(*closed: Path) -> None:
    """Make this process one of an ordinary user, who cannot write to some folders."""
    for path in closed:
        path.chmod(0o555 if path.is_dir() else 0o444)
    if os.geteuid() == 0:  # without the powers of root, which is then the owner and no more
        header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # linux/capability.h, version 3
        libc = ctypes.CDLL(None, use_errno=True)
        assert libc.capset(header, (ctypes.c_uint32 * 6)()) == 0


CLOSED: dict[str, tuple[str, list[str]]] = {
    "reports": ("reports", []),
    "the-page": ("reports/lab.html", []),
    "history": ("reports/history.jsonl", []),
    "predictions": ("reports/predictions", []),
    "partial": ("reports/partial", []),
    "store": (".pytest_cache/d/labkit", []),
    "cache": (".pytest_cache/d", ["--cache-clear"]),
    "baseline": ("elsewhere", ["--lab-pin=elsewhere/base.json"]),
}


@pytest.mark.parametrize(
    "closed", [pytest.param(c, marks=[] if c == "reports" else pytest.mark.faults) for c in CLOSED]
)
def test_a_user_who_may_not_write_somewhere_is_told_before(copy, closed):
    name, options = CLOSED[closed]
    (copy.reports / "partial").mkdir(exist_ok=True)
    (copy.folder / "elsewhere").mkdir()
    if closed == "cache":
        shutil.rmtree(copy.store)
        options = []
    before = copy.kept()
    ended = copy.measure(*options, before=partial(ordinary, copy.folder / name))
    assert ended.code == 4, ended.said
    assert "INTERNALERROR" not in ended.said
    assert "Traceback" not in ended.said
    (line,) = [line for line in ended.said.splitlines() if line.startswith("ERROR:")]
    assert "cannot be written" in line
    assert copy.kept() == before


def small_files(bytes_: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_, bytes_))


def test_a_disk_that_is_full_at_the_reports_end_leaves_the_last_one(copy):
    """No file may be as large as the page; the model is there already, and not written again."""
    same = f"--lab-dataset=posts{copy.runs}"
    assert copy.run(same).code == 0
    page = (copy.reports / "lab.html").stat().st_size
    before, small = copy.kept(), partial(small_files, page * 9 // 10)
    ended = copy.run(same, before=small)
    assert ended.code == 1, ended.said
    assert "no report was written: " in ended.said
    assert copy.kept() == before
    check_no_rest(copy)


@pytest.mark.faults
@pytest.mark.parametrize("room", [70, 120, 160, 200, 260])
def test_a_full_file_system_leaves_the_last_report(copy, room):
    """A small one for the reports; so many KiB are left."""
    kept = copy.folder / "kept"
    copy.reports.rename(kept)
    copy.reports.mkdir()
    used = 4 * sum(-(-path.stat().st_size // 4096) + 1 for path in kept.rglob("*"))
    mount = ["mount", "-t", "tmpfs", "-o", f"size={used + room}k", "lab", str(copy.reports)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only root may mount a small file system, and not in every container")
    try:
        shutil.copytree(kept, copy.reports, dirs_exist_ok=True)
        before, past = owner(copy.reports), records(copy.reports)
        ended = copy.measure()
        own = f"posts{copy.runs}"
        settle(copy.reports)
        check_folder(copy)
        assert owner(copy.reports) in (before, own)
        assert numbers(copy.reports) == copy.fresh
        assert records(copy.reports)[: len(past)] == past
        if ended.code == 0:
            assert owner(copy.reports) == own
            assert len(records(copy.reports)) == len(past) + 1
        assert ended.code in (0, 1, 4), ended.said
    finally:
        subprocess.run(["umount", "--lazy", str(copy.reports)], check=True)


LOCKS = (
    f"reports/{LOCK}",
    "reports/.model.lock",
    f"reports/partial/{LOCK}",
    f"reports/predictions/{LOCK}",
    ".pytest_cache/d/labkit/writable.lock",
)


@pytest.mark.parametrize(
    "lock",
    [pytest.param(lock, marks=[pytest.mark.faults] if lock != LOCKS[0] else []) for lock in LOCKS],
)
def test_a_folder_in_the_place_of_a_lock_is_named_before(copy, lock):
    (copy.folder / lock).unlink(missing_ok=True)
    (copy.folder / lock).mkdir(parents=True)
    before = copy.kept()
    ended = copy.measure()
    assert ended.code == 4, ended.said
    (line,) = [line for line in ended.said.splitlines() if line.startswith("ERROR:")]
    assert Path(lock).name in line
    assert copy.kept() == before


@pytest.mark.faults
def test_a_folder_in_the_place_of_a_stages_lock_is_named_and_loses_nothing(copy):
    (entry,) = [entry for entry in entries(copy) if entry.parent.name == "zero_shot"]
    entry.with_name(f"{entry.name}.lock").unlink()
    entry.with_name(f"{entry.name}.lock").mkdir()
    ended = copy.measure()
    assert ended.code == 1, ended.said
    assert f"{entry.name}.lock: cannot be locked: Is a directory" in ended.said
    assert "INTERNALERROR" not in ended.said
    assert "questions not answered" in ended.said
    assert numbers(copy.reports) == copy.fresh


# What lies in the way of the model.

SPOILED: dict[str, Callable[[Path], Any]] = {
    "weights-with-another-bit": lambda model: flip(model / "model.safetensors"),
    "weights-cut": lambda model: os.truncate(model / "model.safetensors", 100),
    "a-pipe-for-the-card": lambda model: (
        (model / "README.md").unlink(),
        os.mkfifo(model / "README.md"),
    ),
    "a-link-that-leads-nowhere": lambda model: (shutil.rmtree(model), model.symlink_to("nowhere")),
    "a-file": lambda model: (shutil.rmtree(model), model.write_text("mine")),
    "a-lineage-without-digests": lambda model: no_digests(model / "lineage.json"),
    "a-lineage-that-is-torn": lambda model: os.truncate(model / "lineage.json", 99),
}


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def no_digests(path: Path) -> None:
    document = json.loads(path.read_text())
    document["files"] = {name: {} for name in document["files"]}
    path.write_text(json.dumps(document))


@pytest.mark.parametrize(
    "damage",
    [pytest.param(d, marks=[pytest.mark.faults] if i > 1 else []) for i, d in enumerate(SPOILED)],
)
def test_a_damaged_model_is_not_replaced_and_said_before(copy, damage):
    SPOILED[damage](copy.reports / "model")
    before = copy.kept()
    ended = copy.measure()
    assert ended.code == 4, ended.said
    (line,) = [line for line in ended.said.splitlines() if line.startswith("ERROR:")]
    assert "reports/model: would be replaced by the saved model, but" in line
    assert copy.kept() == before


@pytest.mark.faults
def test_a_model_of_which_a_file_is_gone_is_made_whole(copy):
    (copy.reports / "model" / "README.md").unlink()
    ended = copy.measure()
    assert ended.code == 0, ended.said
    assert (copy.reports / "model" / "README.md").is_file()
    check_folder(copy)


# What exit code 0 means.

LOOSE, TIGHT = "--lab-gate=above_chance_low=-1", "--lab-gate=above_chance_low=1"
ZERO_SHOT = "test_answers.py::test_zero_shot[above_chance_low]"
FALSE: dict[str, tuple[list[str], int, str]] = {
    "a-gate-fails": ([TIGHT], 1, "above_chance_low"),
    "the-gates-test-is-deselected": ([TIGHT, "--deselect", ZERO_SHOT, "-k", "not save"], 0, ""),
    "another-gates-test-is": (
        ["--lab-gate=truncated_share=0", "-k", "split_overlap", "--lab-max-length=8"],
        1,
        "truncated_share",
    ),
    "a-smaller-run-is-to-be-the-baseline": (["--lab-pin", "-k", "training_data"], 1, "not pinned"),
    "it-only-reports": ([TIGHT, "--lab-report-only", "-k", "zero_shot"], 0, "above_chance_low"),
}


@pytest.mark.faults
@pytest.mark.parametrize("attack", FALSE)
def test_the_exit_code_is_the_verdicts(copy, attack):
    options, code, words = FALSE[attack]
    baseline = baseline_of(copy)
    ended = copy.measure(*options)
    assert ended.code == code, ended.said
    assert words in ended.said
    assert baseline_of(copy) == baseline
    shown = copy.reports / "partial" if "partial/lab.html" in ended.said else copy.reports
    holds = json.loads((shown / "answers.json").read_text())["holds"]
    assert holds is (code == 0) or "--lab-report-only" in options or "not pinned" in words
    summary = (shown / "summary.md").read_text()
    assert ("✅ **" in summary) is holds


UNUSABLE: dict[str, Callable[[Path], Any]] = {
    "a-folder": lambda path: path.mkdir(),
    "nothing": lambda path: path.touch(),
    "a-page": lambda path: path.write_text("<html>"),
    "answers": lambda path: shutil.copyfile(path.parent / "reports/answers.json", path),
    "a-lineage": lambda path: shutil.copyfile(path.parent / "reports/model/lineage.json", path),
    "an-older-schema": lambda path: path.write_text(schema(path, 0)),
    "a-newer-schema": lambda path: path.write_text(schema(path, 99)),
    "a-run-that-failed": lambda path: path.write_text(schema(path, 1, passed=False)),
    "a-link-that-leads-nowhere": lambda path: path.symlink_to("nowhere"),
    "a-pipe": os.mkfifo,
}


def schema(path: Path, number: int, **changes: Any) -> str:
    """The baseline under another number."""
    baseline = json.loads((path.parent / "reports" / history.BASELINE).read_text())
    return json.dumps(baseline | {"schema": number} | changes)


# A record of a run that failed may be replaced, and one that is not there yet be made.
NO_RECORDS = [
    pytest.param(option, what, marks=[pytest.mark.faults] if number > 1 else [])
    for option in ("compare", "pin")
    for number, what in enumerate(UNUSABLE)
    if option == "compare" or what not in ("a-run-that-failed", "a-link-that-leads-nowhere")
]


@pytest.fixture
def past(subject: Subject) -> Iterator[Path]:
    """Where a record might be; nothing is left there."""
    path = subject.folder / "past.json"
    yield path
    if path.is_dir():
        path.rmdir()
    path.unlink(missing_ok=True)


@pytest.mark.parametrize(("option", "what"), NO_RECORDS)
def test_what_cannot_be_compared_with_is_a_usage_error_in_a_line(subject, past, option, what):
    UNUSABLE[what](past)
    before = subject.kept()
    ended = subject.measure(f"--lab-{option}={past.name}")
    assert ended.code == 4, ended.said
    (line,) = [line for line in ended.said.splitlines() if line.startswith("ERROR:")]
    assert f"--lab-{option}" in line
    assert len(line) < 400
    assert subject.kept() == before


# Several at once.


@pytest.mark.faults
@pytest.mark.parametrize("store", ["empty", "full"])
def test_three_runs_at_once_are_as_three_one_after_the_other(copy, store):
    if store == "empty":
        shutil.rmtree(copy.store)
    past = records(copy.reports)
    names = [copy.posts() for _ in range(3)]
    started = [copy.start(f"--lab-dataset={name}", "--lab-pin") for name in names]
    ended = [run.end() for run in started]
    assert [run.code for run in ended] == [0, 0, 0], "\n".join(run.said for run in ended)
    check_folder(copy)
    check_no_rest(copy)
    assert owner(copy.reports) in names
    assert numbers(copy.reports) == copy.fresh
    added = records(copy.reports)[len(past) :]
    assert sorted(Path(record["data"]).name for record in added) == sorted(names)
    done = sum(run.said.count("fine-tuning done in") for run in ended)
    assert done == (1 if store == "empty" else 0)


KILLER = """
import os, signal
from pathlib import Path

def pytest_configure(config):
    if hasattr(config, "workerinput") and not Path("died").exists():
        from labkit.training import classifier

        def die(*_):
            Path("died").touch()
            os.kill(os.getpid(), signal.SIGKILL)

        classifier.train = die
"""


@pytest.mark.faults
def test_a_worker_of_xdist_that_is_killed_in_the_fine_tune_is_no_success(copy):
    """What it had answered is said to be unanswered, also where the tests are run again."""
    shutil.rmtree(copy.store)
    (copy.folder / "conftest.py").write_text(KILLER)
    kept = numbers(copy.reports), owner(copy.reports)

    def run() -> Any:
        return run_python(
            *("-m", "pytest", "-n", "2", "--dist", "loadfile", "-p", "no:randomly"),
            f"--lab-dataset={copy.posts()}",
            cwd=copy.folder,
            **{THREAD_VARIABLES[0]: "1"},
        )

    killed = run()
    assert killed.returncode == 1, killed.stdout + killed.stderr
    assert (copy.folder / "died").exists()
    assert "2 of 3 questions not answered" in killed.stdout
    assert "INTERNALERROR" not in killed.stdout + killed.stderr
    assert records(copy.reports)[-1]["passed"] is False
    assert (numbers(copy.reports), owner(copy.reports)) == kept
    check_folder(copy)
    again = run()
    assert again.returncode == 0, again.stdout + again.stderr
    assert numbers(copy.reports) == kept[0]
    assert owner(copy.reports) == f"posts{copy.runs}"
    check_no_rest(copy)
