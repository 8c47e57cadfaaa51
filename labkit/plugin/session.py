"""One run of the lab inside pytest: its settings, its stages, its answers, its verdict.

The plugin's hooks are thin and ask here; nothing below knows of pytest.
"""

import datetime
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labkit.config import LabConfig
from labkit.evaluation.gates import GateResult
from labkit.plugin.registry import BUILT_IN, Registry
from labkit.plumbing.progress import Progress
from labkit.runs import history
from labkit.runs.history import Comparison, Record
from labkit.runs.tracking import Run as TrackedRun

if TYPE_CHECKING:
    from labkit.evaluation.suite import Suite
    from labkit.plumbing.runner import Run
    from labkit.report.answer import Answer
    from labkit.report.blocks import Figure
    from labkit.runs.flips import Kept, Shown


@dataclass(frozen=True)
class Stage:
    """A stage as this run met it: found in the store or computed, when, and what that cost."""

    reused: bool
    seconds: float
    created: float


@dataclass(frozen=True)
class TestResult:
    """What became of a test: its id, outcome, seconds, and what it says where it did not pass.

    `message` is its exception or its reason, `detail` the traceback with what was captured.
    """

    __test__ = False  # pytest collects what is called so

    test: str
    outcome: str
    seconds: float
    message: str = ""
    detail: str = ""


