"""The examples in the docs, run as they stand: in a checkout of the lab, on files of their names.

The model is the tiny one and only the gates' tests of a page's exercises run, so that all pages
take seconds; what is typed is what the page says. Later examples use what earlier ones left.
"""

import contextlib
import csv
import io
import json
import os
import random
import re
import shlex
import shutil
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from labkit.__main__ import main
from labkit.evaluation.gates import GATES
from tests.running import ROOT, run_python
from tests.subjects import COMMON_WORDS, TOPIC_WORDS, write_dataset

EXERCISES = {  # of the pages in their order, those that an example runs
    "gates": "pretrained",
    "ci": "pretrained",
    "own-data": "training_data",
    "command-line": "",
    "trained-elsewhere": "save",
}
WORDS = {
    "billing": ["invoice", "payment", "refund", "card", "amount"],
    "delivery": TOPIC_WORDS["sci.space"],
    "returns": TOPIC_WORDS["rec.sport.baseball"],
}
LOOSE = {gate.name: gate.low if gate.higher_is_better else min(gate.high, 1e6) for gate in GATES}


@dataclass(frozen=True)
class Example:
    """A command of a page and what it came to, with answers.json and history as it left them."""

    page: str
    command: str
    code: int
    output: str
    answers: Any = None
    record: Any = None


def blocks(page: str, kind: str) -> list[str]:
    """The fenced blocks of a page, without the indentation of a list that they stand in."""
    text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    found = re.findall(rf"^( *)```{kind}\n(.*?)^ *```", text, re.M | re.S)
    return [
        "\n".join(re.sub(f"^{indent}", "", body, flags=re.M).splitlines()) for indent, body in found
    ]


def commands(page: str) -> list[str]:
    """The lines of a page that a user copies and that start the lab or `labkit`."""
    lines = [line for block in blocks(page, "console") for line in block.splitlines()]
    return [line.removeprefix("$ ") for line in lines if re.match(r"\$ (pytest|labkit)\b", line)]


def write_rows(path: Path, text: str, label: str, words: dict[str, list[str]]) -> None:
    """Fifty rows of each class, as CSV or JSON lines."""
    rng = random.Random(0)
    rows = [
        {
            text: " ".join(rng.choices(words[name], k=4) + rng.choices(COMMON_WORDS, k=8)),
            label: name,
        }
        for name in sorted(words)
        for _ in range(50)
    ]
    path.parent.mkdir(exist_ok=True)
    if path.suffix == ".jsonl":
        path.write_text("\n".join(map(json.dumps, rows)) + "\n")
        return
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, (text, label))
        table.writeheader()
        table.writerows(rows)


class Checkout:
    """The lab as a user has it after `git clone`, with the files that the docs talk about."""

    def __init__(self, folder: Path, checkpoint: Path) -> None:
        self.folder, self.checkpoint = folder, checkpoint
        shutil.copytree(ROOT / "tests" / "exercises", folder / "tests" / "exercises")
        self.posts = write_dataset(folder / "posts", train=500)
        self.configure('[tool.labkit]\nprofile = "embedded"\n')
        for name in ("tickets.csv", "moved/tickets.csv"):
            write_rows(folder / name, "body", "team", WORDS)
        complaints = {"yes": WORDS["billing"], "no": WORDS["returns"]}
        write_rows(folder / "posts.jsonl", "text", "label", complaints)
        groups = write_dataset(folder.parent / "shared" / "data" / "20_newsgroups")
        for file in groups.iterdir():
            file.write_text(file.read_text().replace("sci.space", "rec.sport.hockey"))
        (folder / "questions.txt").write_text("Where is my parcel?\nThe invoice is wrong.\n")

    def configure(self, table: str) -> None:
        """Write pyproject.toml with a page's table; gates hold unless an example names them."""
        small = f'base-model = "{self.checkpoint}"\nmax-length = 64\nepochs = 1\n'
        gates = ", ".join(f'"{name}={limit}"' for name, limit in LOOSE.items())
        ini = f'lab_gate = [{gates}]\nlab_dataset = "{self.posts}"\n'
        section = "[tool.pytest.ini_options]\n"
        project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
        project = project.replace(section, section + ini)
        table = table.replace("[tool.labkit]\n", f"[tool.labkit]\n{small}")
        (self.folder / "pyproject.toml").write_text(f"{project}\n{table}\n", encoding="utf-8")

    def run(self, page: str, command: str) -> Example:
        if command.startswith("labkit"):
            return self.run_labkit(page, command)
        report = self.folder / "reports" / "answers.json"
        report.unlink(missing_ok=True)
        chosen = shlex.quote(f"test_gate and ({EXERCISES[page]})")
        typed = shlex.split(command)
        done = run_python("-m", *typed, cwd=self.folder, PYTEST_ADDOPTS=f"-k {chosen}")
        output, answers, record = done.stdout + done.stderr, None, None
        if report.exists():
            answers = json.loads(report.read_text())
            record = json.loads((report.parent / "history.jsonl").read_text().splitlines()[-1])
        return Example(page, command, done.returncode, output, answers, record)

    def run_labkit(self, page: str, command: str) -> Example:
        """In this process, which has torch already."""
        typed, _, questions = command.partition(" < ")
        with (
            pytest.MonkeyPatch.context() as patch,
            (self.folder / (questions or os.devnull)).open() as stdin,
            io.StringIO() as output,
        ):
            patch.chdir(self.folder)
            patch.setattr("sys.stdin", stdin)
            with contextlib.redirect_stdout(output):
                code = main(shlex.split(typed)[1:])
            return Example(page, command, code, output.getvalue())


