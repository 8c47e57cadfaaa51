"""`labkit init` writes a project that runs; the example project shows all that one can add."""

import json
import shutil
import tomllib

import pytest
import yaml

from labkit import project
from labkit.__main__ import main
from tests.running import ROOT, run_python
from tests.subjects import write_tickets

EXAMPLE = ROOT / "examples" / "tickets"
SMALL = ("--lab-max-length=64", "--lab-epochs=1", "--lab-report-only")


def test_init_writes_the_exercises_as_they_are(tmp_path, capsys):
    assert main(["init", str(tmp_path / "mine")]) == 0
    assert "wrote 11 files" in capsys.readouterr().out
    for file in project.exercises():
        assert (tmp_path / "mine" / "exercises" / file.name).read_bytes() == file.read_bytes()
    assert len(list((tmp_path / "mine" / "exercises").glob("test_*.py"))) == 6


def test_init_takes_a_file_into_the_project(tmp_path, tiny_dataset):
    write_tickets(tmp_path / "my tickets.csv", tiny_dataset)
    columns = ("--text-column", "body", "--label-column", "team")
    given = ("--dataset", str(tmp_path / "my tickets.csv"), "--labels", "b,a")
    assert main(["init", str(tmp_path / "mine"), *given, *columns]) == 0
    table = tomllib.loads((tmp_path / "mine" / "pyproject.toml").read_text())["tool"]["labkit"]
    assert table["dataset"] == "data/my tickets.csv"
    assert (table["text-column"], table["label-column"]) == ("body", "team")
    assert table["labels"] == ["b", "a"]
    assert (tmp_path / "mine" / "data" / "my tickets.csv").exists()


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["."], "there is something already"),
        (["file"], "there is something already"),
        (["new", "--dataset", "./nowhere.csv"], "there is no such file or folder"),
        (["file/below"], "the project cannot be written"),
    ],
    ids=["folder", "file", "data", "below"],
)
def test_init_refuses_in_one_line(tmp_path, monkeypatch, capsys, args, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    assert main(["init", *args]) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith("labkit init: ")
    assert message in said
    assert [path.name for path in tmp_path.rglob("*")] == ["file"]


def test_version(capsys):
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"labkit {project.__version__}\n"


def test_the_workflow_is_the_labs_but_for_how_it_is_installed():
    theirs, ours = (
        yaml.safe_load(path.read_text())
        for path in (project.TEMPLATE / "lab.yml", ROOT / ".github" / "workflows" / "lab.yml")
    )
    steps = [job["steps"] for job in (theirs["jobs"]["gates"], ours["jobs"]["gates"])]
    different = [one["name"] for one, other in zip(*steps, strict=True) if one != other]
    assert different == ["Install"]
    for workflow in (theirs, ours):
        del workflow["jobs"]["gates"]["steps"]
    assert theirs == ours


def test_a_project_of_init_runs(tmp_path, tiny_checkpoint, tiny_dataset):
    write_tickets(tmp_path / "tickets.csv", tiny_dataset)
    given = ("--dataset", str(tmp_path / "tickets.csv"))
    columns = ("--text-column", "body", "--label-column", "team")
    assert main(["init", str(tmp_path / "mine"), *given, *columns]) == 0
    done = run_python(
        *("-m", "pytest", "-k", "training_data", f"--lab-base-model={tiny_checkpoint}", *SMALL),
        cwd=tmp_path / "mine",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    answers = json.loads((tmp_path / "mine" / "reports" / "answers.json").read_text())
    assert [answer["id"] for answer in answers["answers"]] == ["training_data"]
    assert answers["data"].endswith("data/tickets.csv")


@pytest.fixture(scope="module")
def example(tmp_path_factory, tiny_checkpoint):
    """A run of the example project on the tiny model."""
    folder = tmp_path_factory.mktemp("example") / "tickets"
    ignored = shutil.ignore_patterns("__pycache__", ".pytest_cache", "reports")
    shutil.copytree(EXAMPLE, folder, ignore=ignored)
    done = run_python("-m", "pytest", f"--lab-base-model={tiny_checkpoint}", *SMALL, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, done.stdout


def test_all_that_the_example_adds_is_in_its_report(example):
    folder, output = example
    page = (folder / "reports" / "lab.html").read_text()
    found = json.loads((folder / "reports" / "answers.json").read_text())
    tuned, compared, mixed = found["answers"]
    assert [one["id"] for one in found["answers"]] == ["fine_tune", "compare", "mixed_up"]
    assert {"greeting_failure_rate", "plain_sentences_failure_rate"} <= compared["values"].keys()
    assert {"cost", "cost_low", "cost_high"} <= tuned["values"].keys()
    assert "cost_high" in [gate["name"] for gate in tuned["gates"]]
    assert [gate["name"] for gate in mixed["gates"]] == ["mixed_up_share"]
    greeting = "The team stays the same: a greeting in front."
    for words in (
        mixed["answer"],
        greeting,
        "Euros that a wrong team costs",
        "cost_high",
        "mixed_up_share",
    ):
        assert words in page
    assert "7  " + mixed["headline"][:10] in output
    assert "test_the_numbers_are_masked" not in found["failed_tests"]


def test_the_example_has_three_classes_of_its_own():
    teams = [line.rsplit(",", 1)[1] for line in (EXAMPLE / "tickets.csv").read_text().splitlines()]
    assert {team: teams.count(team) for team in set(teams[1:])} == dict.fromkeys(
        ("billing", "delivery", "returns"), 48
    )
