"""The gates: no number, no pass; thresholds from profile, file and command line; exit codes."""

import json
import math

import pytest

from labkit.errors import LabError
from labkit.evaluation import gates
from labkit.evaluation.gates import GATES, GateResult, check_threshold, thresholds
from labkit.plumbing.results import plain, rebuild
from labkit.profiles import PROFILES
from labkit.report.answer import Answer
from tests.running import run_pytest
from tests.subjects import LABELS, TOPIC_WORDS

NAMES = [gate.name for gate in GATES]
NONE_AT_ALL = {"split_overlap", "any_text_failures", "batch_failures"}  # counts that must be 0


def ends(gate):
    """A measured number that holds the gate and one that fails it, a step around the threshold."""
    better = 1 if gate.higher_is_better else -1
    return gate.threshold + better * 0.01, gate.threshold - better * 0.01


@pytest.mark.parametrize("gate", GATES, ids=NAMES)
def test_a_gate_holds_on_one_side_of_its_threshold_only(gate):
    good, bad = ends(gate)
    assert GateResult(gate, gate.threshold).holds == (gate.direction != "above")
    assert GateResult(gate, good).holds
    assert not GateResult(gate, bad).holds


@pytest.mark.parametrize("gate", GATES, ids=NAMES)
def test_a_gate_that_claims_to_beat_something_fails_on_a_tie(gate):
    claims_more = {"beats", "closer", "apart"} & set(gate.claim.split())
    more = bool(claims_more) and not gate.claim.startswith("No ")
    assert more == (gate.direction == "above"), gate.claim


@pytest.mark.parametrize("gate", GATES, ids=NAMES)
@pytest.mark.parametrize("measured", [None, math.nan, math.inf, -math.inf])
def test_no_gate_holds_without_a_number(gate, measured):
    assert not GateResult(gate, measured).holds


def measured(gate, values, **limits):
    """An answer to the gate's exercise with these values, judged by the gate alone."""
    return Answer(gate.exercise, "", "", values).judged({gate.name: gate.threshold} | limits)


@pytest.mark.parametrize("gate", GATES, ids=NAMES)
def test_a_failed_gate_says_claim_numbers_and_where_to_look(gate):
    _, bad = ends(gate)
    with pytest.raises(AssertionError) as caught:
        measured(gate, {gate.name: bad}).check(gate.name)
    claim, question, number, threshold, hint = str(caught.value).splitlines()
    assert claim == gate.claim
    assert question == f"  question: {gate.question}"
    assert number.split()[1] == f"{bad:.4g}"
    assert threshold.split()[1:4] == [gate.name, gate.sign, f"{gate.threshold:g}"]
    assert hint.startswith("  hint:     ")
    assert "look at" in hint


@pytest.mark.parametrize("gate", GATES, ids=NAMES)
def test_a_gate_whose_value_is_missing_fails_the_check(gate):
    with pytest.raises(AssertionError, match="measured: nothing"):
        measured(gate, {}).check(gate.name)


@pytest.mark.parametrize("gate", GATES, ids=NAMES)
def test_a_threshold_of_the_run_replaces_the_gates_own(gate):
    good, bad = ends(gate)
    looser = bad - 0.001 if gate.higher_is_better else bad
    lenient = measured(gate, {gate.name: bad}, **{gate.name: looser})
    lenient.check(gate.name)
    assert lenient.holds
    assert rebuild(Answer, plain(lenient)).gates == lenient.gates
    strict = lenient.judged({gate.name: good})
    with pytest.raises(AssertionError):
        strict.check(gate.name)


@pytest.mark.parametrize("gate", GATES, ids=NAMES)
def test_every_threshold_of_every_profile_can_be_met_and_missed(gate):
    for profile in PROFILES:
        limit = thresholds(profile, {})[gate.name]
        check_threshold(gate, limit)
        if gate.name not in NONE_AT_ALL:
            assert gate.low < limit < gate.high


def test_the_users_threshold_wins_over_the_profiles():
    assert thresholds("distilbert", {})["fine_tuned_accuracy"] == 0.90
    assert thresholds("distilbert", {"fine_tuned_accuracy": 0.7})["fine_tuned_accuracy"] == 0.7
    assert thresholds("embedded", {}) | {} == {g.name: g.threshold for g in GATES}


@pytest.mark.parametrize("value", [math.nan, math.inf, 85, -0.1])
def test_an_impossible_threshold_says_what_is_possible(value):
    with pytest.raises(LabError, match=r"fine_tuned_accuracy: .* is out of range, it takes 0 to 1"):
        thresholds("embedded", {"fine_tuned_accuracy": value})


def test_a_run_that_does_not_train_takes_the_settings_of_one_that_does():
    limits = thresholds("embedded", {"loss_ratio": 0.5, "size_ratio": 2.0}, trains=False)
    assert limits["size_ratio"] == 2.0
    assert limits.keys() == {gate.name for gate in GATES if not gate.of_training}
    with pytest.raises(LabError, match="loss_ratio: -1 is out of range"):
        thresholds("embedded", {"loss_ratio": -1.0}, trains=False)


def test_a_threshold_for_the_labs_posts_applies_to_others_only_where_it_is_set():
    own = {gate.name for gate in GATES if gate.of_labs_posts}
    assert own == {"fine_tuned_accuracy", "suspect_share"}
    assert own.isdisjoint(thresholds("embedded", {}, labs_posts=False))
    limits = thresholds("embedded", {"fine_tuned_accuracy": 0.7}, labs_posts=False)
    assert limits["fine_tuned_accuracy"] == 0.7


