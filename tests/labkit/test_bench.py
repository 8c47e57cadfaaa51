"""Two runs of the benchmark are compared by ratios: a slow machine is no change, a slow lab is."""

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import against, scale

RUN: dict[str, Any] = {
    "about": {"commit": "abc", "data": "x", "posts": 480, "epochs": 3, "hardware": {"bf16": True}},
    "gemm": {"fp32": 2e11, "bf16": 8e11},
    "training": {
        "speedup": 5.0,
        "runs": [{"lab": {"flops_per_second": 3e11, "peak_mib": 1300}, "plain": {}}],
    },
    "inference": {"tokens_per_second": 5000.0, "padding": 0.1},
    "scaling": [
        {"posts": 60, "seconds": 9.0},
        {"posts": 120, "seconds": 14.0},
        {"posts": 240, "seconds": 22.0},
    ],
    "data": [
        {"rows": 25_000, "seconds": 6.0, "peak_mib": 500},
        {"rows": 200_000, "seconds": 31.0, "peak_mib": 700},
    ],
    "lab": {
        "cold": {"seconds": 140.0, "peak_mib": 1400},
        "warm_seconds": 6.0,
        "import_seconds": 3.0,
    },
    "scale": [
        {"posts": 1000, "classes": 20, "seconds": 40.0, "peak_mib": 900, "page_bytes": 1_600_000},
        {"posts": 16_000, "classes": 20, "seconds": 99.0, "peak_mib": 950, "page_bytes": 1_700_000},
    ],
}


def slower(value, times, key=""):
    """A run on a machine that is so many times as slow: more seconds, less of anything a second."""
    if isinstance(value, dict):
        return {name: slower(part, times, name) for name, part in value.items()}
    if isinstance(value, list):
        return [slower(part, times, key) for part in value]
    if key.endswith("seconds"):
        return times * value
    return value / times if key in ("fp32", "bf16") or key.endswith("per_second") else value


def test_a_machine_half_as_fast_is_no_change():
    now = slower(RUN, 2)
    now["about"] = RUN["about"]
    before, after = against.ratios(RUN), against.ratios(now)
    assert after.keys() == before.keys()
    for name, (value, better) in before.items():
        assert after[name][0] == pytest.approx(value)
        assert after[name][1] == better
    assert "WORSE" not in against.comparison(now, RUN)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda run: run["training"].update(speedup=4.0), "times as fast"),
        (lambda run: run["lab"].update(warm_seconds=7.0), "warm lab"),
        (lambda run: run["scale"][1].update(seconds=200.0), "scale: seconds a post"),
        (lambda run: run["scale"][1].update(page_bytes=3_000_000), "largest page"),
        (lambda run: run["lab"]["cold"].update(peak_mib=1800), "cold lab: peak"),
    ],
)
def test_a_lab_that_is_slower_or_larger_is_named(change, named):
    now = copy.deepcopy(RUN)
    change(now)
    worse = [line for line in against.comparison(now, RUN).splitlines() if "WORSE" in line]
    assert len(worse) == 1
    assert named in worse[0]


def test_runs_of_other_posts_are_told_apart():
    now = copy.deepcopy(RUN)
    now["about"]["posts"] = 160
    assert "Not the same posts: 480 then, 160 now." in against.comparison(now, RUN)


def test_a_part_that_one_of_the_runs_lacks_is_left_out():
    part = {"about": RUN["about"], "lab": RUN["lab"]}
    shown = against.comparison(part, RUN)
    assert "warm lab" in shown
    assert "inference" not in shown


def test_posts_grow_at_one_number_of_classes_and_classes_at_the_fewest_posts():
    found = scale.sizes([50, 10, 20], [2, 150, 20])
    assert found == [(10, 20), (20, 20), (50, 20), (10, 2), (10, 150)]


def test_the_benchmark_trains_by_both_recipes_at_one_rate(tiny_checkpoint, tiny_dataset, tmp_path):
    """Nobody runs it between releases, so what it takes from the lab is held here, on a few posts."""
    found = tmp_path / "bench.json"
    command = [sys.executable, "benchmarks/run.py", "--parts", "training", "inference"]
    command += ["--lab-base-model", str(tiny_checkpoint), "--lab-dataset", str(tiny_dataset)]
    command += ["--posts", "16", "--epochs", "1", "--seeds", "42", "--json", str(found)]
    run = subprocess.run(
        command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert "training, plain recipe" in run.stdout
    training = json.loads(found.read_text())["training"]
    (pair,) = training["runs"]
    assert pair["plain"]["learning_rate"] == pair["lab"]["learning_rate"] > 0
    assert pair["plain"]["tokens"] == pair["lab"]["tokens"] > 0
