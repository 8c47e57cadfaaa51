"""What is the user's stays: folders, files, fuller reports, baselines, the history."""

import json
import math
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from labkit.errors import LabError
from labkit.plumbing import files
from labkit.plumbing.files import replace_folder, write_files
from labkit.release.model_folder import check_target, publish
from labkit.runs import history
from labkit.runs.history import Record
from tests.running import ROOT, environment, run_labkit, run_pytest


@pytest.fixture(scope="module")
def model(tiny_lab, tmp_path_factory) -> Path:
    """A model that the lab has published."""
    target: Path = tmp_path_factory.mktemp("published") / "model"
    publish(tiny_lab.saved_model, target)
    return target


STRANGERS = {
    "a-file-of-the-user": (
        lambda folder: (folder / "notes.txt").write_text("mine"),
        "notes.txt is none of the lab's files",
    ),
    "a-folder-of-the-user": (
        lambda folder: (folder / "src").mkdir(),
        "src is none of the lab's files",
    ),
    "a-card-that-was-edited": (
        lambda folder: (folder / "README.md").write_text("better words"),
        "README.md is not as the lab wrote it",
    ),
    "no-lineage": (lambda folder: (folder / "lineage.json").unlink(), "has no lineage.json"),
    "a-lineage-of-something-else": (
        lambda folder: (folder / "lineage.json").write_text('{"files": {}}'),
        "has no lineage.json",
    ),
}


@pytest.mark.parametrize("stranger", STRANGERS)
def test_a_folder_with_anything_else_in_it_is_not_replaced(model, tiny_lab, tmp_path, stranger):
    change, words = STRANGERS[stranger]
    target = shutil.copytree(model, tmp_path / "model")
    change(target)
    before = {path: path.read_bytes() for path in target.rglob("*") if path.is_file()}
    with pytest.raises(LabError, match=words):
        publish(tiny_lab.saved_model, target)
    assert {path: path.read_bytes() for path in target.rglob("*") if path.is_file()} == before


def test_the_labs_own_model_is_replaced(model, tiny_lab, tmp_path):
    target = shutil.copytree(model, tmp_path / "model")

    def copy(fresh: Path) -> None:
        shutil.copytree(model, fresh, dirs_exist_ok=True)

    replace_folder(target, copy)
    check_target(target)
    publish(tiny_lab.saved_model, target)
    assert (target / "lineage.json").read_bytes() == (model / "lineage.json").read_bytes()


def test_fine_tune_refuses_somebodys_folder_before_it_computes(tmp_path, tiny_dataset):
    (tmp_path / "thesis.tex").write_text("years of work")
    run = run_labkit(
        *("fine-tune", ".", "--profile", "embedded", "--dataset", str(tiny_dataset)), cwd=tmp_path
    )
    assert run.returncode == 2
    (line,) = [line for line in run.stderr.splitlines() if line.startswith("labkit fine-tune:")]
    assert "thesis.tex" in line or "has no lineage.json of the lab" in line
    assert "fine-tuning ..." not in run.stderr
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def lab_run(folder: Path, checkpoint: Path, posts: Path, *args: str) -> Any:
    """The lab on the tiny subjects."""
    return run_pytest(
        *("--lab-profile=embedded", f"--lab-base-model={checkpoint}", f"--lab-dataset={posts}"),
        *("--lab-max-length=64", "--lab-report-only", *args),
        folder=folder,
    )


def test_reports_refuse_a_model_folder_that_is_the_users(tmp_path, tiny_checkpoint, tiny_dataset):
    (tmp_path / "reports" / "model").mkdir(parents=True)
    (tmp_path / "reports" / "model" / "weights.h5").write_text("mine")
    run = lab_run(tmp_path, tiny_checkpoint, tiny_dataset, "-k", "save")
    assert run.returncode == 4
    assert "would be replaced by the saved model, but has no lineage.json" in run.stderr
    assert [path.name for path in (tmp_path / "reports" / "model").iterdir()] == ["weights.h5"]


