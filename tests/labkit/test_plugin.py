"""What a person meets at the command line: help, wrong options, partial runs."""

import shutil

import pytest

from labkit.exercises import EXERCISES
from labkit.plugin.options import OPTIONS, separate_paths
from tests.running import ROOT, answers_in, run_pytest


@pytest.mark.parametrize("option", ["--help", "--collect-only"])
def test_torch_is_not_imported(tmp_path, option):
    run = run_pytest(option, "-q", folder=tmp_path, PYTHONPROFILEIMPORTTIME="1")
    assert run.returncode == 0
    imported = {line.rsplit("|", 1)[-1].strip() for line in run.stderr.splitlines()}
    assert "labkit.plugin.options" in imported
    assert not imported & {"torch", "transformers"}


def test_help_lists_every_option(tmp_path):
    text = run_pytest("--help", folder=tmp_path).stdout
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
    run = run_pytest(*args, folder=tmp_path, PYTHONPROFILEIMPORTTIME="1")
    assert run.returncode == 4
    assert message in run.stderr
    assert "Traceback" not in run.stderr
    assert "| torch\n" not in run.stderr
    assert not (tmp_path / "reports").exists()


def test_wrong_data_is_a_usage_error_before_torch(tmp_path):
    (tmp_path / "posts").mkdir()
    (tmp_path / "posts" / "train.jsonl").write_text('{"body": "x"}\n')
    (tmp_path / "posts" / "test.jsonl").write_text('{"body": "x"}\n')
    run = run_pytest(
        f"--lab-dataset={tmp_path / 'posts'}", folder=tmp_path, PYTHONPROFILEIMPORTTIME="1"
    )
    assert run.returncode == 4
    assert "no column 'text'; it has body" in run.stderr
    assert "Traceback" not in run.stderr
    assert "| torch\n" not in run.stderr


def test_zero_shot_alone_trains_nothing(tmp_path, tiny_checkpoint, tiny_dataset):
    run = run_pytest(
        *("-k", "zero_shot", "--lab-profile", "embedded", "--lab-max-length", "64"),
        *(f"--lab-base-model={tiny_checkpoint}", f"--lab-dataset={tiny_dataset}"),
        folder=tmp_path,
    )
    assert [answer["id"] for answer in answers_in(tmp_path)] == ["zero_shot"], run.stdout
    stages = {path.name for path in (tmp_path / "cache" / "d" / "labkit").iterdir()}
    assert "zero_shot" in stages
    assert "fine_tuned" not in stages


def test_a_run_without_exercises_leaves_the_last_report_alone(tmp_path):
    reports = tmp_path / "reports"
    reports.mkdir()
    (reports / "lab.html").write_text("the last one")
    run = run_pytest("tests/labkit/test_plugin.py", "-k", "paths_behind", folder=tmp_path)
    assert run.returncode == 0, run.stdout
    assert (reports / "lab.html").read_text() == "the last one"
    assert [path.name for path in reports.iterdir()] == ["lab.html"]


def test_paths_behind_options_are_found(tmp_path):
    folder = str(tmp_path)
    assert separate_paths(["-q", "--lab-dataset", folder]) == [("--lab-dataset", folder)]
    assert separate_paths([f"--lab-dataset={folder}"]) == []
    assert separate_paths(["--lab-dataset", "owner/name"]) == []
    assert separate_paths(["tests", folder]) == []


def test_a_path_that_pytest_took_for_one_to_tests_is_a_usage_error(tmp_path, tiny_dataset):
    run = run_pytest("--lab-dataset", str(tiny_dataset), folder=tmp_path)
    assert run.returncode == 4
    assert f"write --lab-dataset={tiny_dataset}" in run.stderr
    assert "Traceback" not in run.stderr
    assert not (tmp_path / "reports").exists()


def test_a_path_inside_the_checkout_needs_no_equals_sign(tmp_path, tiny_dataset):
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_it.py").write_text("def test_it(data_files): assert len(data_files.digests)")
    shutil.copytree(tiny_dataset, tmp_path / "data")
    run = run_pytest("--lab-dataset", "data", folder=tmp_path, cwd=tmp_path)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "1 passed" in run.stdout


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.id)
def test_every_exercise_module_asks_its_question(exercise):
    module = ROOT / "tests" / "exercises" / f"test_{exercise.number}_{exercise.id}.py"
    docstring = module.read_text().split('"""')[1]
    assert f"Question: {exercise.question}" in " ".join(docstring.split())
