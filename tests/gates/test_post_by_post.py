"""Two runs are compared post by post, and identity is checked, not assumed."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from labkit.evaluation.gates import gates_of
from labkit.plumbing.results import plain
from labkit.report.blocks import Mistakes
from labkit.runs import history, post_by_post
from labkit.runs.flips import against, blocks
from labkit.runs.post_by_post import Kept, Said, compare, keep, load
from tests.gates.test_history import BASELINE
from tests.running import run_pytest


def kept(answers: str, truth: str = "a", part: str = "") -> Kept:
    """Posts 0, 1, ... of one class, each with an answer of one letter."""
    posts = {f"{i:03}": [Said(truth, answer, 0.9, part)] for i, answer in enumerate(answers)}
    return Kept(posts, {"model.safetensors": "1"})


def test_a_damaged_file_of_predictions_is_written_anew(tmp_path):
    said = kept("ab")
    path = tmp_path / "predictions" / f"{said.save(tmp_path)}.json"
    path.write_text(path.read_text()[:20])
    assert load(said.name, [tmp_path]) is None
    said.save(tmp_path)
    assert load(said.name, [tmp_path]) == said


def test_flips_are_counted_by_direction_and_wrong_ones_that_stay_wrong_apart():
    flips = compare(kept("aaabbc"), kept("aabacb"), 0.01)
    assert (flips.all.posts, flips.all.won, flips.all.lost) == (6, 1, 1)
    assert "1 became right, 1 became wrong, and 2 have another wrong answer" in flips.sentences[0]


def test_posts_are_matched_by_their_text_and_never_by_their_row():
    before = kept("ab")
    turned = Kept(dict(reversed(before.posts.items())), before.files)
    assert compare(before, turned, 0.01).all.won == 0
    other = Kept({"x": before.posts["000"], "y": before.posts["001"]}, before.files)
    flips = compare(before, other, 0.01)
    assert flips.pairs == ()
    assert flips.alone == 4
    assert "none can be compared" in flips.sentences[0]
    assert blocks(flips, {}) == ()


def test_a_post_with_another_class_now_is_left_out_and_said():
    flips = compare(kept("ab"), Kept({**kept("ab").posts, "000": [Said("b", "b", 0.9)]}, {}), 0.01)
    assert (len(flips.pairs), flips.relabelled) == (1, 1)
    assert "1 have another class now" in flips.sentences[-1]


def test_a_text_that_stands_there_twice_counts_twice():
    twice = Kept({"t": [Said("a", "a", 0.9), Said("b", "a", 0.9)]}, {})
    now = Kept({"t": [Said("a", "b", 0.9), Said("b", "b", 0.9)]}, {})
    assert (compare(twice, now, 0.01).all.won, compare(twice, now, 0.01).all.lost) == (1, 1)


def test_classes_and_slices_have_their_own_lines_worst_first():
    before = Kept(
        {
            **{f"a{i}": [Said("a", "a", 0.9, "short")] for i in range(20)},
            **{f"b{i}": [Said("b", "a", 0.9, "long")] for i in range(20)},
        },
        {},
    )
    after = Kept(
        {key: [replace(said, answer="b") for said in value] for key, value in before.posts.items()},
        {},
    )
    flips = compare(before, after, 0.01)
    names = [group.name for group in flips.groups]
    assert names == ["all", "a", "slice short", "b", "slice long"]
    assert flips.all.difference == 0.0
    assert flips.groups[1].difference == -1.0
    assert flips.groups[1].p == pytest.approx(4 * 2 * 0.5**20)


@pytest.mark.parametrize(
    ("tolerance", "said"), [(0.001, "is below what this test set"), (0.2, "runs.")]
)
def test_a_tolerance_below_what_the_posts_can_tell_is_said_to_be_so(tolerance, said):
    flips = compare(kept("a" * 100), kept("a" * 100), tolerance)
    assert said in flips.sentences[2]


def test_the_posts_are_shown_with_their_texts_surest_mistake_first():
    before, after = kept("aab"), kept("bba")
    after.posts["001"] = [Said("a", "b", 0.99)]
    shown = blocks(compare(before, after, 0.01), {"000": "one", "001": "two", "002": "three"})
    wrong, right = (block for block in shown if isinstance(block, Mistakes))
    assert [mistake.text for mistake in wrong.rows] == ["two", "one"]
    assert [mistake.text for mistake in right.rows] == ["three"]
    assert "2 of 2" in wrong.title


def test_predictions_that_were_tampered_with_are_none(tmp_path):
    name = kept("ab").save(tmp_path)
    assert load(name, [tmp_path / "elsewhere", tmp_path]) == kept("ab")
    file = tmp_path / "predictions" / f"{name}.json"
    file.write_text(file.read_text().replace('"b"', '"a"', 1))
    assert load(name, [tmp_path]) is None
    file.write_text("[]")
    assert load(name, [tmp_path]) is None
    assert load(None, [tmp_path]) is None


def test_a_run_that_kept_none_is_said_to_have_kept_none(tiny_lab, tmp_path):
    shown = against(BASELINE, kept("ab"), tiny_lab.posts, {}, [tmp_path])
    assert "no predictions here" in shown.sentences[0]


def test_a_record_of_before_can_still_be_read(tmp_path):
    old = {key: value for key, value in plain(BASELINE).items() if key != "predictions"}
    (tmp_path / "baseline.json").write_text(json.dumps(old))
    assert history.find("", tmp_path)[0] == BASELINE


def test_a_run_keeps_every_test_post_once(tiny_lab):
    found = keep(tiny_lab.posts, tiny_lab.predictions, {})
    assert sum(map(len, found.posts.values())) == len(tiny_lab.posts.test)
    right = tiny_lab.predictions.logits.test.argmax(axis=1) == tiny_lab.posts.truth.test
    assert sum(said.right for several in found.posts.values() for said in several) == right.sum()
    assert post_by_post.of(tiny_lab).name != found.name  # that of a run has the model's files


@pytest.fixture(scope="module")
def twice(tmp_path_factory, tiny_checkpoint, tiny_dataset, one_thread):
    """A run that is pinned, the same trained anew by workers, and one with another seed."""
    folder = tmp_path_factory.mktemp("twice")
    pinned = folder / "pinned" / "base.json"
    output = []
    limits = {
        gate.name: gate.low if gate.higher_is_better else min(gate.high, 9.0)
        for gate in gates_of("fine_tune")
    }
    loose = [f"--lab-gate={name}={limit}" for name, limit in limits.items()]
    for more in (
        ("--lab-pin", str(pinned)),
        ("--lab-fresh", "-n2", "--lab-compare", str(pinned)),
        ("--lab-seed=5", "--lab-compare", str(pinned), "--lab-tolerance=fine_tuned_accuracy=1"),
    ):
        done = run_pytest(
            *("tests/exercises/test_4_fine_tune.py", "-k", "test_gate", *loose),
            *("--lab-profile=embedded", f"--lab-base-model={tiny_checkpoint}"),
            *(f"--lab-dataset={tiny_dataset}", "--lab-max-length=64", "--lab-learning-rate=5e-3"),
            *more,
            folder=folder,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        output.append(done.stdout + done.stderr)
    return folder, output


def said_of(output: str) -> str:
    return " ".join(output.split())


def test_the_same_seed_and_code_turn_no_answer(twice):
    _, (_, again, _) = twice
    assert "0 became right, 0 became wrong, and 0 have another wrong answer" in said_of(again)
    assert "The two models have the same files." in said_of(again)


def test_another_seed_is_compared_too_and_has_other_files(twice):
    _, (_, _, other) = twice
    assert "not the same files: model.safetensors" in said_of(other)


def test_the_report_and_the_summary_say_it_as_well(twice):
    folder, _ = twice
    summary = (folder / "reports" / "summary.md").read_text()
    page = (folder / "reports" / "lab.html").read_text()
    for text in (summary, page):
        assert "test posts in both runs" in text
    assert "Post by post, by class and slice" in page


def test_equal_runs_share_a_file_and_the_baseline_has_its_own(twice: tuple[Path, list[str]]):
    folder, _ = twice
    kept_there = {path.name for path in (folder / "reports" / "predictions").glob("*.json")}
    assert len(kept_there) == 2  # of three runs
    assert {path.name for path in (folder / "pinned" / "predictions").glob("*.json")} < kept_there


def test_confidences_are_numbers_even_where_logits_are_none(tiny_lab):
    logits = replace(tiny_lab.predictions.logits, test=np.full((24, 2), np.nan))
    broken = keep(tiny_lab.posts, replace(tiny_lab.predictions, logits=logits), {})
    assert json.loads(broken.text())
