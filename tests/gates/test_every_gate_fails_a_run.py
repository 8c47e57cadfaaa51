"""Runs of pytest in which gates fail, are not measured, or do not apply, and what each then says.

The thresholds of the failing run are the strictest that each gate takes; what meets even those is
broken by `tests.gates.spoiler`.
"""

import json
import math
import shutil
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

import pytest

from labkit.evaluation.gates import GATES, Gate
from tests.gates.spoiler import MISSING
from tests.running import run_pytest
from tests.subjects import write_dataset

EACH = pytest.mark.parametrize("gate", GATES, ids=lambda gate: gate.name)
OTHERS = {"a": "rec.sport.baseball", "b": "sci.space"}  # new names for the classes


def strictest(gate: Gate) -> float:
    """The end of the gate's range that is hardest to meet."""
    limit = gate.high if gate.higher_is_better else gate.low
    assert math.isfinite(limit), f"{gate.name} can measure anything, so no threshold fails it"
    return limit


@dataclass(frozen=True)
class Run:
    """What a run of the gates came to: exit code, output, and messages by gate."""

    code: int
    output: str
    failed: dict[str, str]
    skipped: dict[str, str]
    reports: Path


@pytest.fixture(scope="module")
def run_gates(tmp_path_factory, tiny_checkpoint, one_thread):
    """Runs the gates of all six exercises on the tiny model; every run finds the same store.

    Each has reports of its own: a saved model that was spoiled is none that labkit replaces.
    """
    folder = tmp_path_factory.mktemp("gates")

    def run(*args: str) -> Run:
        reports = tmp_path_factory.mktemp("reports")
        xml = reports / "junit.xml"
        done = run_pytest(
            *("-k", "test_gate", "--lab-profile=embedded", f"--junitxml={xml}"),
            *(f"--lab-base-model={tiny_checkpoint}", "--lab-max-length=64", "--lab-epochs=1"),
            *(f"--lab-reports={reports}", *args),
            folder=folder,
        )
        said: dict[str, dict[str, str]] = {"failure": {}, "skipped": {}}
        for case in ET.parse(xml).iter("testcase"):
            for kind, messages in said.items():
                for element in case.iter(kind):
                    gate = case.attrib["name"].partition("[")[2].removesuffix("]")
                    messages[gate] = element.attrib["message"]
        return Run(
            done.returncode, done.stdout + done.stderr, said["failure"], said["skipped"], reports
        )

    return run


@pytest.fixture(scope="module")
def posts(tmp_path_factory):
    """Every other post is longer than the token limit."""
    folder = write_dataset(tmp_path_factory.mktemp("gates") / "posts")
    for file in folder.iterdir():
        rows = [json.loads(line) for line in file.read_text().splitlines()]
        for row in rows[::2]:
            row["text"] = " ".join([row["text"]] * 6)
        file.write_text("\n".join(map(json.dumps, rows)) + "\n")
    return folder


@pytest.fixture(scope="module")
def failing(run_gates, posts):
    limits = [f"--lab-gate={gate.name}={strictest(gate)}" for gate in GATES]
    spoiler = ("-p", "tests.gates.spoiler", "--spoil=stages")
    return run_gates(f"--lab-dataset={posts}", *limits, *spoiler)


def test_a_run_in_which_all_gates_fail_exits_with_1(failing):
    assert failing.code == 1, failing.output
    assert f"{len(GATES)} of {len(GATES)} gates do not hold" in failing.output


@EACH
def test_a_failing_gate_says_what_was_measured_what_was_asked_and_where_to_look(failing, gate):
    message = " ".join(failing.failed[gate.name].split())
    (result,) = (
        found
        for answer in json.loads((failing.reports / "answers.json").read_text())["answers"]
        for found in answer["gates"]
        if found["name"] == gate.name
    )
    assert result["holds"] is False
    for part in (
        gate.claim,
        f"measured: {result['measured']:.4g} {gate.unit}",
        f"gate: {gate.name} {gate.sign} {strictest(gate):g} {gate.unit}",
        f"question: {gate.question}",
        f"hint: {gate.hint}",
    ):
        assert part in message


@pytest.fixture(scope="module")
def unmeasured(run_gates, posts):
    limits = (f"--lab-gate={gate.name}={gate.threshold}" for gate in GATES if gate.of_labs_posts)
    spoiler = ("-p", "tests.gates.spoiler", "--spoil=numbers")
    return run_gates(f"--lab-dataset={posts}", *limits, *spoiler)


@EACH
def test_a_gate_without_a_number_fails_the_run(unmeasured, gate):
    assert unmeasured.code == 1, unmeasured.output
    measured = "nothing" if gate in MISSING else "nan"
    assert f"measured: {measured} {gate.unit}" in unmeasured.failed[gate.name]


@pytest.fixture(scope="module")
def elsewhere(unmeasured, run_gates, posts, tmp_path_factory):
    """A run on a model that was trained elsewhere, for classes that labkit knows nothing of."""
    folder = tmp_path_factory.mktemp("elsewhere")
    shutil.copytree(unmeasured.reports / "model", folder / "model")
    config = json.loads((folder / "model" / "config.json").read_text())
    config["id2label"] = dict(enumerate(OTHERS))
    (folder / "model" / "config.json").write_text(json.dumps(config))
    (folder / "posts").mkdir()
    for file in posts.iterdir():
        text = file.read_text()
        for new, old in OTHERS.items():
            text = text.replace(f'"{old}"', f'"{new}"')
        (folder / "posts" / file.name).write_text(text)
    return run_gates(f"--lab-dataset={folder / 'posts'}", f"--lab-fine-tuned={folder / 'model'}")


@EACH
def test_a_gate_that_does_not_apply_is_skipped_with_the_reason(elsewhere, gate):
    if gate.of_training:
        assert "trained elsewhere" in elsewhere.skipped[gate.name]
    elif gate.of_labs_posts:
        assert "for the lab's own posts" in elsewhere.skipped[gate.name]
    else:
        assert gate.name not in elsewhere.skipped
    assert gate.name in elsewhere.output or gate.name in elsewhere.skipped