@pytest.fixture(scope="module")
def checkout(tmp_path_factory, tiny_checkpoint):
    return Checkout(tmp_path_factory.mktemp("docs") / "lab", tiny_checkpoint)


@pytest.fixture(scope="module")
def examples(checkout):
    """Every command of every page, in their order."""
    return [checkout.run(page, command) for page in EXERCISES for command in commands(page)]


@pytest.fixture
def example(request, examples):
    (found,) = (e for e in examples if (e.page, e.command) == request.param)
    return found


def each(*starts: str) -> Any:
    """Parametrizes over the examples that start with these words."""
    found = [(page, c) for page in EXERCISES for c in commands(page) if c.startswith(starts)]
    ids = [f"{page}: {command}" for page, command in found]
    return pytest.mark.parametrize("example", found, ids=ids, indirect=True)


@each("pytest")
def test_the_exit_code_is_what_the_docs_say_of_it(example):
    assert "Traceback" not in example.output
    assert "error" not in example.output.splitlines()[-1], example.output
    if "--lab-gates" in example.command:
        assert (example.code, example.answers) == (0, None), example.output
        return
    broken = not example.answers["holds"] and "--lab-report-only" not in example.command
    assert example.code == (1 if broken else 0), example.output


def limits_of(checkout: Checkout, command: str) -> dict[str, float]:
    """The thresholds that hold for a command, as its `--lab-gates` prints them."""
    lines = checkout.run("gates", f"{command} --lab-gates").output.splitlines()
    rows = [line.split() for line in lines if re.search(" [<>]= ", line)]
    return {name: float(limit) for name, _, limit, *_ in rows}


@each("pytest --lab-gate ", "pytest --lab-dataset")
def test_what_is_typed_is_what_runs(checkout, example):
    typed = shlex.split(example.command.replace("--lab-dataset=", "--lab-dataset "))
    for option, value in zip(typed[1::2], typed[2::2], strict=True):
        if option == "--lab-gate":
            name, limit = value.split("=")
            assert limits_of(checkout, example.command)[name] == float(limit)
        if option == "--lab-dataset":
            assert example.record["data"] == value
        if option == "--lab-labels":
            assert ",".join(example.record["labels"]) == value


@each("pytest --lab-compare")
def test_a_comparison_shows_the_pinned_run(example):
    assert "against run" in example.output
    assert "no baseline" not in example.output


@each("labkit fine-tune")
def test_fine_tune_leaves_the_model_where_the_page_says(example, checkout):
    assert example.code == 0
    folder = shlex.split(example.command)[2]
    assert json.loads(example.output)["model"] == folder
    assert (checkout.folder / folder / "lineage.json").exists()


@each("labkit predict")
def test_predict_gives_a_json_line_a_text(example):
    lines = [json.loads(line) for line in example.output.splitlines()]
    assert example.code == 0
    assert len(lines) == 2
    assert {line["label"] for line in lines} <= set(WORDS)


@each("labkit verify")
def test_verify_finds_the_model_as_recorded(example):
    assert example.code == 0, example.output
    assert "ok   fine_tuned_accuracy" in example.output


@pytest.mark.parametrize("page", ["gates", "own-data"])
def test_a_table_in_pyproject_does_it_too(checkout, page):
    (table,) = blocks(page, "toml")
    wanted = tomllib.loads(table)["tool"]["labkit"]
    checkout.configure(table)
    example = checkout.run(page, "pytest")
    assert example.code == (0 if example.answers["holds"] else 1), example.output
    assert example.record["labels"] == wanted.get("labels", [*TOPIC_WORDS])
    assert wanted.get("gates", {}).items() <= limits_of(checkout, "pytest").items()
