"""Installed beside tests of another kind, the plugin is not noticed."""

import ast
import re
from pathlib import Path

import pytest

import labkit.plugin
from tests.running import ROOT, Finished, run_python

# Names that the lab has too: its marker, its fixtures, its folder, its table of settings.
TEST = """
import pytest

pytestmark = pytest.mark.exercise

@pytest.fixture
def posts():
    return ["a post"]

@pytest.fixture(scope="module")
def answer():
    return 42

@pytest.fixture
def lab(posts):
    return posts

def test_posts(lab):
    assert lab == ["a post"]

@pytest.mark.exercise("zero_gravity")
@pytest.mark.parametrize("gate", ["north"])
def test_answer(answer, gate):
    assert answer == 42

@pytest.mark.xfail(reason="to be seen")
def test_gate(answer):
    assert answer == 43
"""
NO_NETWORK = """
import socket
import sys

def refuse(*args, **kwargs):
    with open("connected", "a") as file:
        file.write(f"{args}\\n")
    raise OSError("there is no network")

class Socket(socket.socket):
    def connect(self, address):  # other plugins' processes talk to each other
        local = not isinstance(address, tuple) or address[0] == "127.0.0.1"
        return super().connect(address) if local else refuse(address)

socket.socket = Socket
socket.getaddrinfo = socket.create_connection = refuse
"""
HEAVY = {"torch", "transformers", "numpy", "huggingface_hub", "labkit.plugin.setup"}
WAYS = {
    "plainly": (),
    "briefly": ("-q",),
    "without-a-cache": ("-p", "no:cacheprovider"),
    "in-parallel": ("-n2",),
    "with-pytest-htmls-page": ("--html=page.html", "--self-contained-html"),
}


@pytest.fixture
def project(tmp_path):
    """A project that knows nothing of the lab."""
    folder = tmp_path / "project"
    (folder / "exercises").mkdir(parents=True)
    (folder / "exercises" / "test_it.py").write_text(TEST)
    (folder / "pyproject.toml").write_text(
        "[tool.labkit]\nnot-a-setting = 1\n\n"
        '[tool.pytest.ini_options]\nmarkers = ["exercise: of the body"]\n'
    )
    (tmp_path / "path").mkdir()
    (tmp_path / "path" / "sitecustomize.py").write_text(NO_NETWORK)
    return folder


def run(project: Path, *args: str) -> Finished:
    """`pytest` with the Hub allowed and the network gone, in one order."""
    return run_python(
        *("-m", "pytest", "-p", "no:randomly", *args),
        cwd=project,
        PYTHONPATH=f"{ROOT}:{project.parent / 'path'}",
        PYTHONDONTWRITEBYTECODE="1",
        HF_HUB_OFFLINE="",
    )


def seen(project: Path, done: Finished) -> tuple[int, str, set[str]]:
    """What a person sees of a run: exit code, output, files; seconds and plugins left out.

    The results' letters are sorted: of two workers either may be the first to report.
    """
    output = re.sub(r"\d+\.\d+s( \(\d+:\d+:\d+\))?|\[ *\d+%\]|gw\d", "", done.stdout + done.stderr)
    output = re.sub(r"^(plugins:.*|=+|.*worker.*\n)", "", output, flags=re.M)
    output = re.sub(r"^[.FEsxX]+", lambda letters: "".join(sorted(letters[0])), output, flags=re.M)
    files = {str(path.relative_to(project)) for path in project.rglob("*")}
    return done.returncode, re.sub("=+", "=", output), files


@pytest.mark.parametrize("args", WAYS.values(), ids=WAYS)
def test_a_run_is_what_it_is_without_the_plugin(project, args):
    pytest.importorskip("xdist")
    pytest.importorskip("pytest_html")
    with_plugin = seen(project, run(project, *args))
    without = seen(project, run(project, *args, "-p", "no:labkit"))
    assert with_plugin == without
    code, output, files = with_plugin
    assert code == 0, output
    assert "2 passed, 1 xfailed" in output
    assert "connected" not in files


def test_nothing_heavy_is_imported(project):
    run_it = "import pytest, sys; pytest.main(['-q', '-p', 'no:randomly']); print(*sys.modules, sep='\\n')"
    done = run_python("-c", run_it, cwd=project)
    imported = set(done.stdout.splitlines())
    assert "labkit.plugin" in imported
    assert not imported & HEAVY


def test_an_option_that_nothing_asks_for_is_told(project):
    (project / "pyproject.toml").unlink()
    done = run(project, "--lab-epochs=2")
    assert done.returncode == 0, done.stdout
    assert "nothing was measured, whatever --lab-epochs may ask" in done.stdout
    assert not (project / "reports").exists()
    assert not (project / "connected").exists()


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        (["-p", "no:cacheprovider"], "leave out -p no:cacheprovider"),
        (["-o", "cache_dir=pyproject.toml/cache"], "which cannot be written"),
    ],
    ids=["no-cache", "no-folder"],
)
def test_a_fixture_without_a_usable_cache_is_one_clear_error(project, args, reason):
    (project / "test_lab.py").write_text("def test_lab(hardware): pass\n")
    done = run(project, *args)
    assert done.returncode == 4, done.stdout
    (said,) = [line for line in done.stderr.splitlines() if line]
    assert said.startswith("ERROR: the lab keeps its results in pytest's cache")
    assert reason in said
    assert "Traceback" not in done.stdout


def test_a_fixture_that_is_asked_for_while_a_test_runs_is_one_clear_error(project):
    test = "def test_lab(request): request.getfixturevalue('hardware')\n"
    (project / "test_lab.py").write_text(test)
    done = run(project, "-p", "no:cacheprovider")
    assert "2 passed, 1 xfailed" in done.stdout.replace("1 failed, ", "")
    assert "the lab keeps its results in pytest's cache" in done.stdout


MODULES = sorted(Path(labkit.plugin.__file__).parent.glob("*.py"))


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_nothing_private_of_others_is_used(module):
    tree = ast.parse(module.read_text())
    private = [
        ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and re.match("_[a-z]", node.attr)
        and not (isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"))
    ]
    imported = [n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)]
    assert private == []
    assert not [name for name in imported if name and name.startswith("_")]
