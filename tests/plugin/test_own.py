"""A project's own exercises, gates and metrics come in as the lab's do, or are refused in one line."""

import json
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from labkit import own
from labkit.answers.own_metrics import measure
from labkit.errors import LabError
from labkit.evaluation import suite
from labkit.evaluation.behaviour import BEHAVIOURS, KINDS, behaviours_of
from labkit.evaluation.gates import GATES
from labkit.evaluation.grammar import TOPICS
from labkit.exercises import EXERCISES
from labkit.plugin import builtin, registry
from labkit.plumbing.results import content_digest
from labkit.runs.history import METRICS

CONFTEST = """
from labkit import own


def lengths(posts, behaviour_suite):
    words = [len(text.split()) for text in posts.test["text"]]
    assert "shouted" in [behaviour.name for behaviour in behaviour_suite.of(posts.labels)]
    return own.Answer(
        "lengths",
        f"{max(words)} words at most",
        f"The longest test post has {max(words)} words.",
        {"most_words": max(words)},
        (own.Table("Words", ("post", "words"), (("longest", str(max(words))),)),),
    )


def pytest_labkit_behaviours():
    return [own.invariance("shouted", "Capitals do not matter.", lambda text, pick: text.upper())]


def pytest_labkit_exercises():
    return [own.exercise("lengths", "Lengths", "How long are the posts?", lengths)]


def pytest_labkit_gates():
    return [
        own.gate("most_words", "lengths", at_most=LIMIT, claim="No post is long.", hint="Cut it."),
        own.gate("train_posts", "training_data", at_least=2, claim="There are posts.", hint="Add."),
    ]


def pytest_labkit_metrics():
    return [own.metric("most_words", exercise="lengths", higher_is_better=False, tolerance=1)]
"""
TEST = """
import pytest

pytestmark = pytest.mark.exercise("lengths")

def test_answer(answer):
    assert answer.values["most_words"] == 12

def test_gate(answer, gate):
    answer.check(gate)
"""


def answer(posts):
    return own.Answer("own", "headline", "sentence", {})


OWN = own.exercise("own", "Own", "Is it our own?", answer)
GATE = own.gate("mine", "own", at_least=0.5, claim="It is.", hint="It may not be.", high=1)


def test_the_lab_itself_comes_in_by_the_hooks():
    found = registry.build(
        builtin.pytest_labkit_exercises(),
        builtin.pytest_labkit_gates(),
        builtin.pytest_labkit_metrics(),
    )
    assert found == registry.BUILT_IN
    assert tuple(found.exercises.values()) == EXERCISES
    assert (found.gates, found.metrics) == (GATES, METRICS)


def test_the_labs_behaviours_and_topics_come_in_by_the_hooks():
    found = suite.build(builtin.pytest_labkit_behaviours(), [builtin.pytest_labkit_topics()])
    assert found == suite.BUILT_IN
    assert content_digest(found) == content_digest(suite.BUILT_IN)


TOPIC = own.Topic(("a parcel",), ("is late",), ("again",))
NUMBERED = own.invariance("numbered", "A number does not matter.", lambda text, pick: f"1 {text}")


def test_ones_own_behaviours_stand_with_their_kind_and_topics_make_plain_sentences():
    found = suite.build([*BEHAVIOURS, NUMBERED], [TOPICS, {"a": TOPIC, "b": TOPIC}])
    names = [behaviour.name for behaviour in found.of(("a", "b"))]
    assert names.index("numbered") == names.index("more_of_its_class") - 1
    assert "plain_sentences" in names
    assert "plain_sentences" not in [behaviour.name for behaviour in found.of(("a", "c"))]
    kinds = [KINDS.index(behaviour.kind) for behaviour in found.of(("a", "b"))]
    assert kinds == sorted(kinds)
    assert set(behaviours_of(("a", "b"))) < set(found.of(("a", "c")))


def test_what_counts_of_ones_own_is_its_words_and_the_file_of_its_code(tmp_path):
    def of(text: str) -> str:
        path = tmp_path / "edits.py"
        path.write_text(text)
        scope: dict[str, Any] = {"__name__": "edits"}
        exec(compile(text, str(path), "exec"), scope)
        mine = own.invariance("mine", "It stays.", scope["edit"])
        return content_digest(suite.build([*BEHAVIOURS, mine], [TOPICS]))

    code = "def edit(text, pick):\n    return text.upper()\n"
    assert of(code) == of(code)
    assert of(code) != of(code.replace("upper", "lower"))
    assert of(code) != content_digest(suite.BUILT_IN)


@pytest.mark.parametrize(
    ("behaviours", "topics", "message"),
    [
        ([NUMBERED, NUMBERED], {}, "behaviour 'numbered': is taken"),
        ([replace(NUMBERED, name="plain_sentences")], {}, "behaviour 'plain_sentences': is taken"),
        ([replace(NUMBERED, name="my own")], {}, "behaviour 'my own': is taken, or is no name"),
        ([replace(NUMBERED, kind="magic")], {}, "'magic' is none of minimum functionality"),
        (["numbered"], {}, "is no behaviour; labkit.own.invariance makes one"),
        ([], {"sci.space": TOPIC}, "topic sci.space: there are two of this label"),
        ([], {"a": "parcels"}, "topic a: 'parcels' is none; labkit.own.Topic makes one"),
        ([], {"a": own.Topic((), ("is",), ("it",))}, "topic a: each of its three parts needs"),
    ],
    ids=["two", "reserved", "name", "kind", "none", "two-topics", "no-topic", "empty-topic"],
)
def test_a_behaviour_or_topic_that_cannot_be_is_one_line(behaviours, topics, message):
    with pytest.raises(LabError, match=message):
        suite.build([*BEHAVIOURS, *behaviours], [TOPICS, topics])