@dataclass
class LabSession:
    """State of one run.

    `asked` are the ids of the exercises that tests were run for, `answers` what was measured for
    them; an exercise whose stages failed is asked and not answered. `modules` are the files of
    their tests. `registry` has what can be asked, `suite` gives the behaviours, `limits` the
    thresholds by gate name; `baseline` is the run to compare with, `kept` this run's answers to its
    test posts, `flips` what comparing these with the baseline's gave, `trend` the plot of the runs
    before.
    """

    config: LabConfig
    why: str
    reports: Path
    cache: Path
    started: float
    fresh: bool
    progress: Progress
    tracker: TrackedRun | None = None
    registry: Registry = BUILT_IN
    suite: "Callable[[], Suite] | None" = None
    limits: Mapping[str, float] = field(default_factory=dict)
    baseline: Record | None = None
    kept: "Kept | None" = None
    flips: "Shown | None" = None
    trend: "Figure | None" = None
    remarks: tuple[str, ...] = ()
    tolerances: Mapping[str, float] = field(default_factory=dict)
    asked: set[str] = field(default_factory=set)
    modules: dict[str, Path] = field(default_factory=dict)
    answers: dict[str, "Answer"] = field(default_factory=dict)
    tests: list[TestResult] = field(default_factory=list)
    absorbed: dict[str, Stage] = field(default_factory=dict)
    interrupted: bool = False

    @cached_property
    def lab(self) -> "Run":
        """The stages, each computed when it is first asked for."""
        from labkit import lab
        from labkit.plumbing.store import Store

        store = Store(self.cache, self.fresh, progress=self.progress, started=self.started)
        own = {"behaviour_suite": self.suite} if self.suite else {}
        known = {"progress": self.progress, "tracker": self.tracker}
        return lab.run(self.config, store, replace=own, **known)

    def answer(self, exercise: str) -> "Answer":
        """The answer to an exercise, measured when it is first asked for.

        With the one about the saved model, that model is put into the reports folder.
        """
        from labkit.answers import measure, own_metrics
        from labkit.release.model_folder import publish

        if exercise not in self.answers:
            measured = measure(self.registry.exercises[exercise], self.lab)
            if own := self.registry.own_metrics_of(exercise):
                measured = own_metrics.added_to(measured, own, self.lab)
            self.answers[exercise] = measured.judged(self.limits, self.registry.gates)
            if "saved_model" in self.stages_of(exercise) and not self.measures_its_own:
                publish(self.lab.saved_model, self.model)
        return self.answers[exercise]

    def stages_of(self, exercise: str) -> list[str]:
        """The stages that an exercise's answer takes, by name."""
        from labkit.answers import own_metrics, stages_of

        own = own_metrics.STAGES if self.registry.own_metrics_of(exercise) else ()
        return [*stages_of(self.registry.exercises[exercise]), *own]

    @cached_property
    def commit(self) -> str | None:
        """The commit of the checkout that labkit runs from; None outside git."""
        from labkit.plumbing.checkout import commit

        return commit()

    @cached_property
    def folder(self) -> Path:
        """Where the report goes: beside one with more answers, which is not replaced by fewer."""
        try:
            before = json.loads((self.reports / "answers.json").read_text("utf-8"))
            fuller = len(before["answers"]) > (0 if self.interrupted else len(self.answers))
        except (OSError, ValueError, TypeError, KeyError):
            fuller = False
        return self.reports / "partial" if fuller else self.reports

    @property
    def page(self) -> Path:
        return self.folder / "lab.html"

    @property
    def model(self) -> Path:
        """Where the saved model goes."""
        return self.reports / "model"

    @property
    def measures_its_own(self) -> bool:
        """Whether the model that is measured lies where the saved one would go; it then stays."""
        given = self.config.trained_elsewhere
        return given is not None and Path(given.source).expanduser().resolve() == (
            self.model.resolve()
        )

    @property
    def failures(self) -> list[TestResult]:
        """The tests that failed or broke, those that the run tolerates as well."""
        return [test for test in self.tests if test.outcome in ("failed", "error", "tolerated")]

    @property
    def unanswered(self) -> list[str]:
        """Exercises that were asked for and have no answer, in order."""
        asked = [name for name in self.registry.exercises if name in self.asked]
        return [name for name in asked if name not in self.answers]

    @property
    def gates(self) -> list[GateResult]:
        """The gates of every answer, in order."""
        return [result for answer in self.in_order() for result in answer.gates]

    @property
    def failing(self) -> list[GateResult]:
        """The gates that do not hold."""
        return [result for result in self.gates if not result.holds]

    @property
    def holds(self) -> bool:
        """Whether every exercise asked for is answered, every gate holds, nothing regressed."""
        return not self.unanswered and not self.failing and not self.regressions

    @property
    def passed(self) -> bool:
        """Whether all that was asked held, no test failed, tolerated or not, and none was cut off."""
        return self.holds and not self.failures and not self.interrupted

    @property
    def comparison(self) -> Comparison | None:
        """This run against the baseline, where there is one."""
        if self.baseline is None:
            return None
        metrics = self.registry.metrics
        luck = self.flips.luck if self.flips else {}
        return history.compare(
            self.baseline, self.values, self.description, self.tolerances, metrics, luck
        )

    @property
    def regressions(self) -> tuple[history.Change, ...]:
        """The metrics that are worse than in the baseline."""
        return self.comparison.regressions if self.comparison else ()

    @property
    def values(self) -> dict[str, dict[str, Any]]:
        """Every measured value of the exercises that were asked for, by exercise."""
        from labkit.report.answer import finite

        return {
            name: {key: finite(value) for key, value in self.answers[name].values.items()}
            if name in self.answers
            else {}
            for name in sorted(self.asked)
        }

    @property
    def description(self) -> dict[str, Any]:
        """What this run is made of, in the words of the history."""
        from labkit.runs.description import describe

        return describe(self.config, self.lab)

    def record(self, passed: bool, commit: str | None) -> Record:
        """This run as a line of the history."""
        started = datetime.datetime.fromtimestamp(self.started, datetime.UTC)
        return Record(
            run=history.new_run_name(self.started),
            when=started.isoformat(timespec="seconds"),
            commit=commit,
            data=self.config.data.name,
            passed=passed,
            values=self.values,
            **self.description,
        )

    @property
    def verdict(self) -> str:
        """The outcome in words; good news only where no test failed either."""
        parts = []
        if self.failing:
            names = ", ".join(result.gate.name for result in self.failing)
            verb = "does" if len(self.failing) == 1 else "do"
            parts.append(f"{len(self.failing)} of {len(self.gates)} gates {verb} not hold: {names}")
        elif self.gates:
            count = len(self.gates)
            parts.append("The gate holds" if count == 1 else f"All {count} gates hold")
        if self.unanswered:
            parts.append(f"{len(self.unanswered)} of {len(self.asked)} questions not answered")
        if self.regressions:
            names = ", ".join(change.metric.name for change in self.regressions)
            parts.append(f"worse than the baseline: {names}")
        if self.failures:
            parts.append(f"{len(self.failures)} test{'s' * (len(self.failures) > 1)} failed")
        return "; ".join(parts) + "."

    @property
    def stages(self) -> dict[str, Stage]:
        """The stages of this run by name; one that any process computed counts as computed."""
        stages = dict(self.absorbed)
        entries = self.lab.entries if "lab" in vars(self) else {}
        for name, entry in entries.items():
            if name not in stages or not entry.reused:
                stages[name] = Stage(entry.reused, entry.seconds, entry.created)
        return stages

    def in_order(self) -> list["Answer"]:
        """The answers in the order of the exercises."""
        return [self.answers[name] for name in self.registry.exercises if name in self.answers]

    def pack(self) -> dict[str, Any]:
        """What a pytest-xdist worker sends to the controller: builtin types only."""
        from labkit.plumbing.results import plain

        return {
            "asked": sorted(self.asked),
            "modules": {exercise: str(file) for exercise, file in self.modules.items()},
            "answers": plain(list(self.answers.values())) if self.answers else [],
            "stages": {name: plain(stage) for name, stage in self.stages.items()},
        }

    def absorb(self, packed: Mapping[str, Any]) -> None:
        """Take in what a worker packed."""
        from labkit.plumbing.results import rebuild
        from labkit.report.answer import Answer

        self.asked.update(packed["asked"])
        self.modules |= {exercise: Path(file) for exercise, file in packed["modules"].items()}
        for plain in packed["answers"]:
            answer = rebuild(Answer, plain)
            self.answers[answer.exercise] = answer
        for name, stage in packed["stages"].items():
            if name not in self.absorbed or not stage["reused"]:
                self.absorbed[name] = rebuild(Stage, stage)