def test_an_unknown_gate_lists_those_there_are():
    with pytest.raises(LabError) as caught:
        thresholds("embedded", {"acuracy": 0.9})
    assert all(name in str(caught.value) for name in NAMES)


def test_not_a_number_becomes_null_in_json():
    answer = Answer("fine_tune", "", "", {"fine_tuned_accuracy": math.nan, "steps": 3})
    answer = answer.judged(thresholds("embedded", {}))
    entry = json.loads(json.dumps(answer.to_dict(), allow_nan=False))
    assert entry["values"] == {"fine_tuned_accuracy": None, "steps": 3}
    assert [gate["name"] for gate in entry["gates"]] == [
        g.name for g in gates.gates_of("fine_tune")
    ]
    assert {gate["measured"] for gate in entry["gates"]} == {None}


def test_the_table_has_every_gate_under_its_question():
    lines = gates.table_lines(thresholds("embedded", {"loss_ratio": 0.123}))
    for gate in GATES:
        (row,) = (i for i, line in enumerate(lines) if line.split()[:1] == [gate.name])
        above = [line for line in lines[:row] if line[:1].isdigit()]
        assert above[-1].endswith(gate.question)
    assert any("loss_ratio" in line and "<= 0.123" in line for line in lines)


@pytest.fixture(scope="module")
def shuffled(tmp_path_factory):
    """Posts whose labels have nothing to do with their words: nothing can be learned."""
    folder = tmp_path_factory.mktemp("shuffled") / "posts"
    folder.mkdir()
    for name, size in (("train", 64), ("test", 24)):
        rows = []
        for i in range(size):
            words = TOPIC_WORDS[LABELS[i // 2 % 2]]
            text = " ".join([*words[i % 5 :], str(i), name])
            rows.append(json.dumps({"text": text, "label": LABELS[i % 2]}))
        (folder / f"{name}.jsonl").write_text("\n".join(rows) + "\n")
    return folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory, shuffled, tiny_checkpoint):
    """The lab on shuffled labels, gated, then with the same settings reported only."""
    folder = tmp_path_factory.mktemp("gated")
    settings = folder / "lab.toml"
    settings.write_text(
        f'profile = "embedded"\nbase-model = "{tiny_checkpoint}"\ndataset = "{shuffled}"\n'
        "max-length = 64\nepochs = 1\n[gates]\nsilhouette_gain_low = 0.5\nfine_tuned_accuracy = 0.8\nsize_ratio = 2\n"
    )
    common = (f"--lab-config={settings}", "--lab-gate=silhouette_gain_low=0.4", "-q")
    select = ("-k", "test_gate and (fine_tune or compare or save)")
    return {
        name: (run_pytest(*common, *select, *more, folder=folder), folder / "reports")
        for name, more in {"gated": (), "report-only": ("--lab-report-only",)}.items()
    }


def test_a_run_whose_gates_fail_exits_with_1_and_names_them(runs):
    run, reports = runs["gated"]
    assert run.returncode == 1, run.stdout + run.stderr
    failed = {
        line.split("[")[1].split("]")[0]
        for line in run.stdout.splitlines()
        if line.startswith("FAILED")
    }
    assert {"fine_tuned_accuracy", "margin_low", "silhouette_gain_low"} <= failed
    assert "The fine-tuned model is right on most of the posts it has never seen." in run.stdout
    assert not failed & {"size_ratio", "reload_difference"}
    assert (reports / "answers.json").exists()


def test_report_only_reports_the_same_and_exits_with_0(runs):
    run, reports = runs["report-only"]
    assert run.returncode == 0, run.stdout + run.stderr
    assert "xfailed" in run.stdout
    assert "do not hold" in run.stdout
    answers = json.loads((reports / "answers.json").read_text())
    assert answers["holds"] is False
    assert "test_gate[fine_tuned_accuracy]" in " ".join(answers["failed_tests"])


def test_the_command_line_wins_over_the_file_and_the_file_over_the_profile(runs):
    _, reports = runs["report-only"]
    answers = json.loads((reports / "answers.json").read_text())["answers"]
    limits = {gate["name"]: gate["threshold"] for a in answers for gate in a["gates"]}
    assert limits["silhouette_gain_low"] == 0.4
    assert limits["size_ratio"] == 2
    assert limits["reload_difference"] == 1e-5


def test_lab_gates_prints_the_table_and_runs_nothing(tmp_path):
    run = run_pytest(
        *("--lab-gates", "--lab-profile", "embedded", "--lab-gate", "size_ratio=1.5"),
        folder=tmp_path,
        PYTHONPROFILEIMPORTTIME="1",
    )
    assert run.returncode == 0
    assert run.stdout.startswith("Gates of profile embedded (chosen by the user)\n1. How similar")
    assert "size_ratio <= 1.5" in " ".join(run.stdout.split())
    assert "| torch\n" not in run.stderr
    assert not (tmp_path / "reports").exists()


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("size_ratio", "'size_ratio' is not of the form NAME=VALUE"),
        ("size_ratio=small", "size_ratio: 'small' is not a number"),
        ("size=1", "there is no such gate; there are topic_gap_low"),
    ],
)
def test_a_wrong_gate_is_a_usage_error(tmp_path, argument, message):
    run = run_pytest("--lab-profile", "embedded", f"--lab-gate={argument}", folder=tmp_path)
    assert run.returncode == 4
    assert message in run.stderr
