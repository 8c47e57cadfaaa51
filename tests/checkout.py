"""The lab as somebody has it who cloned it, with a tiny model and files of the names that docs use."""

import contextlib
import csv
import io
import json
import os
import random
import shlex
import shutil
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
