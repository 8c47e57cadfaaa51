"""The page about what the gates can see tells what the runs say, and goes on where it was cut off."""

import json
import re
from pathlib import Path

import pytest

from benchmarks.faults import FAULTS
from benchmarks.power import Task, all_tasks, finished
from benchmarks.power_page import DOSES, REFUSED, Power, Seen, page, seen, upper_end, write
from benchmarks.power_subject import LIMITS

FIRST, SECOND = list(FAULTS)[:2]


def run(fault: str | None, dose: int, *failing: str) -> Seen:
    return Seen(fault, dose, frozenset(failing))


def line(measured: dict[str, float | None], **more: object) -> dict[str, object]:
    sound = {"reload_difference": 0.0, "size_ratio": 1.0}
    return {"fault": None, "dose": 0, "measured": sound | measured, "refused": {}, **more}


def test_there_are_faults_of_every_kind_in_three_doses():
    assert len(FAULTS) >= 24
    areas = {fault.area for fault in FAULTS.values()}
    assert areas == {"data", "labels", "training", "inference", "files"}
    assert {len(fault.doses) for fault in FAULTS.values()} == {len(DOSES)}
    assert all(re.fullmatch(r"[^\n]+\.", fault.what) for fault in FAULTS.values())


@pytest.mark.parametrize(
    ("found", "failing"),
    [
        (line({}), set()),
        (line({"size_ratio": 2.0}), {"size_ratio"}),
        (line({"size_ratio": None}), {"size_ratio"}),
        (line({}, refused={"compare": "LabError: no number"}), {REFUSED}),
    ],
)
def test_a_gate_without_a_number_fails_and_an_exercise_that_is_refused_is_told(found, failing):
    assert seen(found).failing == failing


def test_the_upper_end_is_that_of_clopper_and_pearson():
    """Without an alarm in n runs it solves (1 - p)^n = 0.05."""
    assert upper_end(0, 60) == pytest.approx(1 - 0.05 ** (1 / 60))
    assert upper_end(0, 58) > 0.05 > upper_end(0, 59)
    assert upper_end(60, 60) == 1


def test_a_gate_sees_alone_what_nothing_else_sees_and_from_the_dose_of_which_it_sees_half():
    power = Power(
        (
            run(None, 0),
            run(None, 0, "margin_low"),
            run(FIRST, 0),
            run(FIRST, 0, "loss_ratio"),
            run(FIRST, 1, "loss_ratio", "margin_low"),
            run(FIRST, 1, "margin_low"),
            run(SECOND, 2, REFUSED),
        )
    )
    assert power.alarms("margin_low") == 1
    assert power.alone("loss_ratio") == 1
    assert power.alone("margin_low") == 1
    assert power.smallest(FIRST) == 0
    assert power.smallest(FIRST, "margin_low") == 1
    assert power.smallest(SECOND, "margin_low") is None
    assert power.smallest(SECOND) == 2


def test_the_page_says_which_gates_add_nothing_and_which_alarm():
    healthy = [run(None, 0)] * 60
    full = [run(FIRST, 2, "loss_ratio", "margin_low"), run(SECOND, 2)]
    said = page(Power((*healthy, *full)), 62)
    assert "50 % of 2 runs" in said
    assert f"not met (not in every run: {SECOND})" in said
    assert "0 of 60; upper end 4.9 %" in said
    assert "`margin_low`, `loss_ratio` saw no run that nothing else saw" in said
    assert "No gate alarmed in a healthy run" in said
    assert "still missing" not in said
    assert "none of the lab's own" not in said
    broken = Seen(SECOND, 2, frozenset({REFUSED}), ("ValueError: no such column",))
    assert f"- {SECOND}: `ValueError: no such column`" in page(Power((*healthy, broken)), 61)
    alarming = page(Power((*healthy, run(None, 0, "margin_low"), *full)), 70)
    assert "7 runs are still missing" in alarming
    assert "`margin_low` alarmed in a healthy run" in alarming
    assert "by the upper end, all gates together: not met" in alarming


def test_page_and_plot_are_the_same_bytes_for_the_same_runs(tmp_path):
    lines = [line({}), line({"size_ratio": 2.0}, fault=FIRST, dose=2)]
    written = []
    for name in ("one", "other"):
        folder = tmp_path / name
        folder.mkdir()
        write(lines, 2, folder)
        written.append([(folder / file).read_bytes() for file in ("power.md", "power.svg")])
    assert written[0] == written[1]


def test_it_goes_on_where_it_was_cut_off(tmp_path: Path) -> None:
    """What other code measured does not count, nor half a line."""
    lines = tmp_path / "runs.jsonl"
    there = [line({}, seed=1, code="this"), line({}, seed=2, code="another")]
    lines.write_text("".join(f"{json.dumps(one)}\n" for one in there) + '{"fault": nul')
    assert list(finished(lines, "this")) == [Task(None, 0, 1)]
    assert finished(tmp_path / "none.jsonl", "this") == {}


def test_a_part_of_the_runs_is_like_the_whole():
    tasks = all_tasks(healthy=60, seeds=3)
    assert len(tasks) == len(set(tasks)) == 60 + 9 * len(FAULTS)
    half = tasks[: len(tasks) // 2]
    assert sum(task.fault is None for task in half) == pytest.approx(30, abs=1)


def test_the_page_of_the_docs_has_every_fault_and_every_gate():
    said = Path(__file__).parents[2].joinpath("docs", "power.md").read_text()
    for fault in FAULTS.values():
        assert fault.what in said
    for gate in LIMITS:
        assert f"| `{gate}` |" in said
