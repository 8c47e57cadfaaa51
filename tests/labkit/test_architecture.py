"""The order of the packages, and that the map of the lab is one that can be read."""

import ast
import inspect
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import labkit
from labkit.lab import GRAPH
from labkit.plumbing.code import PIPELINE, code_of, imports_of
from labkit.plumbing.runner import RESOURCES
from tests.running import run_python

PACKAGE = Path(labkit.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
# From what carries values to what a person starts: each may import what stands before it.
ORDER = (
    *("errors", "exercises", "config", "plumbing", "profiles"),
    *PIPELINE,
    *(
        "sources",
        "lab",
        "answers",
        "runs",
        "interactive",
        "own",
        "claims",
        "checks",
        "plugin",
        "puzzles",
        "project",
        "commands",
        "__main__",
    ),
)
LONGEST = 300  # lines of a module


def name_of(file: Path) -> str:
    """The full name of a module."""
    parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def place_of(module: str) -> int:
    """Where a module's package stands in the order; the package's own name stands first."""
    parts = module.split(".")
    return ORDER.index(parts[1]) if len(parts) > 1 else -1


MODULES = [name_of(file) for file in FILES]


def test_every_part_of_labkit_has_its_place_in_the_order():
    assert {module.split(".")[1] for module in MODULES if "." in module} == set(ORDER)


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_what_stands_before_it(module):
    ours = [name for name in imports_of(module) if name.startswith("labkit.")]
    against = [name for name in ours if place_of(name) > place_of(module)]
    assert not against, f"{module} imports {', '.join(sorted(against))}"


def test_no_modules_import_each_other_in_a_circle():
    """Raises CycleError for a circle. That a module needs the package around it is none."""
    known = set(MODULES)
    needs = {
        module: {name for name in imports_of(module) & known if not module.startswith(name)}
        for module in MODULES
    }
    assert list(TopologicalSorter(needs).static_order())


@pytest.mark.parametrize("file", FILES, ids=[name_of(file) for file in FILES])
def test_a_module_can_be_read_in_one_go(file):
    assert len(file.read_text().splitlines()) <= LONGEST


def names_in_body(stage):
    (function,) = ast.parse(inspect.getsource(stage.function)).body
    assert isinstance(function, ast.FunctionDef)
    return {n.id for part in function.body for n in ast.walk(part) if isinstance(n, ast.Name)}


def test_stages_take_each_other_in_no_circle():
    needs = {name: set(stage.inputs) & set(GRAPH) for name, stage in GRAPH.items()}
    assert set(TopologicalSorter(needs).static_order()) == set(GRAPH)


def test_the_map_reads_from_top_to_bottom():
    names = list(GRAPH)
    for stage in GRAPH.values():
        before = names[: names.index(stage.name)]
        assert all(name in before for name in stage.inputs if name in GRAPH), stage.name


@pytest.mark.parametrize("stage", GRAPH.values(), ids=list(GRAPH))
def test_a_stage_says_in_one_sentence_what_it_is(stage):
    assert stage.summary.endswith(".")


@pytest.mark.parametrize("stage", GRAPH.values(), ids=list(GRAPH))
def test_a_stage_uses_all_that_it_takes(stage):
    """What it takes counts for its key: a name too many would compute it anew for nothing."""
    assert set(stage.inputs) <= names_in_body(stage)


@pytest.mark.parametrize("stage", GRAPH.values(), ids=list(GRAPH))
def test_a_stage_uses_nothing_of_its_module(stage):
    """What it imports in its body is followed as its code; what stands around it is not."""
    around = set(vars(inspect.getmodule(stage.function))) - {*stage.inputs, stage.name}
    assert not names_in_body(stage) & around


def test_resources_are_no_stages():
    assert not set(RESOURCES) & set(GRAPH)


@pytest.mark.parametrize(
    ("stage", "reaches", "leaves"),
    [
        ("posts", "labkit.data.posts", "labkit.model.encoding"),
        ("base_embeddings", "labkit.model.encoding", "labkit.training.fine_tune"),
        ("fine_tuned", "labkit.training.fast.attention", "labkit.evaluation.metrics"),
        ("separation", "labkit.evaluation.separation", "labkit.training.fine_tune"),
        ("baselines", "labkit.evaluation.baselines", "labkit.evaluation.gates"),
        ("saved_model", "labkit.release.card", "labkit.evaluation.gates"),
    ],
)
def test_a_stage_reaches_the_code_that_makes_its_result(stage, reaches, leaves):
    modules = code_of(GRAPH[stage].function).modules
    assert reaches in modules
    assert leaves not in modules


def test_the_types_of_results_import_neither_torch_nor_the_trainer():
    """A run that finds all in the store reads results, and needs no more than their types."""
    code = (
        "import sys; from labkit import lab; [one.returns for one in lab.GRAPH.values()]; "
        "print(*{'torch', 'transformers.trainer', 'hypothesis'} & sys.modules.keys())"
    )
    done = run_python("-c", code)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr
