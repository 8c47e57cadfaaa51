"""A small project with tests of the lab and others."""

from pathlib import Path

import pytest

from tests.running import Finished, run_python

LAB = """
import pytest

pytestmark = pytest.mark.exercise("training_data")

def test_answer(answer):
    assert answer.values["train_posts"] > 0

def test_gate(answer, gate):
    answer.check(gate)
"""
STAGE = "def test_stage(posts):\n    assert len(posts.labels) == 2\n"
OTHER = "import pytest\n\n@pytest.mark.parametrize('n', range(3))\ndef test_other(n): pass\n"


class Project:
    """A folder with tests, all runs in which find the same cache."""

    def __init__(self, folder: Path, checkpoint: Path, posts: Path) -> None:
        self.folder, self.checkpoint = folder, checkpoint
        (folder / "here").mkdir(parents=True)
        self.configure(posts)
        self.write("test_answers.py", LAB)
        self.write("test_stages.py", STAGE)
        self.write("here/test_others.py", OTHER)

    def configure(self, posts: Path, more: str = "") -> None:
        """Write the project's settings."""
        (self.folder / "pyproject.toml").write_text(
            f'[tool.pytest.ini_options]\nmarkers = ["mine"]\n[tool.labkit]\nprofile = "embedded"\n'
            f'base-model = "{self.checkpoint}"\ndataset = "{posts}"\nmax-length = 64\n{more}'
        )

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    def run(self, *args: str, cwd: str = ".", **more: str) -> Finished:
        """`pytest`, in a process of its own."""
        return run_python("-m", "pytest", *args, cwd=self.folder / cwd, **more)


@pytest.fixture(scope="module")
def project(tmp_path_factory, tiny_checkpoint, tiny_dataset):
    """A project that wants the lab."""
    return Project(tmp_path_factory.mktemp("project") / "folder", tiny_checkpoint, tiny_dataset)
