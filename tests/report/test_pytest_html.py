"""`--html` gives pytest-html's own page beside the lab's, with the answers in short."""

import json
import re
from types import SimpleNamespace
from typing import cast

import pytest

from labkit.exercises import BY_ID
from labkit.plugin import html
from labkit.plugin.registry import BUILT_IN
from labkit.plugin.session import LabSession
from tests.report.conftest import HOSTILE, open_page
from tests.running import run_pytest


@pytest.fixture(scope="module")
def both(parallel_run, lab_folder, tiny_checkpoint, hostile_posts):
    """The folder of a run, stages from the store, with `--html` elsewhere than its reports."""
    run = run_pytest(
        *("-k", "zero_shot or training_data", "--lab-profile=embedded", "--lab-max-length=64"),
        *(f"--lab-base-model={tiny_checkpoint}", f"--lab-dataset={hostile_posts}"),
        f"--lab-reports={lab_folder / 'both'}",  # where no fuller report is kept
        *(f"--html={lab_folder / 'elsewhere' / 'tests.html'}", "--self-contained-html"),
        folder=lab_folder,
    )
    assert "INTERNALERROR" not in run.stdout
    return lab_folder


def test_both_pages_are_written_and_each_is_its_own(both):
    theirs = (both / "elsewhere" / "tests.html").read_text()
    ours = (both / "both" / "lab.html").read_text()
    assert "pytest-html" in theirs
    assert "results-table" in theirs
    assert "results-table" not in ours
    assert ours.count("<script") == 1
    for test in ("test_no_post_is_empty[train]", "test_gate[above_chance_low]"):
        assert test in theirs
        assert f"<wbr>{test}<" in ours


def test_pytest_htmls_page_lists_the_answers_and_links_the_labs(both, browser):
    answers = json.loads((both / "both" / "answers.json").read_text())
    open_page(browser, both / "elsewhere" / "tests.html", 1440)
    items = browser.find_elements("css selector", "#lab-answers li")
    assert len(items) == len(answers["answers"]) == 2
    for item, answer in zip(items, answers["answers"], strict=True):
        holds = all(gate["holds"] for gate in answer["gates"])
        mark = "✓ holds" if holds else "✗ fails"
        assert item.text == f"{BY_ID[answer['id']].title}: {answer['headline']} {mark}"
    summary = browser.find_element("id", "lab-answers")
    assert answers["verdict"] in summary.text
    summary.find_element("tag name", "a").click()
    assert browser.current_url == (both / "both" / "lab.html").as_uri()


def test_without_an_exercise_nothing_is_added(tmp_path):
    page = tmp_path / "tests.html"
    run = run_pytest(f"--html={page}", "tests/labkit/test_readme.py", folder=tmp_path)
    assert run.returncode == 0, run.stdout
    assert "lab-answers" not in page.read_text()
    assert not (tmp_path / "reports").exists()


def test_workers_answers_are_listed_too(tmp_path, tiny_checkpoint, tiny_dataset):
    page = tmp_path / "tests.html"
    run_pytest(
        *(f"--html={page}", "-n1", "-k", "training_data", "--lab-profile=embedded"),
        *(f"--lab-base-model={tiny_checkpoint}", f"--lab-dataset={tiny_dataset}"),
        "--lab-max-length=64",
        folder=tmp_path,
    )
    (listed,) = re.findall('<div id="lab-answers">.*</div>', page.read_text())
    assert "Training data: " in listed
    assert 'href="reports/lab.html"' in listed


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_an_answer_has_no_markup_of_its_own(tmp_path, text):
    answer = SimpleNamespace(exercise="zero_shot", headline=text, holds=True)
    lab = SimpleNamespace(
        in_order=lambda: [answer],
        unanswered=[],
        verdict=text,
        page=tmp_path / 'a "folder"' / "lab.html",
        registry=BUILT_IN,
    )
    listed = html.answer_list(cast(LabSession, lab), tmp_path)
    assert re.sub('</?(div|p|ul|li|a)( (id|href)="[^"<>]*")?>', "", listed).count("<") == 0
    assert 'href="a%20%22folder%22/lab.html"' in listed
