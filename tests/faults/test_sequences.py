"""Runs, deaths, edits, pins and comparisons in any order.

The promise: every number that is reported equals that of a fresh run, every complete report
survives, and exit code 0 means that everything asked held. A state machine (`hypothesis.stateful`)
looks for an order in which it doesn't; each run is a whole one, started as a person does.
"""

import json
import shutil
import signal
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from labkit.errors import LabError
from labkit.plumbing.files import settle
from labkit.runs import history
from tests.faults.whole import EXERCISES, Death, Ended, Project, entries, numbers, owner, records

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks from what has threads")
Numbers = Mapping[str, Mapping[str, Any]]

DATA = (0, 1)  # seeds of posts
ASKED = st.sampled_from([EXERCISES, EXERCISES[:2], EXERCISES[1:2]])
DAMAGE = st.sampled_from(["flip", "cut", "remove", "add"])
NAMES = st.sampled_from(["answers.json", "lab.html", "summary.md", history.FILE, history.BASELINE])


@pytest.fixture(scope="module", autouse=True)
def beginning(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoint: Path) -> None:
    """A project with a store and a complete report, and what fresh runs measured on each posts."""
    project = Project(tmp_path_factory.mktemp("sequences") / "project", tiny_checkpoint)
    for seed in DATA:
        ended = project.measure("--lab-pin", seed=seed)
        assert ended.code == 0, ended.said
        Runs.fresh[seed] = numbers(project.reports)
    assert Runs.fresh[0] != Runs.fresh[1]
    Runs.beginning, Runs.count = project.folder, project.runs


def damage(path: Path, how: str) -> None:
    """Make a file another one."""
    content = path.read_bytes()
    if how == "flip" and len(content) > 1:
        path.write_bytes(content[:-2] + bytes([content[-2] ^ 0x40]) + content[-1:])
    elif how == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif how == "remove":
        path.unlink()
    else:
        path.with_name("added.json").write_text("{}")


