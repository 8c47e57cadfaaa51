"""The lab's tests beside other plugins and pytest's own ways to run a part of the tests."""

import json

import pytest

from tests.plugin.conftest import Project
from tests.running import run_pytest, run_python

CONFTEST = """
from labkit import own


def seeds(seed):
    return own.Answer("seeds", f"seed {seed}", f"The seed is {seed}.", {"the_seed": seed})


def pytest_labkit_exercises():
    return [own.exercise("seeds", "Seeds", "Which seed is it?", seeds)]


def pytest_labkit_gates():
    return [own.gate("the_seed", "seeds", at_least=1, claim="It is one.", hint="Choose one.")]
"""
EXERCISE = """
import pytest

pytestmark = pytest.mark.exercise("seeds")

def test_answer(answer):
    assert answer.values == {"the_seed": 42}

def test_gate(answer, gate):
    answer.check(gate)
"""
FLAKY = """
from pathlib import Path

def test_flaky():
    mark = Path(__file__).with_suffix(".once")
    first = not mark.exists()
    mark.touch()
    assert not first
"""
NOTEBOOK = """
import asyncio
import io
import sys

import pytest


class Output(io.StringIO):  # a cell's: with no file behind it
    def fileno(self):
        raise io.UnsupportedOperation("fileno")


async def cell():  # which runs inside the kernel's own loop
    return int(pytest.main(["-q", "-p", "no:randomly"]))


terminal = sys.stdout, sys.stderr
sys.stdout = sys.stderr = output = Output()
codes = [asyncio.run(cell()) for _ in range(2)]
sys.stdout, sys.stderr = terminal
print("codes", *codes, output.getvalue())
"""


@pytest.fixture(scope="module")
def light(tmp_path_factory, tiny_checkpoint, tiny_dataset):
    """A project whose exercise is answered without a model."""
    folder = tmp_path_factory.mktemp("light") / "folder"
    project = Project(folder, tiny_checkpoint, tiny_dataset)
    project.write("conftest.py", CONFTEST)
    project.write("test_answers.py", EXERCISE)
    return project


@pytest.fixture(autouse=True)
def no_reports(light):
    """Each run starts with no report there."""
    for name in ("answers.json", "partial/answers.json"):
        (light.folder / "reports" / name).unlink(missing_ok=True)


def answers(light):
    path = light.folder / "reports" / "answers.json"
    return json.loads(path.read_text()) if path.exists() else None


OTHERS = {
    "load": ("xdist", "-n2", "--dist=load"),
    "loadfile": ("xdist", "-n2", "--dist=loadfile"),
    "worksteal": ("xdist", "-n2", "--dist=worksteal"),
    "randomly": ("pytest_randomly", "-p", "randomly"),
    "timeout": ("pytest_timeout", "--timeout=600"),
    "cov": ("pytest_cov", "--cov=here", "--cov-report="),
    "sugar": ("pytest_sugar", "--force-sugar"),
    "no-html": ("pytest", "-p", "no:html", "-p", "no:metadata"),
    "no-xdist": ("pytest", "-p", "no:xdist"),
}


@pytest.mark.parametrize("args", OTHERS.values(), ids=OTHERS)
def test_the_lab_gets_along_with(light, args):
    pytest.importorskip(args[0], reason=f"{args[0]} is not installed")
    done = light.run(*args[1:])
    assert done.returncode == 0, done.stdout + done.stderr
    assert ", measured" in done.stdout
    assert "ok   the_seed 42 >= 1" in done.stdout
    assert answers(light)["failed_tests"] == []


@pytest.mark.parametrize("args", [(), ("-n2",)], ids=["alone", "workers"])
def test_a_wrong_column_is_one_line_in_one_process_and_in_several(light, args):
    pytest.importorskip("xdist")
    done = light.run("--lab-text-column=body", *args)
    assert done.returncode == 4, done.stdout + done.stderr
    (said,) = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
    assert "no column 'body'" in said
    assert "Traceback" not in done.stdout + done.stderr
    assert answers(light) is None


def test_a_test_that_passed_when_it_ran_again_is_no_failure(light):
    pytest.importorskip("pytest_rerunfailures")
    light.write("test_flaky.py", FLAKY)
    done = light.run("--reruns=1", "-p", "no:randomly")
    (light.folder / "test_flaky.py").unlink()
    assert done.returncode == 0, done.stdout
    assert "1 rerun" in done.stdout
    assert answers(light)["failed_tests"] == []


@pytest.mark.parametrize("option", ["--collect-only", "--setup-plan"])
def test_a_run_that_runs_nothing_measures_nothing(light, option):
    done = light.run(option, "-p", "no:randomly")
    assert done.returncode == 0, done.stdout
    assert "test_gate[the_seed]" in done.stdout or "<Function test_gate" in done.stdout
    assert "lab:" not in done.stdout
    assert answers(light) is None


@pytest.mark.parametrize("option", ["-x", "--lf", "--sw"])
def test_a_part_of_the_tests(light, option):
    light.write("test_zero.py", "def test_zero(): assert False\n")
    first = light.run("-p", "no:randomly", "test_zero.py")
    assert first.returncode == 1
    done = light.run(option, "-p", "no:randomly", "test_zero.py", "test_answers.py")
    (light.folder / "test_zero.py").unlink()
    assert done.returncode == (2 if option == "--sw" else 1), done.stdout
    assert "INTERNALERROR" not in done.stdout
    assert answers(light) is None, "no question was asked"


def test_from_another_folder(light):
    done = light.run("..", cwd="here")
    assert done.returncode == 0, done.stdout
    assert (light.folder / "here" / "reports" / "answers.json").exists()
    assert not (light.folder / "here" / ".pytest_cache").exists()


def test_twice_in_one_process_and_from_a_notebook(light):
    done = run_python("-", cwd=light.folder, input=NOTEBOOK)  # a notebook has no file of its own
    assert "codes 0 0" in done.stdout, done.stdout + done.stderr
    assert done.stdout.count(", measured") == 2


def test_the_six_exercises_need_no_plugin_but_the_labs(tmp_path):
    """As in the environment of `make lab`, where pytest refuses a setting that nothing knows."""
    alone = ("-p", "labkit.plugin", "--collect-only", "-q")
    done = run_pytest(*alone, folder=tmp_path, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "test_6_save_and_track.py" in done.stdout