def test_what_is_ones_own_follows_the_labs():
    found = registry.build([*EXERCISES, OWN], [GATE, *GATES], METRICS)
    assert list(found.exercises)[-1] == "own"
    assert found.exercises["own"].number == 7
    assert found.gates[-1].question == "Is it our own?"


@pytest.mark.parametrize(
    ("exercises", "gates", "metrics", "message"),
    [
        ([OWN, OWN], [], [], "exercise own: there are two of this id"),
        ([own.exercise("My own", "", "", answer)], [], [], "an id is of small letters, digits"),
        ([{"id": "own"}], [], [], "is no exercise; labkit.own.exercise makes one"),
        ([], [GATE], [], "gate mine: there is no exercise 'own'"),
        ([OWN], [GATE, GATE], [], "gate mine: there are two of this name"),
        ([OWN], ["mine"], [], "is no gate; labkit.own.gate makes one"),
        ([OWN], [], [own.metric("cost", exercise="owns")], "metric cost: there is no exercise"),
        ([OWN], [], [own.metric("cost", exercise="own")] * 2, "metric cost: there are two"),
    ],
    ids=[
        *("two-exercises", "id", "no-exercise", "gate-of-none", "two-gates", "no-gate"),
        *("metric-of-none", "two-metrics"),
    ],
)
def test_what_cannot_be_is_one_line(exercises, gates, metrics, message):
    with pytest.raises(LabError, match=message):
        registry.build(exercises, gates, metrics)


def test_a_gate_that_never_fails_is_refused():
    loose = own.gate("mine", "own", at_least=2, claim="", hint="", low=0, high=1)
    with pytest.raises(LabError, match="gate mine: 2 is out of range, it takes 0 to 1"):
        registry.build([OWN], [loose], [])


@pytest.mark.parametrize("limit", [{}, {"at_least": 1, "at_most": 2}], ids=["none", "two"])
def test_a_gate_has_one_direction(limit):
    with pytest.raises(LabError, match="gate mine: give one of at_least"):
        own.gate("mine", "own", claim="", hint="", **limit)


def test_a_metric_of_predictions_has_its_interval():
    truth = np.array([0, 1] * 50)
    probabilities = np.where(truth[:, None] == [0, 1], 0.9, 0.1)
    probabilities[:20] = probabilities[:20, ::-1]
    found = measure(lambda t, p: float(np.mean(p.argmax(axis=1) == t)), truth, probabilities, 0)
    assert found.value == pytest.approx(0.8)
    assert 0.7 < found.low < 0.8 < found.high < 0.9


@pytest.fixture(scope="module")
def runs(project):
    """The project with an exercise, gates and a metric of its own: a good run, and one that fails."""
    project.write("test_lengths.py", TEST)
    project.write("conftest.py", CONFTEST.replace("LIMIT", "12"))
    good = project.run("test_lengths.py", "test_answers.py", "--junitxml=junit.xml", "--lab-pin")
    project.write("conftest.py", CONFTEST.replace("LIMIT", "11"))
    bad = project.run("test_lengths.py", "-k", "gate", "--lab-compare")
    return good, bad


def test_own_ones_stand_where_the_labs_do(runs, project):
    good, _ = runs
    assert good.returncode == 0, good.stdout
    assert "2 questions" in good.stdout
    assert "7  12 words at most" in good.stdout
    assert "ok   most_words 12 <= 12" in good.stdout
    assert "ok   train_posts" in good.stdout
    reports = project.folder / "reports"
    answers = json.loads((reports / "answers.json").read_text())["answers"]
    assert [entry["id"] for entry in answers] == ["training_data", "lengths"]
    assert answers[1]["question"] == "How long are the posts?"
    assert "train_posts" in [gate["name"] for gate in answers[0]["gates"]]
    page = (reports / "lab.html").read_text()
    assert "The longest test post has 12 words." in page
    history = json.loads((reports / "history.jsonl").read_text().splitlines()[0])
    assert history["values"]["lengths"] == {"most_words": 12}
    cases = ElementTree.parse(project.folder / "junit.xml").iter("testcase")
    (case,) = (case for case in cases if case.attrib["name"] == "test_gate[most_words]")
    said = {p.attrib["name"]: p.attrib["value"] for p in case.iter("property")}
    assert (said["measured"], said["direction"], said["threshold"]) == ("12.0", "<=", "12")


def test_a_gate_of_ones_own_fails_the_run(runs, project):
    _, bad = runs
    assert bad.returncode == 1, bad.stdout
    assert "No post is long." in bad.stdout
    assert "question: How long are the posts?" in bad.stdout
    assert "most_words 12 -> 12" in " ".join(bad.stdout.split())
