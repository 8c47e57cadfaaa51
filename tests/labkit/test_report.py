"""Writing the report's files: whole or not at all, and only from a page that is understood."""

import os

import pytest

from labkit.errors import LabError
from labkit.report import write_atomically
from labkit.results_table import take_apart


def test_a_file_is_readable_for_others(tmp_path):
    write_atomically(tmp_path / "new" / "lab.html", "naïve")
    assert (tmp_path / "new" / "lab.html").read_text(encoding="utf-8") == "naïve"
    assert (tmp_path / "new" / "lab.html").stat().st_mode & 0o777 == 0o644


def test_a_write_that_fails_leaves_the_last_report_and_no_rest(tmp_path, monkeypatch):
    (tmp_path / "lab.html").write_text("the last one")

    def full(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="no space left"):
        write_atomically(tmp_path / "lab.html", "the next one")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "lab.html": "the last one"
    }


@pytest.mark.parametrize("page", ["", "<html><body>", "<body><script></script></body>"])
def test_a_page_of_another_plugin_is_told_from_pytest_htmls(page):
    with pytest.raises(LabError, match=r"pytest-html's page has no .*; pytest-html 4 is needed"):
        take_apart(page)
