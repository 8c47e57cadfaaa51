"""Two runs are compared post by post, and identity is checked, not assumed."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from labkit import lab
from labkit.evaluation.gates import gates_of
from labkit.evaluation.paired import WITH_SEED, SeedSpread
from labkit.plumbing.results import plain
from labkit.plumbing.store import Store
from labkit.report.blocks import Mistakes
from labkit.runs import history, post_by_post
from labkit.runs.flips import OF_ANSWERS, against, blocks
from labkit.runs.history import Record
from labkit.runs.post_by_post import Kept, Said, compare, keep, load
from labkit.runs.seeds import reseeded, spreads
from tests.records import BASELINE, NOW, VALUES
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
    ("tolerance", "said"), [(0.001, "is below what this comparison"), (0.2, "runs.")]
)
def test_a_tolerance_below_what_the_posts_can_tell_is_said_to_be_so(tolerance, said):
    flips = compare(kept("a" * 100), kept("a" * 100), tolerance)
    assert said in flips.sentences[3]


WORSE = kept("a" * 80 + "b" * 20)  # of 100, all of which were right


def test_a_drop_beyond_the_draw_of_posts_and_within_that_of_the_seed_is_no_change():
    """20 points with 20 flips; seeds whose standard deviation is 8 points differ by 23."""
    found = compare(kept("a" * 100), WORSE, 0.01)
    assert found.changed
    assert "another seed changes is not known here" in found.sentences[1]
    assert found.sentences[1].endswith("this is a change.")
    spread = SeedSpread(0.08, 30)
    found = compare(kept("a" * 100), WORSE, 0.01, spread)
    assert found.luck == pytest.approx(spread.luck)
    assert not found.changed
    assert "over 30 seeds: 8.0 points" in found.sentences[1]
    assert found.sentences[1].endswith("this shows no change.")
    assert compare(kept("a" * 100), WORSE, 0.01, SeedSpread(0.02, 30)).changed


def test_luck_is_known_by_post_alone_where_too_few_seeds_were_tried():
    few = replace(BASELINE, seeds={"fine_tuned_accuracy": {"1": 0.8, "2": 0.9}})
    assert spreads(few.seeds) == {}
    enough = {"fine_tuned_accuracy": {"1": 0.8, "2": 0.9, "3": 0.85}}
    spread = spreads(enough)["fine_tuned_accuracy"]
    assert spread.trainings == 3
    assert spread.deviation == pytest.approx(0.05)
    assert spread.luck == pytest.approx(
        4.303 * 0.05 * 2**0.5, rel=1e-3
    )  # Student's t, two freedoms


def run_of(seed: int, accuracy: float, **other: Any) -> Record:
    values = {**BASELINE.values, "fine_tune": {"fine_tuned_accuracy": accuracy}}
    return replace(BASELINE, recipe={"seed": seed, "epochs": 3}, values=values, **other)


def test_the_history_tells_what_another_seed_changes(tmp_path):
    for run in (
        run_of(1, 0.80),
        run_of(2, 0.90),
        run_of(2, 0.91),  # the last of a seed counts
        run_of(4, 0.10, commit="another"),
        run_of(5, 0.10, data_fingerprint="another"),
        replace(run_of(6, 0.10), recipe={"seed": 6, "epochs": 9}),
    ):
        run.append(tmp_path)
    known = run_of(3, 0.85, seeds={"fine_tuned_accuracy": {"9": 0.7}})
    found = reseeded(known, tmp_path)["fine_tuned_accuracy"]
    assert found == {"1": 0.80, "2": 0.91, "3": 0.85, "9": 0.7}


def test_a_run_that_trained_with_several_seeds_knows_what_the_seed_changes(tmp_path):
    """Its accuracy and its margin over what is fixed, with no other run beside it."""
    values = {
        "fine_tuned_accuracy": 0.86,
        "margin": 0.05,
        f"{WITH_SEED}43": 0.88,
        f"{WITH_SEED}44": 0.85,
    }
    run = run_of(42, 0.86)
    found = reseeded(replace(run, values={**run.values, "fine_tune": values}), tmp_path)
    assert found["fine_tuned_accuracy"] == {"42": 0.86, "43": 0.88, "44": 0.85}
    assert found["margin"] == pytest.approx({"42": 0.05, "43": 0.07, "44": 0.04})
    assert spreads(found).keys() >= {"fine_tuned_accuracy", "margin"}


def test_a_worsening_that_another_seed_explains_fails_no_run_unless_a_tolerance_is_given():
    worse = {**VALUES, "fine_tune": {**VALUES["fine_tune"], "fine_tuned_accuracy": 0.47}}
    lucky = {"fine_tuned_accuracy": 0.04}
    found = history.compare(BASELINE, worse, NOW, {}, luck=lucky)
    assert found.regressions == ()
    assert "luck explains 0.04" in " ".join(change.shown for change in found.changes)
    given = {"fine_tuned_accuracy": 0.01}
    assert history.compare(BASELINE, worse, NOW, given, luck=lucky).regressions
    assert history.compare(BASELINE, worse, NOW, {}).regressions


def test_luck_goes_from_the_flips_to_every_metric_of_the_answers(tiny_lab, tmp_path):
    now = keep(tiny_lab.posts, tiny_lab.predictions, {})
    baseline = replace(BASELINE, predictions=now.save(tmp_path))
    found = {"fine_tuned_accuracy": SeedSpread(0.001, 9), "silhouette_after": SeedSpread(0.1, 9)}
    shown = against(baseline, now, tiny_lab.posts, {}, [tmp_path], found)
    assert shown.luck["silhouette_after"] == pytest.approx(found["silhouette_after"].luck)
    assert {shown.luck[name] for name in OF_ANSWERS} == {1 / 24}  # no flip: half a post either way


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
    shown = against(BASELINE, kept("ab"), tiny_lab.posts, {}, [tmp_path], {})
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


def test_the_same_seed_and_code_turn_no_answer(tiny_config, tmp_path):
    """Trained twice, each in a store of its own; another seed shows that it could turn some."""
    runs = [
        lab.run(replace(tiny_config, recipe=replace(tiny_config.recipe, seed=seed)), Store(store))
        for seed, store in ((1, tmp_path / "1"), (1, tmp_path / "2"), (2, tmp_path / "3"))
    ]
    first, again, other = map(post_by_post.of, runs)
    assert first == again
    flips = compare(first, again, 0.01)
    assert "0 became right, 0 became wrong, and 0 have another wrong answer" in flips.sentences[0]
    assert "The two models have the same files." in flips.sentences
    assert compare(first, other, 0.01).files == ("model.safetensors",)


@pytest.fixture(scope="module")
def twice(tmp_path_factory, tiny_checkpoint, tiny_dataset, one_thread):
    """A run that is pinned, and one with another seed, by workers, compared with it."""
    folder = tmp_path_factory.mktemp("twice")
    pinned = folder / "pinned" / "base.json"
    output = []
    limits = {
        gate.name: gate.low if gate.higher_is_better else min(gate.high, 9.0)
        for gate in gates_of("fine_tune")
    }
    loose = [f"--lab-gate={name}={limit}" for name, limit in limits.items()]
    easy = "--lab-tolerance=fine_tuned_accuracy=1"
    for more in (
        ("--lab-pin", str(pinned)),
        ("--lab-seed=5", "-n2", "--lab-compare", str(pinned), easy),
    ):
        done = run_pytest(
            *("tests/exercises/test_4_fine_tune.py", "-k", "test_gate", *loose),
            *("--lab-profile=embedded", f"--lab-base-model={tiny_checkpoint}"),
            *(f"--lab-dataset={tiny_dataset}", "--lab-max-length=64", "--lab-learning-rate=5e-3"),
            "--lab-seeds=1",
            *more,
            folder=folder,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        output.append(done.stdout + done.stderr)
    return folder, output


def said_of(output: str) -> str:
    return " ".join(output.split())


def test_another_seed_is_compared_too_and_has_other_files(twice):
    folder, (_, other) = twice
    assert "not the same files: model.safetensors" in said_of(other)
    assert "What another seed changes is not known here" in said_of(other)
    lines = (folder / "reports" / history.FILE).read_text().splitlines()
    assert json.loads(lines[-1])["seeds"]["fine_tuned_accuracy"].keys() == {"42", "5"}


def test_the_report_and_the_summary_say_it_as_well(twice):
    folder, _ = twice
    summary = (folder / "reports" / "summary.md").read_text()
    page = (folder / "reports" / "lab.html").read_text()
    for text in (summary, page):
        assert "test posts in both runs" in text
    assert "Post by post, by class and slice" in page


def test_each_run_keeps_its_answers_and_the_baseline_has_its_own(twice: tuple[Path, list[str]]):
    folder, _ = twice
    kept_there = {path.name for path in (folder / "reports" / "predictions").glob("*.json")}
    assert len(kept_there) == 2
    assert {path.name for path in (folder / "pinned" / "predictions").glob("*.json")} < kept_there


def test_confidences_are_numbers_even_where_logits_are_none(tiny_lab):
    logits = replace(tiny_lab.predictions.logits, test=np.full((24, 2), np.nan))
    broken = keep(tiny_lab.posts, replace(tiny_lab.predictions, logits=logits), {})
    assert json.loads(broken.text())
