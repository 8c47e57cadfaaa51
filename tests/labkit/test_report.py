"""Writing the report's files: whole or not at all."""

import os

import pytest

from labkit.plumbing.files import settle, write_files

LOCK = ".labkit.lock"


def contents(folder):
    return {path.name: path.read_text() for path in folder.iterdir() if path.name != LOCK}


def test_a_file_is_readable_for_others(tmp_path):
    write_files(tmp_path / "new", {"lab.html": "naïve"})
    assert (tmp_path / "new" / "lab.html").read_text(encoding="utf-8") == "naïve"
    assert (tmp_path / "new" / "lab.html").stat().st_mode & 0o777 == 0o644


def test_a_write_that_fails_leaves_the_last_report_and_no_rest(tmp_path, monkeypatch):
    (tmp_path / "lab.html").write_text("the last one")

    def full(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="no space left"):
        write_files(tmp_path, {"lab.html": "the next one"})
    assert contents(tmp_path) == {"lab.html": "the last one"}


def test_no_file_is_new_where_another_cannot_be_written(tmp_path):
    last = {"lab.html": "the last one", "answers.json": "the last ones"}
    write_files(tmp_path, last)
    with pytest.raises(UnicodeEncodeError):
        write_files(tmp_path, {"lab.html": "the next one", "answers.json": "\ud800"})
    assert contents(tmp_path) == last


def test_what_a_killed_process_left_goes_with_the_next_report(tmp_path):
    (tmp_path / ".labkit-killed").mkdir()
    (tmp_path / ".labkit-killed" / "lab.html").write_text("ha")
    write_files(tmp_path, {"lab.html": "whole"})
    assert contents(tmp_path) == {"lab.html": "whole"}


def test_what_was_written_and_not_put_in_place_is_put_there_by_the_next_run(tmp_path, monkeypatch):
    """Killed, or stopped, between two files of one report."""
    old, new = (dict.fromkeys(("answers.json", "lab.html"), text) for text in ("old", "new"))
    write_files(tmp_path, old)
    replace = os.replace

    def stop(source, target):
        if target.name == "lab.html":
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr(os, "replace", stop)
    with pytest.raises(KeyboardInterrupt):
        write_files(tmp_path, new)
    monkeypatch.undo()
    settle(tmp_path)
    assert contents(tmp_path) == new
