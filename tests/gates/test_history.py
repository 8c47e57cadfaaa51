"""History and baseline: what counts as worse, what is compared, and who may become a baseline."""

import json
from dataclasses import replace
from typing import Any

import pytest

from labkit.errors import LabError
from labkit.plumbing.results import plain
from labkit.runs import history, trend
from labkit.runs.description import describe
from labkit.runs.history import METRICS, Change
from tests.records import BASELINE, NOW, VALUES
from tests.running import run_pytest

EACH = pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)


def now(metric, value):
    return VALUES | {metric.exercise: VALUES[metric.exercise] | {metric.name: value}}


@EACH
@pytest.mark.parametrize(("factor", "regressed"), [(1.5, True), (0.5, False), (-9, False)])
def test_a_metric_regresses_in_its_own_direction_beyond_its_tolerance(metric, factor, regressed):
    worse = -1 if metric.higher_is_better else 1
    values = now(metric, 0.5 + worse * factor * metric.tolerance)
    comparison = history.compare(BASELINE, values, NOW, {})
    assert [c.metric.name for c in comparison.regressions] == [metric.name] * regressed


@EACH
def test_a_metric_that_has_no_number_any_more_is_a_regression(metric):
    comparison = history.compare(BASELINE, now(metric, None), NOW, {})
    assert [c.metric.name for c in comparison.regressions] == [metric.name]
    assert "nothing" in comparison.regressions[0].shown


def test_an_exercise_that_failed_before_it_measured_is_a_regression():
    comparison = history.compare(BASELINE, {"fine_tune": {}}, NOW, {})
    assert {c.metric.name for c in comparison.regressions} == {
        metric.name for metric in METRICS if metric.exercise == "fine_tune"
    }


def test_an_exercise_that_was_not_asked_for_is_not_compared():
    comparison = history.compare(BASELINE, {"compare": VALUES["compare"]}, NOW, {})
    assert {change.metric.exercise for change in comparison.changes} == {"compare"}


def test_a_metric_that_is_new_is_said_to_be_new():
    bare = replace(BASELINE, values={})
    comparison = history.compare(bare, VALUES, NOW, {})
    assert comparison.regressions == ()
    assert all(change.shown.startswith("new") for change in comparison.changes)


def test_a_tolerance_of_the_users_counts():
    metric = METRICS[0]
    values = now(metric, 0.5 - 2 * metric.tolerance)
    assert history.compare(BASELINE, values, NOW, {}).regressions
    loose = {metric.name: 3 * metric.tolerance}
    assert not history.compare(BASELINE, values, NOW, loose).regressions


@pytest.mark.parametrize(
    ("tolerances", "message"),
    [
        ({"accuracy": 0.1}, "no such metric; there are topic_gap, zero_shot_accuracy"),
        ({"margin": -0.1}, "-0.1 is out of range, it takes 0 or more"),
        ({"margin": float("nan")}, "nan is out of range"),
    ],
)
def test_a_wrong_tolerance_is_an_error(tolerances, message):
    with pytest.raises(LabError, match=message):
        history.with_tolerances(tolerances)


def test_what_else_is_not_the_same_is_said():
    (difference,) = history.compare(BASELINE, VALUES, NOW | {"labels": ["a", "c"]}, {}).differences
    assert difference == "labels: ['a', 'b'] then, ['a', 'c'] now"


MADE_OF: dict[str, Any] = {
    "trained_elsewhere": "no",
    "posts": {"train": 480, "validation": 120, "test": 400},
    "selection": {"split_seed": 42},
    "recipe": {"epochs": 3, "max_length": 256},
    "libraries": {"torch": "2.13.0"},
    "machine": {"processor": "one", "threads": 2},
}


