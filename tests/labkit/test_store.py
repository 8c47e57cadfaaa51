"""The store computes once, verifies what it reads, and keeps a bounded number of entries."""

import multiprocessing
import os
import shutil
import time
from pathlib import Path

import pytest

from labkit.plumbing.locks import locked
from labkit.plumbing.progress import Silent
from labkit.plumbing.store import MANIFEST, Store, find_damage


class Remarks(Silent):
    def __init__(self):
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


class Stage:
    """A stage that counts how often it is built."""

    def __init__(self, content: str = "result"):
        self.content, self.builds = content, 0

    def __call__(self, folder: Path) -> None:
        self.builds += 1
        (folder / "deep").mkdir()
        (folder / "deep" / "result.txt").write_text(self.content)


def test_the_same_inputs_are_computed_once(tmp_path):
    store, stage = Store(tmp_path), Stage()
    first, second = (store.get("stage", {"x": 1, "y": 2}, stage) for _ in range(2))
    assert stage.builds == 1
    assert (first.reused, second.reused) == (False, True)
    assert first.path == second.path
    assert first.seconds == second.seconds
    assert (second.path / "deep" / "result.txt").read_text() == "result"


@pytest.mark.parametrize(
    ("name", "inputs"), [("stage", {"x": 2}), ("other", {"x": 1})], ids=["inputs", "stage"]
)
def test_another_key_is_another_entry(tmp_path, name, inputs):
    store, stage = Store(tmp_path), Stage()
    keys = {store.get("stage", {"x": 1}, stage).key, store.get(name, inputs, stage).key}
    assert len(keys) == stage.builds == 2


def test_the_content_is_that_of_the_files_and_not_of_the_key(tmp_path):
    store = Store(tmp_path)
    first, same, other = (
        store.get("stage", {"x": x}, Stage(content)).content
        for x, content in enumerate(("result", "result", "another"))
    )
    assert first == same != other


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda entry: (entry / "deep/result.txt").write_text("resulT"), "does not match"),
        (lambda entry: (entry / "deep/result.txt").unlink(), "is missing"),
        (lambda entry: (entry / MANIFEST).write_text("{"), "manifest cannot be read"),
        (lambda entry: (entry / MANIFEST).write_text('{"files": {}}'), "manifest cannot be read"),
        (lambda entry: (entry / MANIFEST).unlink(), "manifest cannot be read"),
        (lambda entry: (entry / "deep/added.json").touch(), "is none of its files"),
    ],
    ids=["changed", "gone", "half-a-manifest", "no-times", "no-manifest", "added"],
)
def test_damage_is_set_aside_said_and_rebuilt(tmp_path, damage, words):
    remarks, stage = Remarks(), Stage()
    store = Store(tmp_path, progress=remarks)
    damage(store.get("stage", {}, stage).path)
    again = store.get("stage", {}, stage)
    assert stage.builds == 2
    assert not again.reused
    assert find_damage(again.path) is None
    (line,) = remarks.lines
    assert words in line
    (aside,) = (tmp_path / "damaged").iterdir()
    assert str(aside) in line


def test_a_build_that_fails_leaves_no_entry(tmp_path):
    def fail(folder: Path) -> None:
        (folder / "half").write_text("a result")
        raise RuntimeError("no")

    store = Store(tmp_path)
    with pytest.raises(RuntimeError, match="no"):
        store.get("stage", {}, fail)
    assert [path.suffix for path in (tmp_path / "stage").iterdir()] == [".lock"]
    assert not store.get("stage", {}, Stage()).reused


def test_what_a_killed_build_left_is_cleared(tmp_path):
    store = Store(tmp_path)
    entry = store.get("stage", {}, Stage()).path
    entry.rename(entry.parent / f"building-{entry.name}-killed")
    store.get("stage", {}, Stage())
    assert not list((tmp_path / "stage").glob("building-*"))


def test_what_a_killed_run_left_goes_where_the_entry_is_whole_too(tmp_path):
    """As after a `--lab-fresh` run that was killed while it computed an entry again."""
    entry = Store(tmp_path).get("stage", {}, Stage())
    left = entry.path.with_name(f"building-{entry.key}-killed")
    left.mkdir()
    assert Store(tmp_path).get("stage", {}, Stage()).reused
    assert not left.exists()


def test_what_was_killed_under_another_key_goes_with_the_next_entry(tmp_path):
    """Nobody may ask for that key again. What another process is building stays."""
    left, busy = (tmp_path / "stage" / f"building-{digit * 32}-x" for digit in "ab")
    for folder in (left, busy):
        folder.mkdir(parents=True)
    with locked(tmp_path / "stage" / f"{'b' * 32}.lock"):
        Store(tmp_path).get("stage", {}, Stage())
        assert (left.exists(), busy.exists()) == (False, True)
    Store(tmp_path).get("stage", {"x": 1}, Stage())
    assert not busy.exists()


@pytest.mark.parametrize("place", ["file", "link"])
def test_what_lies_in_the_place_of_an_entry_is_set_aside_again_and_again(tmp_path, place):
    store, stage = Store(tmp_path), Stage()
    for _ in range(3):
        entry = store.get("stage", {}, stage).path
        shutil.rmtree(entry)
        if place == "file":
            entry.write_text("mine")
        else:
            entry.symlink_to("nowhere")
    assert stage.builds == 3


def test_a_fresh_run_rebuilds_once(tmp_path):
    stage = Stage()
    Store(tmp_path).get("stage", {}, stage)
    fresh = Store(tmp_path, fresh=True)
    assert not fresh.get("stage", {}, stage).reused
    assert fresh.get("stage", {}, stage).reused
    parallel = Store(tmp_path, fresh=True, started=fresh.started)
    assert parallel.get("stage", {}, stage).reused
    assert stage.builds == 2


def test_the_least_recently_used_go_first(tmp_path):
    store, now = Store(tmp_path, keep=3), time.time()
    for number in range(3):
        entry = store.get("stage", {"number": number}, Stage()).path
        os.utime(entry, (now - 100 + number, now - 100 + number))
    assert store.get("stage", {"number": 0}, Stage()).reused  # and so is used last
    store.get("stage", {"number": 3}, Stage())
    kept = [store.get("stage", {"number": n}, Stage()).reused for n in (0, 2, 3)]
    assert kept == [True, True, True]
    assert not store.get("stage", {"number": 1}, Stage()).reused
    assert len(list((tmp_path / "stage").glob(f"*/{MANIFEST}"))) == 3


def build_slowly(root: Path, log: Path) -> None:
    def build(folder: Path) -> None:
        with log.open("a") as file:
            file.write("built\n")
        time.sleep(0.5)
        (folder / "result").write_text("result")

    remarks = Remarks()
    entry = Store(root, progress=remarks).get("stage", {}, build)
    assert (entry.path / "result").read_text() == "result"
    if entry.reused:
        assert any("waiting" in line for line in remarks.lines)


def test_parallel_runs_compute_once_and_say_that_they_wait(tmp_path):
    context = multiprocessing.get_context("fork")
    runs = [
        context.Process(target=build_slowly, args=(tmp_path / "store", tmp_path / "log"))
        for _ in range(3)
    ]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert [run.exitcode for run in runs] == [0, 0, 0]
    assert (tmp_path / "log").read_text() == "built\n"
