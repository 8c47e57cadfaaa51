"""A stage's key follows the code that its function may reach, and no other."""

import importlib.util
from types import ModuleType

import pytest

from labkit.plumbing import code
from labkit.plumbing.code import PIPELINE, Code, code_of, imports_of, in_pipeline, type_imports

STAGE = """
def stage():
    from labkit.training.upper import f
    return f()
"""
SOURCES = {
    "labkit.training.upper": """
from typing import TYPE_CHECKING
import numpy.linalg
from labkit.model.lower import f
from labkit.plumbing.carrier import carry
if TYPE_CHECKING:
    import pandas
    from labkit.report.shown import T
""",
    "labkit.model.lower": """
def f():
    import labkit.data.lowest
    if True:
        from torch import nn
""",
    "labkit.data.lowest": "from labkit.training.upper import f\n",  # round in a circle
    "labkit.plumbing.carrier": "import yaml\nfrom labkit.report.behind import f\n",
    "labkit.report.shown": "T = int\n",
    "labkit.report.behind": "def f(): ...\n",
}
REACHED = ("labkit.data.lowest", "labkit.model.lower", "labkit.training.upper")


def forget() -> None:
    code_of.cache_clear()
    imports_of.cache_clear()


@pytest.fixture
def file_of(tmp_path, monkeypatch):
    """The files of a small labkit, by the names of its modules."""

    def path(name):
        return tmp_path.joinpath(*name.split(".")).with_suffix(".py")

    for name, source in SOURCES.items():
        path(name).parent.mkdir(parents=True, exist_ok=True)
        path(name).write_text(source)
    forget()
    monkeypatch.setattr(code, "source_file", path)
    yield path
    forget()


@pytest.fixture
def load(tmp_path):
    """Makes a module of its text, outside labkit."""
    folder = tmp_path / "loaded"
    folder.mkdir()

    def module(text: str) -> ModuleType:
        file = folder / f"module_{len(list(folder.glob('*.py')))}.py"
        file.write_text(text)
        spec = importlib.util.spec_from_file_location(file.stem, file)
        assert spec is not None
        assert spec.loader is not None
        made = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(made)
        return made

    return module


@pytest.fixture
def found(load, file_of):
    """What is found of the stage's code, as a process that starts now finds it."""
    stage = load(STAGE).stage

    def now() -> Code:
        forget()
        return code_of(stage)

    return now


def test_imports_are_followed_through_the_pipeline_and_no_further(found):
    assert found().modules == REACHED


def test_the_libraries_of_what_is_reached_are_listed(found):
    assert found().libraries == ("numpy", "torch", "typing")


@pytest.mark.parametrize("module", SOURCES)
def test_a_change_counts_where_the_stage_reaches_it(found, file_of, module):
    before = found()
    assert found() == before
    with file_of(module).open("a") as file:
        file.write("# changed\n")
    assert (found().digest != before.digest) is (module in REACHED)


@pytest.mark.parametrize("module", SOURCES)
def test_a_file_beside_counts_where_the_module_does(found, file_of, module):
    table = file_of(module).with_name("table.toml")
    digests = [found().digest]
    for text in ("a = 1", "a = 2"):
        table.write_text(text)
        digests.append(found().digest)
    table.rename(table.with_name("other.toml"))
    digests.append(found().digest)
    reached = any(file_of(name).parent == table.parent for name in REACHED)
    assert len(set(digests)) == (4 if reached else 1)


def test_a_module_that_nothing_imports_does_not_count(found, file_of):
    before = found()
    file_of("labkit.model.new").write_text("VALUE = 1\n")
    assert found() == before


def test_a_functions_own_text_counts_and_its_neighbours_do_not(load, file_of):
    digests = [
        code_of(load(text).stage).digest
        for text in (STAGE, f"{STAGE}\nOTHER = 1\n", STAGE.replace("f()", "f() + 1"))
    ]
    assert digests[0] == digests[1] != digests[2]


def test_an_import_beside_the_function_is_none_of_its_own(load, file_of):
    """Stages import in their bodies."""
    alone = code_of(load("import numpy\ndef stage():\n    return numpy.e\n").stage)
    assert (alone.modules, alone.libraries) == ((), ())


def test_imports_are_found_inside_functions_and_types_are_not(file_of):
    assert imports_of("labkit.model.lower") == {"labkit.data.lowest", "torch"}
    assert "labkit.report.shown" not in imports_of("labkit.training.upper")
    assert "pandas" not in imports_of("labkit.training.upper")


def test_a_module_may_be_imported_as_a_name_of_its_package():
    def stage():
        from labkit.data import posts

        return posts

    assert {"labkit.data", "labkit.data.posts"} <= set(code_of(stage).modules)


def test_training_depends_on_what_it_runs():
    """The very modules, so that a missing link shows."""

    def stage():
        from labkit.training.fine_tune import fine_tune

        return fine_tune

    modules = set(code_of(stage).modules)
    assert {"fine_tune", "history", "fast.attention", "fast.speed"} <= {
        name.removeprefix("labkit.training.") for name in modules
    }
    assert "labkit.training.fine_tune" not in imports_of("labkit.data.posts")


def test_an_unknown_module_is_an_error(load):
    with pytest.raises(ModuleNotFoundError, match=r"labkit\.data\.no_such_module"):
        code_of(load("def stage():\n    import labkit.data.no_such_module\n").stage)


@pytest.mark.parametrize("package", PIPELINE)
def test_a_package_of_the_pipeline_and_its_modules_are_in_it(package):
    assert in_pipeline(f"labkit.{package}")
    assert in_pipeline(f"labkit.{package}.deep.module")
    assert not in_pipeline(f"labkit.{package}s")


@pytest.mark.parametrize("name", ["labkit", "labkit.config", "labkit.plumbing.data"])
def test_what_only_carries_values_is_not(name):
    assert not in_pipeline(name)


def test_types_are_told_by_name_module_and_name_there(load):
    module = load(
        "from typing import TYPE_CHECKING\nfrom pathlib import Path\n"
        "if TYPE_CHECKING:\n    from labkit.a import One, Two as Second\n"
    )
    assert type_imports(module) == {"One": ("labkit.a", "One"), "Second": ("labkit.a", "Two")}