@pytest.mark.parametrize(
    ("part", "now", "said"),
    [
        ("posts", {"train": 200}, "posts: train 480 then, 200 now"),
        ("posts", {"validation": 60}, "posts: validation 120 then, 60 now"),
        ("selection", {"split_seed": 7}, "selection: split seed 42 then, 7 now"),
        ("recipe", {"max_length": 64}, "recipe: max length 256 then, 64 now"),
        ("recipe", {"new": 1}, "recipe: new None then, 1 now"),
        ("libraries", {"torch": "2.14.0"}, "libraries: torch 2.13.0 then, 2.14.0 now"),
        ("machine", {"threads": 8}, "machine: threads 2 then, 8 now"),
    ],
)
def test_each_part_that_is_not_the_same_is_named(part, now, said):
    baseline = replace(BASELINE, **MADE_OF)
    changed = MADE_OF | {part: MADE_OF[part] | now}
    assert history.compare(baseline, VALUES, changed, {}).differences == (said,)
    assert history.compare(baseline, VALUES, MADE_OF, {}).differences == ()
    before_there_were = history.compare(BASELINE, VALUES, changed, {})
    assert before_there_were.differences == (), "what was not recorded cannot differ"


def test_another_model_is_named():
    baseline = replace(BASELINE, **MADE_OF)
    other = MADE_OF | {"trained_elsewhere": "./mine"}
    (said,) = history.compare(baseline, VALUES, other, {}).differences
    assert said == "trained elsewhere: no then, ./mine now"


def test_a_description_has_all_that_a_record_takes(tiny_lab, tiny_config):
    found = describe(tiny_config, tiny_lab)
    assert found["posts"]["train"] == len(tiny_lab.posts.train)
    assert {"torch", "transformers"} <= found["libraries"].keys()
    assert {"processor", "threads", "system"} <= found["machine"].keys()
    record = replace(BASELINE, **found)
    assert history.compare(record, VALUES, found, {}).differences == ()
    assert json.loads(json.dumps(plain(record))) == plain(record)


def test_the_trend_has_this_run_behind_those_on_the_same_posts(tmp_path):
    for number, fingerprint in enumerate(("f", "other", "f")):
        run = f"2026010{number}T000000Z"
        replace(BASELINE, run=run, data_fingerprint=fingerprint, passed=number == 0).append(
            tmp_path
        )
    now = {"data_fingerprint": "f", "labels": ["a", "b"]}
    metric = METRICS[0]
    worse = {metric.exercise: {metric.name: 0.25}}
    compared = history.compare(BASELINE, worse, now, {})
    figure = trend.of(compared, now, False, tmp_path)
    assert figure is not None
    assert figure.title == "The last 3 runs on these posts"
    assert f"{metric.name} 0.5 at first, 0.25 now" in figure.alt
    assert metric.name in figure.svg
    assert trend.of(compared, now | {"data_fingerprint": "new"}, False, tmp_path) is None


def test_a_change_reads_in_one_line():
    metric = next(m for m in METRICS if m.name == "fine_tuned_accuracy")
    assert Change(metric, 0.96, 0.9).shown == (
        "REGRESSED fine_tuned_accuracy  0.96 -> 0.9 (higher is better, tolerance 0.01)"
    )


def test_a_run_is_found_by_the_start_of_its_name(tmp_path):
    for run in ("20260101T000000Z", "20260102T000000Z"):
        replace(BASELINE, run=run).append(tmp_path)
    record, remarks = history.find("20260102", tmp_path)
    assert record.run == "20260102T000000Z"
    assert remarks == ()


