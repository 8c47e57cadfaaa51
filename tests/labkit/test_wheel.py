"""The wheel that pip builds holds all that the lab needs, and works away from the source tree."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

USE_THE_INSTALLED_COPY = """
import sys
from pathlib import Path

import labkit
from labkit import corpus_checks, data, data_files, report
from labkit.profiles import EMBEDDED

assert Path(labkit.__file__).is_relative_to(sys.argv[1]), labkit.__file__
assert corpus_checks.findings(corpus_checks.read_posts()) == []
splits = data.load_splits(EMBEDDED.data, data_files.locate(EMBEDDED.data), Path(sys.argv[2]))
print(*(len(split) for _, split in splits.items()))
print(*sorted(report.environment().list_templates()))
"""


def run(*args: str, folder: Path, **environment: str) -> str:
    """Run Python in `folder`, with no package index in reach; returns its output."""
    done = subprocess.run(
        [sys.executable, *args],
        cwd=folder,
        env={**os.environ, "PIP_NO_INDEX": "1", "HF_HUB_OFFLINE": "1", **environment},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from a copy so that no build folder is left in the source tree."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    shutil.copytree(
        ROOT / "labkit", source / "labkit", ignore=shutil.ignore_patterns("__pycache__")
    )
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    run("-m", "pip", "wheel", "-q", "--no-build-isolation", "--no-deps", str(source), folder=folder)
    (built,) = folder.glob("labkit-*.whl")
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
    assert inside == ours


def test_an_installed_copy_works_away_from_the_source(site, tmp_path):
    script = tmp_path / "use.py"
    script.write_text(USE_THE_INSTALLED_COPY)
    output = run(str(script), str(site), str(tmp_path), folder=tmp_path, PYTHONPATH=str(site))
    sizes, templates = output.splitlines()[-2:]
    assert sizes == "480 120 400"
    assert set(templates.split()) == {path.name for path in (ROOT / "labkit/templates").iterdir()}