def test_the_model_that_is_measured_is_not_written_to(
    model, tmp_path, tiny_checkpoint, tiny_dataset
):
    own = shutil.copytree(model, tmp_path / "reports" / "model")
    before = {path.name: path.read_bytes() for path in own.iterdir()}
    run = lab_run(tmp_path, tiny_checkpoint, tiny_dataset, f"--lab-fine-tuned={own}", "-k", "save")
    assert run.returncode == 0, run.stdout + run.stderr
    assert {path.name: path.read_bytes() for path in own.iterdir()} == before


@pytest.mark.parametrize("option", ["--lab-pin", "--lab-compare"])
def test_what_is_no_record_of_the_lab_is_refused_and_kept(tmp_path, option):
    """An optional value swallows the path behind it."""
    test = tmp_path / "test_mine.py"
    test.write_text("def test_mine(): pass\n")
    run = run_pytest(f"{option}={test}", folder=tmp_path)
    assert run.returncode == 4
    assert f"{option}: {test} is not the record of a run" in run.stderr
    assert test.read_text() == "def test_mine(): pass\n"


@pytest.fixture
def killed_while_publishing(tmp_path, monkeypatch):
    """What a process leaves behind that was killed between two renames, on a system without one."""
    target = tmp_path / "model"
    target.mkdir()
    (target / "weights").write_text("old")
    left = tmp_path / ".model-killed"
    left.mkdir()
    target.rename(left / "old")
    monkeypatch.setattr(files, "exchange", lambda one, other: False)
    return target


def fail(folder: Path) -> None:
    (folder / "weights").write_text("half")
    raise OSError("no space left")


def writing(name: str, text: str) -> Callable[[Path], None]:
    """What fills a folder with one file."""

    def fill(folder: Path) -> None:
        (folder / name).write_text(text)

    return fill


def test_what_was_set_aside_comes_back_where_the_next_run_fails(killed_while_publishing):
    with pytest.raises(OSError, match="no space left"):
        replace_folder(killed_while_publishing, fail)
    assert (killed_while_publishing / "weights").read_text() == "old"


def test_leftovers_go_with_the_next_run(killed_while_publishing):
    replace_folder(killed_while_publishing, writing("weights", "new"))
    assert (killed_while_publishing / "weights").read_text() == "new"
    names = {path.name for path in killed_while_publishing.parent.iterdir()}
    assert names == {"model", ".model.lock"}


PUBLISH = """
import itertools, sys
from pathlib import Path
from labkit.plumbing.files import replace_folder, write_files
target = Path(sys.argv[1])
for number in itertools.count():
    def fill(folder):
        for name in "abc":
            (folder / name).write_text(str(number))
    replace_folder(target / "model", fill)
    write_files(target, {name: str(number) for name in "xyz"})
    print(number, flush=True)
"""


MOMENTS = [
    pytest.param(moment, marks=[] if moment < 6 else [pytest.mark.faults]) for moment in range(50)
]


@pytest.mark.parametrize("moment", MOMENTS)
def test_whenever_it_is_killed_a_whole_folder_is_there(tmp_path, moment):
    run = subprocess.Popen(
        [sys.executable, "-c", PUBLISH, str(tmp_path)],
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert run.stdout is not None
    chance = random.Random(moment)
    for _ in range(chance.randint(1, 80)):
        run.stdout.readline()
    time.sleep(chance.uniform(0, 0.01))  # somewhere between two of its lines
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    parts = {path.name: path.read_text() for path in (tmp_path / "model").iterdir()}
    assert parts.keys() == set("abc")
    assert len(set(parts.values())) == 1
    replace_folder(tmp_path / "model", writing("a", "last"))
    write_files(tmp_path, dict.fromkeys("xyz", "last"))
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"model", "x", "y", "z", ".model.lock", ".labkit.lock"}