def test_a_failed_run_is_no_baseline(tmp_path):
    replace(BASELINE, passed=False).append(tmp_path)
    with pytest.raises(LabError, match="run 20260101T000000Z failed, and is no yardstick"):
        history.find("20260101", tmp_path)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("", r"no baseline in .*baseline\.json; a run with --lab-pin writes one"),
        ("2031", "no such file or run; the last runs are 20260101T000000Z"),
        ("other.json", r"other\.json is not the record of a run"),
    ],
)
def test_what_cannot_be_compared_with_is_told_in_a_line(tmp_path, asked, message, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other.json").write_text('{"a": 1}')
    BASELINE.append(tmp_path)
    with pytest.raises(LabError, match=message):
        history.find(asked, tmp_path)


def test_a_broken_line_of_the_history_is_named_and_left_out(tmp_path):
    BASELINE.append(tmp_path)
    with (tmp_path / history.FILE).open("a") as file:
        file.write("{half a rec\n")
    record, remarks = history.find("2026", tmp_path)
    assert record == BASELINE
    assert [remark.partition(": ")[2] for remark in remarks] == [
        "line 2 is no record of a run; it is left out"
    ]


@pytest.fixture(scope="module")
def runs(tmp_path_factory, tiny_checkpoint, tiny_dataset):
    """Exercise 1 four times: pinned, compared, compared with a better past, failed with a pin."""
    folder = tmp_path_factory.mktemp("history")
    baseline = folder / "reports" / history.BASELINE

    def run(*args):
        common = ["-k", "test_gate and pretrained", "--lab-profile=embedded", "--lab-max-length=64"]
        common += [f"--lab-base-model={tiny_checkpoint}", f"--lab-dataset={tiny_dataset}"]
        return run_pytest(*common, *args, folder=folder)

    hold = "--lab-gate=topic_gap_low=-2"
    results = {"pinned": run(hold, "--lab-pin"), "same": run(hold, "--lab-compare")}
    past = json.loads(baseline.read_text())
    past["values"]["pretrained_knowledge"]["topic_gap"] += 0.5
    (folder / "better.json").write_text(json.dumps(past))
    results["worse"] = run(hold, f"--lab-compare={folder / 'better.json'}", "--lab-pin")
    (folder / "worse.html").write_text((folder / "reports" / "lab.html").read_text())
    results["failed"] = run("--lab-gate=topic_gap_low=2", "--lab-pin")
    return results, folder / "reports", json.loads(baseline.read_text())


def test_a_run_like_the_baseline_passes_and_shows_the_comparison(runs):
    results, _, _ = runs
    assert results["pinned"].returncode == 0, results["pinned"].stdout
    assert results["same"].returncode == 0, results["same"].stdout
    assert "ok        topic_gap" in results["same"].stdout


def test_a_regression_fails_the_run_in_terminal_and_report(runs):
    results, reports, _ = runs
    assert results["worse"].returncode == 1
    assert "REGRESSED topic_gap" in results["worse"].stdout
    assert "worse than the baseline: topic_gap" in results["worse"].stdout
    assert results["worse"].stdout.count("FAILED") == 0  # no test failed, the comparison did
    page = (reports.parent / "worse.html").read_text()
    assert "<td>regressed</td>" in page
    assert "The last 3 runs on these posts" in page
    assert "worse than the baseline: topic_gap" in page


def test_every_run_is_in_the_history_with_its_outcome(runs):
    _, reports, _ = runs
    records = [json.loads(line) for line in (reports / history.FILE).read_text().splitlines()]
    assert [record["passed"] for record in records] == [True, True, False, False]
    assert records[0]["values"]["pretrained_knowledge"]["sentences"] > 20
    assert len(records[0]["data_fingerprint"]) == 64


def test_neither_a_regression_nor_a_failed_run_becomes_the_baseline(runs):
    results, reports, baseline = runs
    records = [json.loads(line) for line in (reports / history.FILE).read_text().splitlines()]
    assert baseline["run"] == records[0]["run"]
    record, _ = history.find("", reports)
    assert plain(record) == baseline
    for name in ("worse", "failed"):
        assert "not pinned as the baseline: the run failed" in results[name].stdout


def test_the_workers_of_xdist_pin_and_compare_as_one_run(tmp_path, tiny_checkpoint, tiny_dataset):
    reports = tmp_path / "reports"

    def run(*args):
        common = ["-n", "2", "--lab-profile=embedded", "--lab-max-length=64", "--lab-pin", *args]
        common += ["-k", "test_gate and (pretrained or training_data)"]
        common += [f"--lab-base-model={tiny_checkpoint}", f"--lab-dataset={tiny_dataset}"]
        return run_pytest(*common, "--lab-gate=topic_gap_low=-2", folder=tmp_path)

    pinned = run()
    assert pinned.returncode == 0, pinned.stdout + pinned.stderr
    baseline = json.loads((reports / history.BASELINE).read_text())
    assert baseline["values"].keys() == {"pretrained_knowledge", "training_data"}
    better = json.loads(json.dumps(baseline))
    better["values"]["pretrained_knowledge"]["topic_gap"] += 0.5
    (tmp_path / "better.json").write_text(json.dumps(better))
    worse = run(f"--lab-compare={tmp_path / 'better.json'}")
    assert worse.returncode == 1
    assert worse.stdout.count("REGRESSED topic_gap") == 1
    assert "not pinned as the baseline: the run failed" in worse.stdout
    assert json.loads((reports / history.BASELINE).read_text()) == baseline
    assert len((reports / history.FILE).read_text().splitlines()) == 2
