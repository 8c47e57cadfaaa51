"""How a graph of functions is run: by names, once, and anew where anything that counts differs."""

import sys
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from labkit.plumbing.runner import Call, Run, Stage, graph_of, stage, stored
from labkit.plumbing.store import Store


@dataclass(frozen=True)
class Series:
    """A small result: numbers (n,) and where their text lies."""

    numbers: np.ndarray
    file: Path


CALLS: list[str] = []  # the stages that were computed, in order


@stage
def start(first: int) -> int:
    """Where the series begins."""
    return first


@stored
def series(start: int, length: int, call: Call) -> Series:
    """So many numbers."""
    CALLS.append("series")
    (call.folder / "series.txt").write_text("kept")
    call.report(0.5, "half")
    return Series(np.arange(start, start + length), call.folder / "series.txt")


@stored
def total(series: Series) -> float:
    """Their sum."""
    CALLS.append("total")
    return float(series.numbers.sum())


@stage
def half(total: float, divisor: float) -> float:
    """A part of it."""
    CALLS.append("half")
    return total / divisor


class Held:
    """Something that holds itself, as a Trainer does."""

    def __init__(self) -> None:
        self.again = self


LEFT: list[weakref.ref[Held]] = []


@stored
def trained(first: int) -> int:
    """A stage that leaves a circle behind."""
    LEFT.append(weakref.ref(Held()))
    return first


GRAPH = graph_of(sys.modules[__name__])
SETTINGS = {"first": 1, "length": 3, "divisor": 2.0}


@pytest.fixture
def run(tmp_path):
    """Makes runs on one store, with settings and replacements."""
    CALLS.clear()

    def make(replace: dict[str, Any] | None = None, **settings: Any) -> Run:
        return Run(GRAPH, {**SETTINGS, **settings}, Store(tmp_path / "store"), replace=replace)

    return make


def test_a_parameter_is_a_stage_a_setting_or_the_call(run):
    lab = run()
    assert lab.half == 3.0
    assert lab["total"] == 6.0
    assert lab.series.file.read_text() == "kept"
    assert lab.call(lambda half, divisor: (half, divisor)) == (3.0, 2.0)


def test_a_stage_is_computed_once_and_found_by_the_next_run(run):
    first, second = run(), run()
    assert (first.total, first.total, second.total) == (6.0, 6.0, 6.0)
    assert CALLS == ["series", "total"]
    assert [entry.reused for entry in second.entries.values()] == [True, True]


def test_another_setting_computes_what_takes_it_and_what_follows(run):
    assert run().half == 3.0
    CALLS.clear()
    assert run(length=4).half == 5.0
    assert CALLS == ["series", "total", "half"]
    CALLS.clear()
    assert run(divisor=3.0).half == 2.0
    assert CALLS == ["half"]


def test_what_comes_out_the_same_computes_nothing_behind_it(run):
    """`series` is computed for another start, and its numbers are replaced by the same ones."""
    same = Series(np.arange(1, 4), Path("elsewhere"))
    assert run(replace={"series": same}).total == 6.0
    CALLS.clear()
    again = Series(np.arange(1, 4), Path("somewhere else"))
    assert run(replace={"series": again}).total == 6.0
    assert CALLS == []


def test_a_replaced_value_reaches_what_follows_and_spoils_nothing(run):
    assert run().half == 3.0
    assert run(replace={"total": 10.0}).half == 5.0
    assert run().half == 3.0


def test_a_replaced_function_takes_its_inputs_by_name(run):
    assert run(replace={"total": lambda series, length: length * 100.0}).half == 150.0


def test_what_replaces_a_stage_must_have_its_name(run):
    with pytest.raises(TypeError, match="there is no stage 'totals'; there are start, series"):
        run(replace={"totals": 1.0})


def test_a_value_from_outside_is_followed_by_all_behind_it(run):
    lab = run()
    assert lab.half == 3.0
    lab.adopt("total", lab.total)  # its own: nothing changes
    assert lab.half == 3.0
    lab.adopt("total", 100.0)
    assert lab.half == 50.0


def test_a_name_that_is_nothing_is_an_error_before_anything_runs(tmp_path):
    def sum_of(serie: int) -> int:
        return serie

    with pytest.raises(TypeError, match="stage sum_of: nothing is called 'serie'"):
        Run({"sum_of": Stage("sum_of", sum_of, False)}, {}, Store(tmp_path))


def test_what_is_no_stage_is_no_attribute(run):
    with pytest.raises(AttributeError):
        _ = run().nothing
    with pytest.raises(KeyError, match="there is no stage 'nothing'"):
        _ = run()["nothing"]


def test_what_a_stage_leaves_in_a_circle_is_gone(run):
    """A model with its optimizer would stay for good, since what is there is frozen after a stage."""
    assert run().trained == 1
    (left,) = LEFT
    assert left() is None


class OutOfMemoryError(Exception):
    """Stands for anything that ends a training."""


def fail() -> Series:
    """A stage that cannot be computed."""
    CALLS.append("fail")
    raise OutOfMemoryError("no room for the weights")


def test_what_needs_a_failed_stage_fails_without_trying_it_again(run):
    lab = run(replace={"series": fail})
    for name in ("series", "total", "half"):
        with pytest.raises(OutOfMemoryError, match="no room for the weights"):
            _ = lab[name]
    assert CALLS == ["fail"]


def test_the_error_does_not_grow_from_one_test_to_the_next(run):
    lab = run(replace={"series": fail})
    frames = []
    for _ in range(3):
        with pytest.raises(OutOfMemoryError) as caught:
            _ = lab.total
        frames.append(len(caught.traceback))
    assert frames[1] == frames[2] < frames[0]


def test_other_stages_go_on_and_the_next_run_tries_again(run):
    lab = run(replace={"series": fail})
    with pytest.raises(OutOfMemoryError):
        _ = lab.total
    assert lab.start == 1
    assert run().total == 6.0


def test_a_folder_for_what_is_unfinished_is_kept_until_the_stage_is_done(tmp_path):
    def resumed(call: Call) -> int:
        assert call.unfinished is not None
        call.unfinished.mkdir(parents=True, exist_ok=True)
        before = len(list(call.unfinished.iterdir()))
        (call.unfinished / f"epoch-{before}").touch()
        if not before:
            raise KeyboardInterrupt
        return before

    graph = {"resumed": Stage("resumed", resumed, True)}
    store = Store(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        _ = Run(graph, {}, store, resumable=True).resumed
    assert Run(graph, {}, store, resumable=True).resumed == 1
    assert not list((tmp_path / "unfinished").iterdir())


def test_a_run_that_is_not_resumable_keeps_nothing_unfinished(tmp_path):
    graph = {"plain": Stage("plain", lambda call: call.unfinished is None, False)}
    assert Run(graph, {}, Store(tmp_path)).plain is True