class Runs(RuleBasedStateMachine):
    """A project's folder, and what its user believes of it."""

    beginning: ClassVar[Path]
    count: ClassVar[int]
    fresh: ClassVar[dict[int, Numbers]] = {}

    @initialize()
    def start(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="labkit-sequences-"))
        self.project = Project.__new__(Project)
        self.project.folder, self.project.runs = self.root / "project", self.count
        shutil.copytree(self.beginning, self.project.folder)

    @property
    def reports(self) -> Path:
        return self.project.reports

    def baseline(self) -> history.Record | None:
        """The baseline, where it can be read."""
        try:
            return history.load(self.reports / history.BASELINE, "--lab-compare")
        except LabError:
            return None

    def complete(self) -> Numbers:
        """What the report that is there measured; nothing where it was damaged."""
        try:
            owner(self.reports)
            return numbers(self.reports)
        except (OSError, ValueError, AssertionError, KeyError):
            return {}

    def verdict(self, asked: tuple[str, ...], found: Numbers, tight: bool, compare: bool) -> bool:
        """Whether everything that was asked holds, by what a fresh run measures."""
        if tight and "zero_shot" in asked:
            return False
        values = {exercise: found[exercise] for exercise in asked}
        baseline = self.baseline()
        return not (compare and baseline and history.compare(baseline, values, {}, {}).regressions)

    @rule(
        asked=ASKED,
        data=st.sampled_from(DATA),
        tight=st.booleans(),
        pin=st.booleans(),
        compare=st.booleans(),
    )
    def run(self, asked: tuple[str, ...], data: int, tight: bool, pin: bool, compare: bool) -> None:
        """A run that comes to its end."""
        self.measure(asked, data, tight, pin, compare)

    @rule(
        asked=ASKED,
        data=st.sampled_from(DATA),
        pin=st.booleans(),
        change=st.integers(1, 160),
        how=st.sampled_from([signal.SIGKILL, signal.SIGINT]),
    )
    def run_that_dies(
        self, asked: tuple[str, ...], data: int, pin: bool, change: int, how: signal.Signals
    ) -> None:
        """A run that is killed or stopped, or comes to its end before."""
        self.measure(asked, data, False, pin, False, Death(change, signal=how))

    def measure(
        self,
        asked: tuple[str, ...],
        data: int,
        tight: bool,
        pin: bool,
        compare: bool,
        death: Death | None = None,
    ) -> None:
        before, past, baseline = self.complete(), self.past(), self.baseline()
        there = (self.reports / history.BASELINE).exists()
        holds = self.verdict(asked, self.fresh[data], tight, compare)
        options = [f"--lab-gate=above_chance_low={1 if tight else -1}"]
        options += ["--lab-pin"] * pin + ["--lab-compare"] * compare
        ended = self.project.measure("-k", " or ".join(asked), *options, seed=data, death=death)
        settle(self.reports)
        settle(self.reports / "partial")
        own = f"posts{self.project.runs}"
        assert "INTERNALERROR" not in ended.said
        refused = bool(pin and baseline and there and baseline.values.keys() - set(asked))
        unusable = (compare and (baseline is None or not baseline.passed)) or (
            pin and there and baseline is None
        )
        if ended.code in (-signal.SIGKILL, 2, 130):
            assert death, ended.said
        elif unusable:
            assert ended.code == 4, ended.said
        else:
            assert ended.code == (0 if holds and not refused else 1), ended.said
            self.check_reported(ended, asked, self.fresh[data], own, len(before))
            last = records(self.reports)[-1]
            assert last["passed"] is holds
            assert Path(last["data"]).name == own
            self.check_pinned(own, pin and holds and not refused, baseline)
        assert self.past()[: len(past)] == past
        self.check_survival(before, asked, own)

    def past(self) -> list[dict[str, Any]]:
        return records(self.reports) if (self.reports / history.FILE).exists() else []

    def check_reported(
        self, ended: Ended, asked: tuple[str, ...], fresh: Numbers, own: str, fuller: int
    ) -> None:
        """Every number that is reported equals that of a fresh run."""
        written = self.reports / "partial" if fuller > len(asked) else self.reports
        if "report: reports/partial" in ended.said:  # by the damaged one's own answers
            written = self.reports / "partial"
        assert owner(written) == own
        assert numbers(written) == {exercise: fresh[exercise] for exercise in asked}

    def check_pinned(self, own: str, pinned: bool, before: history.Record | None) -> None:
        """The baseline is what it was, or this run where that was asked for and it held."""
        baseline = self.baseline()
        if pinned:
            assert baseline is not None
            assert Path(baseline.data).name == own
        else:
            assert baseline == before

    def check_survival(self, before: Numbers, asked: tuple[str, ...], own: str) -> None:
        """A complete report is there still, or one that has as much."""
        now = self.complete()
        if before:
            assert len(now) >= len(before)
        if now:
            assert now == {exercise: self.fresh_of(now)[exercise] for exercise in now}

    def fresh_of(self, found: Numbers) -> Numbers:
        """What a fresh run measured on the posts that these numbers are of."""
        named = owner(self.reports)
        first = (self.project.folder / named / "test.jsonl").read_text()
        (seed,) = [
            seed
            for seed, name in zip(DATA, ("posts1", "posts2"), strict=True)
            if (self.beginning / name / "test.jsonl").read_text() == first
        ]
        return self.fresh[seed]

    @rule(number=st.integers(0, 99), file=st.integers(0, 9), how=DAMAGE)
    def edit_the_store(self, number: int, file: int, how: str) -> None:
        found = sorted(entries(self.project))
        if found:
            entry = found[number % len(found)]
            files = sorted(path for path in entry.rglob("*") if path.is_file())
            damage(files[file % len(files)], how)

    @rule(name=NAMES, how=DAMAGE)
    def edit_a_report(self, name: str, how: str) -> None:
        path = self.reports / name
        if path.is_file():
            damage(path, how)

    @rule(better=st.sampled_from([0.5, -0.5]))
    def edit_the_baseline(self, better: float) -> None:
        """Another measured value, in a record that is whole."""
        if self.baseline():
            path = self.reports / history.BASELINE
            document = json.loads(path.read_text())
            if "zero_shot" in document["values"]:
                document["values"]["zero_shot"]["zero_shot_accuracy"] += better
                path.write_text(json.dumps(document))

    @rule()
    def empty_the_store(self) -> None:
        shutil.rmtree(self.project.store, ignore_errors=True)

    def teardown(self) -> None:
        if hasattr(self, "root"):
            shutil.rmtree(self.root)


FEW = settings(
    max_examples=2,
    stateful_step_count=5,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
TestFewRuns = Runs.TestCase
TestFewRuns.settings = FEW


class ManyRuns(Runs):
    """More of them."""


TestManyRuns = pytest.mark.faults(ManyRuns.TestCase)
TestManyRuns.settings = settings(FEW, max_examples=8, stateful_step_count=8)
