"""What a person meets at the command line: help, wrong options, partial runs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from labkit.exercises import EXERCISES
from labkit.options import OPTIONS, join_paths

ROOT = Path(__file__).parents[2]


def pytest_run(*args: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """`pytest` in the project's root, with its cache and reports in `folder`.

    Uncaptured, or what is imported early would be reported to nobody.
    """
    keep = ["-o", f"cache_dir={folder / 'cache'}", f"--lab-reports={folder / 'reports'}"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-s", *keep, *args],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", **environment},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("option", ["--help", "--collect-only"])
def test_torch_is_not_imported(tmp_path, option):
    run = pytest_run(option, "-q", folder=tmp_path, PYTHONPROFILEIMPORTTIME="1")
    assert run.returncode == 0
    imported = {line.rsplit("|", 1)[-1].strip() for line in run.stderr.splitlines()}
    assert "labkit.options" in imported
    assert not imported & {"torch", "transformers"}


def test_help_lists_every_option(tmp_path):
    text = pytest_run("--help", folder=tmp_path).stdout
    assert [option.flag for option in OPTIONS if option.flag not in text] == []


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--lab-profile", "gpt"], "is not one of auto, embedded, distilbert"),
        (["--lab-epochs", "0"], "0 is out of range, it takes 1 or more"),
        (["--lab-epochs", "many"], "'many' is not a whole number"),
        (["--lab-learning-rate", "-1"], "takes a number above 0, at most 1"),
        (["--lab-learning-rate", "nan"], "takes a number above 0, at most 1"),
        (["--lab-max-length", "4096"], "takes from 8 to 512"),
        (
            ["--lab-dataset", "./nowhere"],
            "--lab-dataset ./nowhere: there is no such file or folder",
        ),
        (["--lab-base-model", "./nowhere"], "--lab-base-model ./nowhere: there is no such"),
        (["-o", "lab_epochs=0"], "lab_epochs in the ini file: 0 is out of range"),
        (["--lab-no-such-option"], "unrecognized arguments: --lab-no-such-option"),
    ],
    ids=lambda value: "-".join(value).strip("-.") if isinstance(value, list) else None,
)
def test_a_wrong_option_is_a_usage_error_before_torch(tmp_path, args, message):
    run = pytest_run(*args, folder=tmp_path, PYTHONPROFILEIMPORTTIME="1")
    assert run.returncode == 4
    assert message in run.stderr
    assert "Traceback" not in run.stderr
    assert "| torch\n" not in run.stderr
    assert not (tmp_path / "reports").exists()


def test_wrong_data_is_a_usage_error_before_torch(tmp_path):
    (tmp_path / "posts").mkdir()
    (tmp_path / "posts" / "train.jsonl").write_text('{"body": "x"}\n')
    (tmp_path / "posts" / "test.jsonl").write_text('{"body": "x"}\n')
    run = pytest_run(
        "--lab-dataset", str(tmp_path / "posts"), folder=tmp_path, PYTHONPROFILEIMPORTTIME="1"
    )
    assert run.returncode == 4
    assert "no column 'text'; it has body" in run.stderr
    assert "Traceback" not in run.stderr
    assert "| torch\n" not in run.stderr


def test_zero_shot_alone_trains_nothing(tmp_path, tiny_checkpoint, tiny_dataset):
    run = pytest_run(
        "-k",
        "zero_shot",
        *("--lab-profile", "embedded", "--lab-max-length", "64"),
        *("--lab-base-model", str(tiny_checkpoint), "--lab-dataset", str(tiny_dataset)),
        folder=tmp_path,
    )
    answers = json.loads((tmp_path / "reports" / "answers.json").read_text())
    assert [answer["id"] for answer in answers["answers"]] == ["zero_shot"], run.stdout
    stages = {path.name for path in (tmp_path / "cache" / "d" / "labkit").iterdir()}
    assert "zero-shot" in stages
    assert "fine-tuned" not in stages


def test_a_run_without_exercises_leaves_the_last_report_alone(tmp_path):
    reports = tmp_path / "reports"
    reports.mkdir()
    (reports / "lab.html").write_text("the last one")
    run = pytest_run("tests/labkit/test_plugin.py", "-k", "paths_are_joined", folder=tmp_path)
    assert run.returncode == 0, run.stdout
    assert (reports / "lab.html").read_text() == "the last one"
    assert [path.name for path in reports.iterdir()] == ["lab.html"]


def test_paths_are_joined_to_their_options(tmp_path):
    folder = str(tmp_path)
    assert join_paths(["-q", "--lab-dataset", folder]) == ["-q", f"--lab-dataset={folder}"]
    assert join_paths(["--lab-dataset", "owner/name"]) == ["--lab-dataset", "owner/name"]
    assert join_paths(["tests", folder]) == ["tests", folder]


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.id)
def test_every_exercise_module_asks_its_question(exercise):
    module = ROOT / "tests" / "exercises" / f"test_{exercise.number}_{exercise.id}.py"
    docstring = module.read_text().split('"""')[1]
    assert f"Question: {exercise.question}" in " ".join(docstring.split())