RECORD = Record(
    run="20260131T235959Z",
    when="2026-01-31T23:59:59+00:00",
    commit=None,
    profile="embedded",
    base_model="model",
    data="posts",
    data_fingerprint="0" * 64,
    labels=["a", "b"],
    recipe={},
    passed=True,
    values={"fine_tune": {"fine_tuned_accuracy": 0.9}},
)


def test_a_torn_line_spoils_neither_the_next_record_nor_the_comparison(tmp_path):
    RECORD.append(tmp_path)
    path = tmp_path / history.FILE
    path.write_text(path.read_text() + '{"run": "20260201T0000')
    later = replace(RECORD, run="20260202T000000Z")
    later.append(tmp_path)
    found, remarks = history.find("20260202", tmp_path)
    assert found == later
    assert remarks == (f"{path}: line 2 is no record of a run; it is left out",)


def test_not_a_number_in_a_baseline_is_nothing_to_compare_with():
    baseline = replace(RECORD, values={"fine_tune": {"fine_tuned_accuracy": math.nan}})
    now = {"fine_tune": {"fine_tuned_accuracy": 0.9}}
    (change,) = history.compare(baseline, now, {}, {}).changes
    assert (change.before, change.regressed) == (None, False)
    gone = history.compare(RECORD, {"fine_tune": {"fine_tuned_accuracy": math.nan}}, {}, {})
    assert [change.regressed for change in gone.changes] == [True]


@pytest.fixture(scope="module")
def full(tmp_path_factory, tiny_checkpoint, tiny_dataset):
    """A run of three exercises whose claims hold, which is the baseline; some runs come after it."""
    folder = tmp_path_factory.mktemp("full")

    def run(*args: str) -> Any:
        return run_pytest(
            *("--lab-profile=embedded", f"--lab-base-model={tiny_checkpoint}"),
            *(f"--lab-dataset={tiny_dataset}", "--lab-max-length=64", *args),
            folder=folder,
        )

    loose = [f"--lab-gate={gate}" for gate in ("above_chance_low=-1", "topic_gap_low=-2")]
    first = run("-k", "test_gate and (zero_shot or training_data)", *loose, "--lab-pin")
    assert first.returncode == 0, first.stdout + first.stderr
    return folder / "reports", lambda *args: run(*loose, *args)


def test_a_smaller_run_writes_beside_the_fuller_report(full):
    reports, run = full
    before = {name: (reports / name).read_bytes() for name in ("answers.json", "lab.html")}
    smaller = run("-k", "test_gate and training_data")
    assert smaller.returncode == 0, smaller.stdout
    assert "partial/lab.html" in smaller.stdout
    assert {name: (reports / name).read_bytes() for name in before} == before
    (answer,) = json.loads((reports / "partial" / "answers.json").read_text())["answers"]
    assert answer["id"] == "training_data"


def test_a_smaller_run_is_not_pinned_over_a_fuller_baseline(full):
    reports, run = full
    before = (reports / history.BASELINE).read_bytes()
    smaller = run("-k", "test_gate and training_data", "--lab-pin")
    assert "not pinned as the baseline: the baseline has more exercises" in smaller.stdout
    assert (reports / history.BASELINE).read_bytes() == before


def test_a_run_whose_claims_fail_is_not_pinned_and_does_not_pass_where_it_only_reports(full):
    reports, run = full
    before = (reports / history.BASELINE).read_bytes()
    failing = run(
        *("-k", "test_gate and (zero_shot or training_data)", "--lab-report-only", "--lab-pin"),
        "--lab-gate=truncated_share=0",
        "--lab-gate=above_chance_low=1",
    )
    assert failing.returncode == 0, failing.stdout
    assert "not pinned as the baseline: the run failed" in failing.stdout
    assert (reports / history.BASELINE).read_bytes() == before
    last = (reports / history.FILE).read_text().splitlines()[-1]
    assert json.loads(last)["passed"] is False
