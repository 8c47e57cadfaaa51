"""What a run leaves beside the page, in parallel and warm, and what it says in the terminal."""

import json
import re
from xml.etree import ElementTree

import jsonschema
import pytest

from labkit.exercises import EXERCISES
from labkit.report.markdown import markdown
from tests.report.conftest import HOSTILE
from tests.running import ROOT

SCHEMA = json.loads((ROOT / "labkit" / "report" / "answers.schema.json").read_text())
RUNS = ("parallel_run", "warm_run", "sabotaged_run")


@pytest.mark.parametrize("name", RUNS, ids=[name.replace("_", "-") for name in RUNS])
def test_answers_json_follows_its_schema(request, name):
    answers = request.getfixturevalue(name).answers
    jsonschema.validate(answers, SCHEMA)
    assert [answer["id"] for answer in answers["answers"]] == [e.id for e in EXERCISES]


@pytest.mark.parametrize("key", ["holds", "answers", "stages"])
def test_the_schema_misses_a_missing_key(parallel_run, key):
    answers = {name: value for name, value in parallel_run.answers.items() if name != key}
    with pytest.raises(jsonschema.ValidationError, match=f"{key!r} is a required property"):
        jsonschema.validate(answers, SCHEMA)


def test_workers_compute_every_stage_once_and_a_warm_run_finds_the_same(parallel_run, warm_run):
    assert {stage["reused"] for stage in parallel_run.answers["stages"].values()} == {False}
    assert {stage["reused"] for stage in warm_run.answers["stages"].values()} == {True}
    assert parallel_run.answers["stages"].keys() == warm_run.answers["stages"].keys()
    assert warm_run.answers["answers"] == parallel_run.answers["answers"]
    assert parallel_run.process.stderr.count("fine-tuning done") == 1


def test_junit_xml_carries_the_measured_values(parallel_run, lab_folder):
    cases = ElementTree.parse(lab_folder / "junit.xml").getroot().iter("testcase")
    found = {}
    for case in cases:
        properties = {p.attrib["name"]: p.attrib["value"] for p in case.iter("property")}
        if "gate" in properties:
            found[properties["gate"]] = properties
    answers = parallel_run.answers["answers"]
    gates = {gate["name"]: gate for answer in answers for gate in answer["gates"]}
    assert found.keys() == gates.keys()
    for name, gate in gates.items():
        assert float(found[name]["measured"]) == gate["measured"]
        assert float(found[name]["threshold"]) == gate["threshold"]
        assert found[name]["direction"] == gate["direction"]
    assert float(found["fine_tuned_accuracy"]["value.epochs"]) == 3


def test_summary_has_a_row_for_every_answer(parallel_run):
    summary = (parallel_run.reports / "summary.md").read_text()
    assert len(re.findall(r"^\| \d \|", summary, re.MULTILINE)) == 6
    for answer in parallel_run.answers["answers"]:
        assert markdown(answer["question"]) in summary
        for paragraph in answer["answer"].split("\n\n"):
            assert markdown(paragraph) in summary


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_markdown_has_no_markup_from_data(text):
    cell = markdown(f"{text} | *a* [b](c) `d`\n# e")
    assert not set("<>\n") & set(cell)
    assert not re.search(r"(?<!\\)[|*`#\[\]]", re.sub(r"&#\d+;", "", cell))


def test_the_terminal_fits_eighty_columns_without_colour(sabotaged_run):
    output = sabotaged_run.process.stdout
    _, _, table = output.partition("6 questions, measured")
    table, _, _ = table.partition("short test summary")
    assert len(table.splitlines()) > 12
    to_copy = ("report: ", "  labkit ")  # a path or a command stays in one line
    assert max(len(line) for line in table.splitlines() if not line.startswith(to_copy)) <= 80
    assert "\x1b" not in output
    assert "FAIL fine_tuned_accuracy" in table
    assert "lab.html" in table


def test_progress_stands_on_lines_of_its_own(sabotaged_run):
    lines = sabotaged_run.process.stdout.splitlines()
    assert sum(line.startswith("lab: fine-tuning done in") for line in lines) == 1
    assert [line for line in lines if "lab: " in line and not line.startswith("lab: ")] == []
    dots = [line for line in lines if re.fullmatch(r"tests/exercises/\S+ \S+ +\[ *\d+%\]", line)]
    assert len(dots) == 6


def test_quiet_is_short(warm_run):
    before, _, after = warm_run.process.stdout.partition("6 questions, measured")
    assert "lab: " not in before
    assert [line[:1] for line in after.splitlines()[1:7]] == [*"123456"]


def test_a_failed_gate_reads_as_claim_numbers_and_hint(sabotaged_run):
    output = sabotaged_run.process.stdout
    _, _, failure = output.partition("_ test_gate[fine_tuned_accuracy] _")
    lines = failure.splitlines()[3:8]
    assert [line.split(":")[0].strip("E ") for line in lines] == [
        *("AssertionError", "question", "measured", "gate", "hint")
    ]
    assert "array(" not in failure.partition("\n____")[0]
