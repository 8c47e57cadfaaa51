"""Writing the report's files: whole or not at all."""

import os

import pytest

from labkit.report.page import write_atomically


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
