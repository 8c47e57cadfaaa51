"""The wheel that pip builds of the sdist holds all that the lab needs, away from the source tree."""

import shutil
import zipfile
from pathlib import Path

import pytest

from labkit import project
from tests.running import ROOT, run_python

BUILD_SDIST = "from setuptools import build_meta; build_meta.build_sdist('..')"
USE_THE_INSTALLED_COPY = """
import sys
from pathlib import Path

import labkit
from labkit.data import files, posts
from labkit.profiles import EMBEDDED
from labkit.report import page

assert Path(labkit.__file__).is_relative_to(sys.argv[1]), labkit.__file__
found = files.locate(EMBEDDED.data)
loaded = posts.load_posts(found, EMBEDDED.selection, (), Path(sys.argv[2]))
print(*(len(split) for _, split in loaded.items()))
print(*sorted(page.environment().list_templates()))
"""


def run(*args: str, folder: Path, **environment: str) -> str:
    """Run Python in `folder`, with no package index in reach; returns its output."""
    done = run_python(*args, cwd=folder, PIP_NO_INDEX="1", **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of the sdist, built from a copy so that no build folder is left in the source tree."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    shutil.copytree(
        ROOT / "labkit", source / "labkit", ignore=shutil.ignore_patterns("__pycache__")
    )
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    exercises = source / "tests" / "exercises"
    shutil.copytree(
        ROOT / "tests" / "exercises", exercises, ignore=shutil.ignore_patterns("__pycache__")
    )
    run("-c", BUILD_SDIST, folder=source)
    (sdist,) = folder.glob("pytest_labkit-*.tar.gz")
    run("-m", "pip", "wheel", "-q", "--no-build-isolation", "--no-deps", str(sdist), folder=folder)
    (built,) = folder.glob("pytest_labkit-*.whl")
    return built


@pytest.fixture(scope="module")
def site(wheel):
    """A folder that the wheel is installed in."""
    folder = wheel.parent / "site"
    run("-m", "pip", "install", "-q", "--no-deps", f"--target={folder}", str(wheel), folder=ROOT)
    return folder


def test_the_wheel_holds_every_file_of_the_package(wheel):
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("labkit/")}
    files = {path for path in (ROOT / "labkit").rglob("*") if path.is_file()}
    ours = {str(path.relative_to(ROOT)) for path in files if "__pycache__" not in path.parts}
    exercises = {f"labkit/project/exercises/{file.name}" for file in project.exercises()}
    assert inside == ours | exercises


def test_an_installed_copy_works_away_from_the_source(site, tmp_path):
    script = tmp_path / "use.py"
    script.write_text(USE_THE_INSTALLED_COPY)
    output = run(str(script), str(site), str(tmp_path), folder=tmp_path, PYTHONPATH=str(site))
    sizes, templates = output.splitlines()[-2:]
    assert sizes == "480 120 400"
    folder = ROOT / "labkit" / "report" / "templates"
    assert set(templates.split()) == {path.name for path in folder.iterdir()}
