"""A stage's key follows the code that makes its result, and no other."""

import pytest

from labkit.plumbing import source_code
from labkit.plumbing.source_code import code_digest, function_digest, imports_of


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Sources of a small labkit: `stage` imports `lower`, and `shown` for types alone."""
    sources = {
        "stage": "from typing import TYPE_CHECKING\nfrom labkit.lower import f\n"
        "if TYPE_CHECKING:\n    from labkit.shown import T\n",
        "lower": "def f():\n    from labkit import lowest\n    import labkit.evaluation.gates\n",
        "lowest": "VALUE = 1\n",
        "shown": "T = int\n",
        "gates": "THRESHOLD = 0.9\n",
    }
    for name, source in sources.items():
        (tmp_path / f"{name}.py").write_text(source)
    source_code.imports_of.cache_clear()
    monkeypatch.setattr(source_code, "source_file", lambda name: tmp_path / f"{name}.py")
    yield tmp_path
    source_code.imports_of.cache_clear()


@pytest.mark.parametrize(
    ("module", "changes"),
    [("stage", True), ("lower", True), ("lowest", True), ("shown", False), ("gates", False)],
)
def test_a_change_counts_where_the_stage_runs_it(package, module, changes):
    before = code_digest(["stage"])
    with (package / f"{module}.py").open("a") as file:
        file.write("# changed\n")
    assert (code_digest(["stage"]) != before) is changes


def test_imports_are_found_inside_functions(package):
    assert imports_of("lower") == {"lowest", "gates"}


def test_training_depends_on_what_it_runs():
    """The very modules, so that a missing link shows."""
    assert {"attention", "base_model", "inference", "hardware", "training_history"} <= imports_of(
        "fine_tune"
    )
    assert "fine_tune" not in imports_of("data")


def test_an_unknown_module_is_an_error():
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        code_digest(["no_such_module"])


def test_a_function_is_known_by_its_own_source():
    def one():
        return 1

    def two():
        return 2

    assert function_digest(one) != function_digest(two)
    assert function_digest(one) == function_digest(one)
