"""The exercises can be copied into any project, and each shows how it is done."""

import ast

import pytest

from labkit.exercises import EXERCISES
from tests.running import ROOT

MODULES = sorted((ROOT / "tests" / "exercises").glob("test_*.py"))


def imported(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield node.module if not node.level else "."
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


@pytest.fixture(params=MODULES, ids=[module.stem for module in MODULES])
def tree(request):
    return ast.parse(request.param.read_text())


def test_there_is_one_for_each_exercise():
    assert [module.stem for module in MODULES] == [f"test_{e.number}_{e.id}" for e in EXERCISES]


def test_it_imports_nothing_of_the_tests_around_it(tree):
    assert not [name for name in imported(tree) if name.split(".")[0] in ("tests", "")]


def test_collecting_it_imports_no_torch(tree):
    """`--collect-only` stays quick: what is heavy is imported by the test that needs it."""
    top = ast.Module([node for node in tree.body if not isinstance(node, ast.FunctionDef)], [])
    assert not {name.split(".")[0] for name in imported(top)} & {"torch", "transformers"}


def test_it_says_what_you_see_asks_you_to_predict_and_ends_in_its_question(tree, request):
    text = ast.get_docstring(tree) or ""
    exercise = EXERCISES[MODULES.index(request.node.callspec.params["tree"])]
    order = [text.index(part) for part in ("What you see: ", "Predict first: ", "Question: ")]
    assert order == sorted(order)
    assert f"\n    pytest -k {exercise.id.split('_')[0]}" in text
    assert text.endswith(f"Question: {exercise.question}")


def test_what_is_done_by_hand_comes_before_the_claims_and_the_gates_are_last(tree):
    tests = [
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]
    by_hand = [name for name in tests if "by_hand" in name]
    assert by_hand
    assert tests[: len(by_hand)] == by_hand
    assert tests[-1] == "test_gate"
