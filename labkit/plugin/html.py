"""The answers on pytest-html's own page, which `--html` asks for; the lab's page has them in full."""

import os
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from labkit.plugin.stash import SESSION

if TYPE_CHECKING:
    from labkit.plugin.session import LabSession

TEST_ID = '<td class="col-testId">'


@pytest.hookimpl(optionalhook=True)
def pytest_html_results_summary(prefix: list[str], session: pytest.Session) -> None:
    """Called once all tests are over; what is put into `prefix` is not escaped any more."""
    lab = session.config.stash.get(SESSION, None)
    if lab is not None and lab.asked:
        beside = Path(session.config.getoption("htmlpath")).parent.absolute()
        prefix.append(answer_list(lab, beside))


class EscapedIds:
    """Escapes the ids of tests in the page of a run of the lab; others' pages stay as they are."""

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_results_table_row(self, cells: list[str]) -> None:
        """pytest-html takes an id as it is, and a parameter in it can be markup."""
        for place, cell in enumerate(cells):
            if cell.startswith(TEST_ID):
                name = cell.removeprefix(TEST_ID).removesuffix("</td>")
                cells[place] = f"{TEST_ID}{escape(name)}</td>"


def answer_list(lab: "LabSession", beside: Path) -> str:
    """HTML of the answers in short, with a link to the lab's page from the folder `beside`."""
    exercises = lab.registry.exercises
    lines = [(a.exercise, a.headline, a.holds) for a in lab.in_order()]
    lines += [(exercise, "not answered", False) for exercise in lab.unanswered]
    items = "".join(
        f"<li>{escape(f'{exercises[exercise].title}: {text}')} {'✓ holds' if holds else '✗ fails'}</li>"
        for exercise, text, holds in sorted(lines, key=lambda line: exercises[line[0]].number)
    )
    link = quote(Path(os.path.relpath(lab.page.absolute(), beside)).as_posix())
    return (
        f'<div id="lab-answers"><p>{escape(lab.verdict)} <a href="{link}">The lab\'s report</a></p>'
        f"<ul>{items}</ul></div>"
    )
