"""The examples in the docs, run as they stand: in a checkout of the lab, on files of their names.

The model is the tiny one and only the gates' tests of a page's exercises run, so that all pages
take seconds; what is typed is what the page says. Later examples use what earlier ones left.
"""

import json
import re
import shlex
import tomllib
from typing import Any

import pytest

from labkit.release.export import LIBRARIES
from tests.checkout import EXERCISES, WORDS, Checkout
from tests.running import ROOT
from tests.subjects import TOPIC_WORDS


def blocks(page: str, kind: str) -> list[str]:
    """The fenced blocks of a page, without the indentation of a list that they stand in."""
    text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    found = re.findall(rf"^( *)```{kind}\n(.*?)^ *```", text, re.M | re.S)
    return [
        "\n".join(re.sub(f"^{indent}", "", body, flags=re.M).splitlines()) for indent, body in found
    ]


def commands(page: str) -> list[str]:
    """The lines of a page that a user copies and that start the lab or `labkit`."""
    lines = [line for block in blocks(page, "console") for line in block.splitlines()]
    return [line.removeprefix("$ ") for line in lines if re.match(r"\$ (pytest|labkit)\b", line)]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory, tiny_checkpoint):
    return Checkout(tmp_path_factory.mktemp("docs") / "lab", tiny_checkpoint)


@pytest.fixture(scope="module")
def examples(checkout):
    """Every command of every page, in their order."""
    return [checkout.run(page, command) for page in EXERCISES for command in commands(page)]


@pytest.fixture
def example(request, examples):
    (found,) = (e for e in examples if (e.page, e.command) == request.param)
    return found


def each(*starts: str) -> Any:
    """Parametrizes over the examples that start with these words."""
    found = [(page, c) for page in EXERCISES for c in commands(page) if c.startswith(starts)]
    ids = [f"{page}: {command}" for page, command in found]
    return pytest.mark.parametrize("example", found, ids=ids, indirect=True)


@each("pytest")
def test_the_exit_code_is_what_the_docs_say_of_it(example):
    assert "Traceback" not in example.output
    assert "error" not in example.output.splitlines()[-1], example.output
    if "--lab-gates" in example.command:
        assert (example.code, example.answers) == (0, None), example.output
        return
    broken = not example.answers["holds"] and "--lab-report-only" not in example.command
    assert example.code == (1 if broken else 0), example.output


def limits_of(checkout: Checkout, command: str) -> dict[str, float]:
    """The thresholds that hold for a command, as its `--lab-gates` prints them."""
    lines = checkout.run("gates", f"{command} --lab-gates").output.splitlines()
    rows = [line.split() for line in lines if re.search(" [<>]= ", line)]
    return {name: float(limit) for name, _, limit, *_ in rows}


@each("pytest --lab-gate ", "pytest --lab-dataset")
def test_what_is_typed_is_what_runs(checkout, example):
    typed = shlex.split(example.command.replace("--lab-dataset=", "--lab-dataset "))
    for option, value in zip(typed[1::2], typed[2::2], strict=True):
        if option == "--lab-gate":
            name, limit = value.split("=")
            assert limits_of(checkout, example.command)[name] == float(limit)
        if option == "--lab-dataset":
            assert example.record["data"] == value
        if option == "--lab-labels":
            assert ",".join(example.record["labels"]) == value


@each("pytest --lab-compare")
def test_a_comparison_shows_the_pinned_run(example):
    assert "against run" in example.output
    assert "no baseline" not in example.output


@each("labkit fine-tune")
def test_fine_tune_leaves_the_model_where_the_page_says(example, checkout):
    assert example.code == 0
    folder = shlex.split(example.command)[2]
    assert json.loads(example.output)["model"] == folder
    assert (checkout.folder / folder / "lineage.json").exists()


@each("labkit predict")
def test_predict_gives_a_json_line_a_text(example):
    lines = [json.loads(line) for line in example.output.splitlines()]
    assert example.code == 0
    assert len(lines) == 2
    assert {line["label"] for line in lines} <= set(WORDS)


@each("labkit verify")
def test_verify_finds_the_model_as_recorded(example):
    assert example.code == 0, example.output
    assert "ok   fine_tuned_accuracy" in example.output


@each("labkit export")
def test_export_leaves_a_graph_where_the_page_says(example, checkout):
    for library in LIBRARIES:
        pytest.importorskip(library, reason=f"{library}, of the extra `onnx`, is not installed")
    assert example.code == 0, example.output
    assert (checkout.folder / "models" / "tickets-onnx" / "model.onnx").exists()


@pytest.mark.parametrize("page", ["gates", "own-data"])
def test_a_table_in_pyproject_does_it_too(checkout, page):
    (table,) = blocks(page, "toml")
    wanted = tomllib.loads(table)["tool"]["labkit"]
    checkout.configure(table)
    example = checkout.run(page, "pytest")
    assert example.code == (0 if example.answers["holds"] else 1), example.output
    assert example.record["labels"] == wanted.get("labels", [*TOPIC_WORDS])
    assert wanted.get("gates", {}).items() <= limits_of(checkout, "pytest").items()
