"""The answers' sentences are true for two classes and five, with slices and without, whoever wins.

Made of results that nobody had to measure: every method is right on the posts that a case says.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest

from labkit.answers import (
    compare,
    fine_tune,
    mistakes,
    pretrained_knowledge,
    save_and_track,
    training_data,
    verdicts,
    zero_shot,
)
from labkit.config import Recipe
from labkit.data.posts import Cleaning, Posts
from labkit.data.probes import Probes
from labkit.evaluation.comparison import Paired
from labkit.evaluation.findings import DataChecks
from labkit.evaluation.intervals import Estimate
from labkit.evaluation.metrics import evaluate, evaluate_all
from labkit.evaluation.scores import BaselineScores, ZeroShotScores
from labkit.evaluation.separation import Separation, Separations
from labkit.model.checkpoints import Checkpoint
from labkit.model.predictions import BySplit, Predictions, Reseeded
from labkit.report.blocks import Mistakes
from labkit.report.plots import learning_rates, methods
from labkit.report.plots.style import Figure
from labkit.report.wording import percent_interval
from labkit.training.history import Epoch, FineTuned, History, Sweep, Trial
from labkit.training.plan import Plan

SIZE, HARD = 200, 40  # test posts, and those of the slice `hard`, which come first
WORDINGS = (("one",), ("two",), ("three",))
# By case: the posts that each method gets wrong.
CASES: Mapping[str, Mapping[str, range]] = {
    "wins": {"tuned": range(10), "probe": range(40), "zero_shot": range(60)},
    "ties": {"tuned": range(30), "probe": range(1, 31), "zero_shot": range(2, 32)},
    "loses": {"tuned": range(60), "probe": range(10), "zero_shot": range(10)},
}


@dataclass(frozen=True)
class World:
    """Posts, and what every method makes of them."""

    posts: Posts
    evaluations: Any
    zero_shot: ZeroShotScores
    baselines: BaselineScores
    predictions: Predictions


def scores_of(truth: np.ndarray, classes: int, wrong: Any) -> np.ndarray:
    """Scores that are right but for some posts, which get the next class."""
    said = truth.copy()
    said[list(wrong)] = (said[list(wrong)] + 1) % classes
    return np.eye(classes, dtype=np.float32)[said]


def build(classes: int, slices: bool, wrong: Mapping[str, Any], asked: int = SIZE) -> World:
    truth = np.arange(SIZE) % classes
    rows = {"text": [f"post {i}" for i in range(SIZE)], "label": truth.tolist()}
    if slices:
        rows["slice"] = ["hard"] * HARD + ["easy"] * (SIZE - HARD)
    split = datasets.Dataset.from_dict(rows)
    labels = tuple(f"class {i}" for i in range(classes))
    posts = Posts(split, split, split, labels, Cleaning({}, {}, 0, 0))
    by_wording = [
        scores_of(truth, classes, set(wrong["zero_shot"]) | set(range(100, 100 + more)))
        for more in (0, 20, 40)
    ]
    heads = np.random.default_rng(0).random((20, asked, classes))
    zero_shot_scores = ZeroShotScores(WORDINGS, np.stack(by_wording), np.arange(asked), heads)
    probe = scores_of(truth, classes, wrong["probe"])
    baselines = BaselineScores(
        np.full((SIZE, classes), 1 / classes), scores_of(truth, classes, range(70)), probe
    )
    tuned = wrong.get("tuned_scores")
    logits = 2 * (scores_of(truth, classes, wrong["tuned"]) if tuned is None else tuned)
    splits = BySplit(logits, logits, logits)
    predictions = Predictions(splits, splits)
    evaluations = evaluate_all(posts, 0, baselines, zero_shot_scores, predictions)
    return World(posts, evaluations, zero_shot_scores, baselines, predictions)


@pytest.fixture(autouse=True)
def nothing_drawn(monkeypatch):
    for plots in (methods, learning_rates):
        monkeypatch.setattr(
            plots, "figure_of", lambda canvas, title, alt, how="": Figure(title, alt, "", how)
        )


def fine_tuned_sentence(world: World) -> str:
    trained = FineTuned(Path(), None, world.predictions.logits.validation)
    return fine_tune.answer(world.posts, world.evaluations, trained, *(None,) * 4, 0).sentence


def test_exercise_4_says_what_the_seed_does_and_what_the_interval_covers():
    """The kept model errs on 20 of the 200 posts, the other two on 10 of these and on 30."""
    truth = np.arange(SIZE) % 2
    kept = scores_of(truth, 2, range(20))
    logits = np.stack([scores_of(truth, 2, range(wrong)) for wrong in (10, 30)])
    others = Reseeded((1, 2), logits, np.ones(2))
    tuned = evaluate("fine_tuned", kept, truth, 0, others=logits)
    said, values = fine_tune.about_seeds(tuned, others)
    assert "with 3 seeds it gets 85.0 % to 95.0 % (SD 5.0 points)" in said
    assert "gives another answer than the kept one on 5.0 % of the posts" in said
    assert values["seed_disagreement"] == 0.05
    said, values = fine_tune.about_seeds(evaluate("fine_tuned", kept, truth, 0), None)
    assert "for this one training" in said
    assert values == {"seeds": 1}


def apart(low: float, value: float, high: float, p: float = 0.005) -> Separations:
    nothing = np.zeros((0, 2))
    before, after = Separation(0.1, 0.02, p), Separation(0.1 + value, 0.03, p)
    return Separations(before, after, Estimate(value, low, high), np.arange(SIZE), nothing, nothing)


def compared_sentence(world: World, separations: Separations | None = None) -> str:
    logits, truth = world.predictions.logits, world.posts.truth
    found = verdicts.sureness(
        *(logits.test, truth.test, logits.validation, truth.validation), world.posts.slices, 0
    )
    return compare.sentence(
        world.posts, world.evaluations, separations or apart(0.1, 0.2, 0.3), found, 0
    )


ALL = pytest.mark.parametrize("case", CASES)
SLICES = pytest.mark.parametrize("slices", [True, False], ids=["slices", "no-slices"])
CLASSES = pytest.mark.parametrize("classes", [2, 5], ids=["two", "five"])


@ALL
@SLICES
@CLASSES
def test_exercise_4_says_who_is_better_and_by_what(case, slices, classes):
    world = build(classes, slices, CASES[case])
    said = fine_tuned_sentence(world)
    right = 100 - len(CASES[case]["tuned"]) / 2
    assert f"Fine-tuning reached {right:.1f} %" in said
    verdict = {
        "wins": r"25\.0 points \(\S+ to \S+\) better than zero-shot",
        "ties": r"right 0\.0 points .* no more than chance explains",
        "loses": r"25\.0 points \(\S+ to \S+\) worse than zero-shot",
    }
    assert re.search(verdict[case], said), said
    assert ("slice hard" in said) == slices
    assert "-0.0" not in said


@CLASSES
def test_exercise_4_tells_the_accuracy_as_the_mixture_that_it_is(classes):
    """All ten errors are in the slice, on which label similarity gets nothing right."""
    said = fine_tuned_sentence(build(classes, True, CASES["wins"]))
    assert re.search(
        r"hides a difference: 75\.0 % .* on the 40 posts of the slice hard, 100\.0 %", said
    )
    assert "10 of the 10 errors are in that slice" in said
    assert "There label similarity is right on 0.0 %" in said
    assert f"the most frequent class on {100 / classes:.1f} %" in said


def test_exercise_4_says_that_words_mislead_where_label_similarity_does_not_say_why():
    """Words alone are wrong on the whole slice, label similarity only outside it."""
    outside = {**CASES["wins"], "zero_shot": range(60, 100)}
    said = fine_tuned_sentence(build(2, True, outside))
    assert "There label similarity" not in said
    assert "(TF-IDF) gets 0.0 % there and 81.2 % on all others" in said
    assert "the wording of these posts misleads." in said


def test_exercise_4_says_what_the_base_model_sees_where_words_do_as_well_as_elsewhere():
    found = build(2, True, CASES["wins"]).evaluations
    words = {**found, "tfidf_logistic": found["majority"]}
    said = verdicts.others_there(words, np.arange(SIZE) < HARD, 0.5)
    assert "embeddings gets 0.0 % there and 100.0 % on all others" in said
    assert said.endswith("what that model sees in these misleads.")
    assert verdicts.others_there(words, np.arange(SIZE) >= HARD, 0.5) == ""


def test_exercise_4_calls_no_slice_worse_that_is_not():
    even = {name: range(0, SIZE, 10) for name in ("tuned", "probe", "zero_shot")}
    assert "slice" not in fine_tuned_sentence(build(2, True, even))


def test_exercise_4_takes_no_credit_for_beating_what_is_worse_than_guessing():
    """Label texts in the wrong order: zero-shot is right on nothing, the model says one class."""
    one_class = np.tile(np.array([1, 0], np.float32), (SIZE, 1))
    wrong = {"probe": (), "zero_shot": range(SIZE), "tuned_scores": one_class}
    said = fine_tuned_sentence(build(2, False, wrong))
    assert "right 0.0 points" in said
    assert "always guessing the most frequent class, which zero-shot does not beat" in said


@ALL
@SLICES
@CLASSES
def test_exercise_5_says_whether_fine_tuning_paid(case, slices, classes):
    said = compared_sentence(build(classes, slices, CASES[case]))
    verdict = {
        "wins": r"Fine-tuning pays here: .* 15\.0 points \(\S+ to \S+\) better than logistic",
        "ties": r"pays is not shown here: .* right 0\.0 points .* 1 post only fine-tuning got right, 1 only",
        "loses": r"does not pay here: .* 25\.0 points \(\S+ to \S+\) worse than logistic",
    }
    assert re.search(verdict[case], said), said
    assert ("Better than the fine-tuned model on these posts" in said) == (case == "loses")
    assert ("on hard posts" in said.lower()) == slices
    assert "never predicts" not in said
    assert "-0.0" not in said
    assert len(said.split("\n\n")) == 3


def test_exercise_5_names_the_classes_that_are_never_said():
    truth = np.arange(SIZE) % 5
    wrong = {"tuned": np.flatnonzero(truth == 3), "probe": range(60), "zero_shot": range(60)}
    said = compared_sentence(build(5, False, wrong))
    assert "It never predicts class 3: of 5 classes 1 got no post." in said


def test_exercise_5_says_where_accuracy_and_macro_f1_disagree():
    """The model gives up a class of six posts, the probe errs on eight of the other."""
    truth = np.arange(SIZE) < 6
    rare = np.where(truth[:, None], [0, 1], [1, 0])
    tuned, probe = np.tile([1, 0], (SIZE, 1)), rare.copy()
    probe[10:18] = [0, 1]
    scores = [each.astype(float) for each in (tuned, probe)]
    first, second = (
        evaluate(name, each, truth.astype(int), 0)
        for name, each in zip(("fine_tuned", "embedding_logistic"), scores, strict=True)
    )
    assert first.accuracy.value > second.accuracy.value
    said = verdicts.by_macro_f1({"fine_tuned": first, "embedding_logistic": second})
    assert "another method leads: frozen embeddings + logistic regression with 0.789" in said
    assert verdicts.by_macro_f1({"fine_tuned": first}) == ""


@pytest.mark.parametrize(
    ("ends", "words"),
    [
        ((0.1, 0.2, 0.3), "a gain of 0.200 (0.100 to 0.300)"),
        ((-0.1, 0.0, 0.1), "no more than chance explains"),
        ((-0.3, -0.2, -0.1), "a loss of 0.200 (0.100 to 0.300)"),
    ],
)
def test_exercise_5_says_which_way_the_classes_moved(ends, words):
    assert words in compared_sentence(build(2, False, CASES["wins"]), apart(*ends))


def test_exercise_5_gives_each_silhouette_its_own_null():
    said = compared_sentence(build(2, False, CASES["wins"]), apart(0.1, 0.2, 0.3))
    assert (
        "Before, labels dealt out at random almost always give less than 0.020, so 0.100 is" in said
    )
    assert "After, they give less than 0.030, so 0.300 is not luck (p = 0.005)." in said
    unclear = compared_sentence(build(2, False, CASES["wins"]), apart(0.1, 0.2, 0.3, p=0.4))
    assert "so 0.300 is no clearer than luck (p = 0.4)." in unclear


def test_exercise_5_says_what_its_silhouette_means():
    said = compared_sentence(build(2, False, CASES["wins"]), apart(0.1, 0.2, 0.3))
    assert "0.30 means that a post is on average about 30 % nearer to its own class" in said
    mixed = compared_sentence(build(2, False, CASES["wins"]), apart(-0.3, -0.2, -0.1))
    assert "-0.10 means that a post is on average no nearer to its own class" in mixed


@pytest.mark.parametrize(
    ("p", "words"),
    [(0.0031, "3 times"), (0.001, "once"), (1e-9, "less than once"), (1, "1000 times")],
)
def test_how_unevenly_the_posts_are_split_is_told_in_a_thousand(p, words):
    said = verdicts.uneven(Paired("a", "b", 99, Estimate(0, 0, 0), 60, 31, p))
    assert said.startswith("60 posts only fine-tuning got right, 31 only the other: ")
    assert f"by chance {words} in 1000" in said


@pytest.mark.parametrize(
    ("scale", "words"), [(1, "not sure enough"), (20, "too sure"), (None, "its confidence fits")]
)
def test_exercise_5_says_in_which_direction_it_is_not_as_sure_as_right(scale, words):
    """30 of 200 wrong: 85 % right. The odds of an 85 % confidence are 17 to 3."""
    truth = np.arange(SIZE) % 2
    factor = np.log(17 / 3) if scale is None else scale
    scores = scores_of(truth, 2, range(30)) * factor / 2
    world = build(2, False, {**CASES["ties"], "tuned_scores": scores.astype(np.float32)})
    assert words in compared_sentence(world)


@ALL
@SLICES
@CLASSES
def test_exercise_2_says_what_other_wordings_come_to(case, slices, classes):
    world = build(classes, slices, CASES[case])
    said = zero_shot.answer(world.posts, world.baselines, world.zero_shot, 0).sentence
    right = 100 - len(CASES[case]["zero_shot"]) / 2
    assert said.startswith(f"Label similarity gets {right:.1f} %")
    assert f"over 3 wordings of the labels label similarity gets from {right - 20:.1f} %" in said
    assert f"to {right:.1f} %" in said
    assert ("By slice" in said) == slices
    assert "drawn for them" not in said


def test_exercise_2_says_how_many_posts_the_entailment_methods_read():
    world = build(2, False, CASES["wins"], asked=120)
    said = zero_shot.answer(world.posts, world.baselines, world.zero_shot, 0).sentence
    assert "120 of the 200 posts were drawn for them" in said


def test_heads_that_differ_by_no_more_than_the_posts_are_not_called_dice():
    world = build(2, False, CASES["wins"])
    said = zero_shot.answer(world.posts, world.baselines, world.zero_shot, 0).sentence
    assert "that is no more than chance explains" in said
    assert "the number to read is label similarity's" in said  # no head was trained


def test_exercise_2_says_where_most_errors_go_one_way():
    truth = np.arange(SIZE) % 2
    one_way = {**CASES["wins"], "zero_shot": np.flatnonzero(truth == 1)[:40]}
    world = build(2, False, one_way)
    answered = zero_shot.answer(world.posts, world.baselines, world.zero_shot, 0)
    said, shown = answered.sentence, answered.blocks[-1]
    assert isinstance(shown, Mistakes)
    assert shown.rows[0].closeness == "cosine 1.00, with its own label 0.00"
    assert "Most errors go one way: 40 of 40 are class 1 posts taken for class 0." in said
    assert (
        "the mean cosine with the sentence for class 0 is 0.70, with that for class 1 0.30" in said
    )
    world = build(2, False, CASES["wins"])
    said = zero_shot.answer(world.posts, world.baselines, world.zero_shot, 0).sentence
    assert "one way" not in said


def test_exercise_2_is_answered_where_an_untrained_head_is_the_best():
    """Label similarity is wrong on every post, so the heads lead, all of them drawn."""
    world = build(2, False, {**CASES["wins"], "zero_shot": range(SIZE)}, asked=120)
    answered = zero_shot.answer(world.posts, world.baselines, world.zero_shot, 0)
    assert answered.values["best_method"] == "untrained_nli"
    assert "mean cosine" not in answered.sentence


def test_slices_are_explained_where_they_are_the_labs_own():
    own, other = (mistakes.about_slices(["crossover", name]) for name in ("plain", "billing"))
    assert "crossover: a post about one topic in the words of the other" in own
    assert "crossover" not in other


def trained(rates: Mapping[float, float], kept: int = 1, more: tuple[float, ...] = ()) -> Sweep:
    """Small trainings with these validation losses by rate, on posts that guessing gets 0.69 on."""

    def trial(rate: float, losses: tuple[float, ...]) -> Trial:
        epochs = tuple(Epoch(i, 1 / i, loss, 0.9 - loss / 10) for i, loss in enumerate(losses, 1))
        history = History(epochs, ((1, 0.7),), kept, 4, 1.0, False, "cpu")
        return Trial(rate, 0, 99, history, np.full(8, losses[-1]), np.ones(8, bool))

    trials = tuple(trial(rate, (loss,)) for rate, loss in rates.items())
    return Sweep(trials, trial(0.1, more or (0.2,)), 0.1, 99, 48, 0.69)


def plan(rate: float) -> Plan:
    return Plan(Recipe(learning_rate=rate, epochs=3), "")


def test_exercise_4_says_whether_another_rate_is_better_and_why_it_is_not_the_plans():
    sweep = trained({0.03: 0.5, 0.1: 0.2, 0.3: 0.6})
    said = fine_tune.about_rates(plan(0.05), sweep, 0.3, Estimate(-0.4, -0.5, -0.3))
    assert "fewer steps need a larger rate" in said
    assert "a rate three times smaller or larger is not better than 0.1 by more than noise" in said
    said = fine_tune.about_rates(plan(0.1), sweep, 0.3, Estimate(0.4, 0.3, 0.5))
    assert "larger rate" not in said
    assert "a rate of 0.3 is better than 0.1: 0.40 nats less validation loss" in said


@pytest.mark.parametrize(
    ("small", "large", "words"),
    [
        (0.69, 0.7, "both ends are hardly better than guessing (0.69)"),
        (0.69, 0.3, "The smallest rate hardly moves"),
        (0.3, float("nan"), "The largest rate destroys"),
        (0.3, 0.3, "neither the smallest nor the largest"),
    ],
)
def test_the_plot_of_rates_says_what_both_ends_came_to(small, large, words):
    sweep = trained({0.01: small, 0.1: 0.2, 1.0: large})
    by_rate, _ = learning_rates.learning_rates(sweep).figures
    assert words in by_rate.how


@pytest.mark.parametrize(
    ("losses", "loss_says", "end"),
    [
        ((0.5, 0.3, 0.9), "from epoch 2 on the model learns its train posts by heart", "81.0"),
        ((0.5, 0.3, 0.31), "it is not seen here", "86.9"),
    ],
)
def test_the_plot_of_many_epochs_says_what_they_did(losses, loss_says, end):
    long = trained({0.03: 0.5, 0.1: 0.2, 0.3: 0.6}, kept=2, more=losses)
    how = learning_rates.many_epochs(long).how
    assert loss_says in how
    assert f"is 87.0 % in the epoch that is kept and {end} % in the last." in how


@pytest.mark.parametrize(
    ("within", "words"), [(0.9, "a gap of"), (0.0, "no more than chance"), (-0.9, "wrong way")]
)
@pytest.mark.parametrize("curated", [True, False])
@CLASSES
def test_exercise_1_says_whether_there_is_a_gap(within, words, curated, classes, monkeypatch):
    for plot in ("similarity_heat_map", "pair_histogram"):
        monkeypatch.setattr(pretrained_knowledge.plots, plot, lambda *_: Figure("", "", ""))
    topics = np.repeat(np.arange(classes), 8)
    noise = np.random.default_rng(0).normal(size=(len(topics), 30))
    base = np.eye(classes)[topics] if within > 0 else np.tile(np.eye(8), (classes, 1))
    embeddings = np.hstack([abs(within) * 9 * base, noise])
    texts = tuple(f"sentence {i}" for i in range(len(topics)))
    probes = Probes(texts, tuple(topics.tolist()), curated, embeddings)
    world = build(classes, False, CASES["wins"])
    said = pretrained_knowledge.answer(world.posts, probes, 0).sentence
    assert words in said
    assert re.search(r"For (all \d+|\d+ of \d+) sentences the nearest other sentence", said)
    assert ("paraphrase" in said) == curated
    assert "before any training" not in said


@SLICES
@CLASSES
@pytest.mark.parametrize("set_aside", [0, 30])
@pytest.mark.parametrize("longest", [20, 300])
def test_exercise_3_counts_what_is_there(longest, set_aside, slices, classes, monkeypatch):
    """It speaks of posts and tokens alone, so who wins does not enter."""
    monkeypatch.setattr(training_data.plots, "token_histogram", lambda *_: Figure("", "", ""))
    monkeypatch.setattr(training_data, "load_tokenizer", lambda *_: None)
    monkeypatch.setattr(training_data, "example", lambda *_: ("", [], []))
    posts = build(classes, slices, CASES["wins"]).posts
    cleaning = Cleaning({}, {"train": 2, "test": 1}, 4, 5, set_aside)
    rng = np.random.default_rng(longest)
    splits = [datasets.Dataset.from_dict({"length": rng.integers(3, longest, SIZE)})] * 3
    tokens: Any = BySplit(*splits)
    nothing = BySplit(*[np.zeros(SIZE)] * 3)
    checks = DataChecks(nothing, nothing, nothing, (), 0, 0)
    given = Checkpoint(Path(), "", None, {})
    said = training_data.answer(
        replace(posts, cleaning=cleaning), tokens, given, given, checks, 256
    ).sentence
    numbers = re.match(
        r"A typical post has (\d+) tokens; 95 % have at most (\d+), and (\S+) % are cut off at 256",
        said,
    )
    assert numbers, said
    median, high, cut = map(float, numbers.groups())
    lengths = np.asarray(splits[0]["length"])
    assert abs(np.median(lengths) - median) <= 0.5
    assert np.mean(lengths <= high) >= 0.95 > np.mean(lengths < high)
    assert cut == pytest.approx(100 * np.mean(lengths > 256), abs=0.05)
    assert "200 posts train, 200 validate, 200 test; 3 empty posts and 9 repeated ones" in said
    assert ("30 posts, stratified, were set aside" in said) == (set_aside > 0)


@pytest.mark.parametrize("elsewhere", [True, False])
@pytest.mark.parametrize(
    ("difference", "words"),
    [
        (0.0, "exactly the same logits"),
        (2e-6, "logits that differ by 2e-06 or less"),
        (float("nan"), "logits that are no numbers"),
    ],
)
def test_exercise_6_measures_the_files(difference, words, elsewhere, tmp_path, monkeypatch):
    """It speaks of files alone, so neither classes nor slices nor who wins enter."""
    monkeypatch.setattr(save_and_track.Lineage, "load", lambda _: {})
    base, folder = tmp_path / "base", tmp_path / "model"
    for place, size in ((base, 2_000_000), (folder, 3_000_000)):
        place.mkdir()
        (place / "model.safetensors").write_bytes(bytes(size))
    (folder / "config.json").write_bytes(bytes(500_000))
    original = Checkpoint(base, "", None, {"model.safetensors": ""})
    given = original if elsewhere else None
    said = save_and_track.answer(folder, original, given, difference).sentence
    assert "is 2 files, 3.5 MB together: config.json, model.safetensors." in said
    assert "Its weights are 3.0 MB, 1.500 times the original's 2.0 MB" in said
    assert words in said
    assert ("the same network with a small head" in said) == (not elsewhere)


@ALL
def test_a_range_over_draws_is_never_called_an_interval(case):
    world = build(2, False, CASES[case])
    heads = world.evaluations["untrained_nli"]
    rows = compare.comparison_table(world.evaluations, world.posts.labels, 0).rows
    (row,) = (row for row in rows if row[0].startswith(heads.name))
    assert row[2] == row[4] == "none"
    assert "mean of 20 from" in row[0]
    assert "(draws from " in percent_interval(heads.accuracy)
