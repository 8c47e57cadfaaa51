"""Streams and signals as shells and services hand them out."""

import io
import json
import os
import sys
from functools import partial
from pathlib import Path

import pytest

from labkit import __main__ as command
from labkit.commands.output import write_json
from labkit.commands.predict import read_lines
from labkit.errors import LabError
from labkit.plumbing.files import replace_folder, write_files


@pytest.mark.parametrize("content", [b"\xff\xfe", b"a\xc3", b"\xed\xa0\x80", b"\x80"])
def test_standard_input_that_is_not_utf_8_is_one_line(monkeypatch, content):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    with pytest.raises(LabError, match="standard input: is not UTF-8"):
        list(read_lines(None))


def test_a_closed_standard_input_is_one_line(monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(LabError, match="standard input is closed"):
        list(read_lines(None))


def test_a_closed_standard_output_is_no_success(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdout", None)
    assert command.main(["verify", "nowhere"]) == 2
    assert capsys.readouterr().err == "labkit verify: standard output is closed\n"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_json_can_be_written_where_there_is_only_ascii(monkeypatch, encoding):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding, write_through=True))
    write_json({"text": "日本語 é"})
    assert json.loads(raw.getvalue()) == {"text": "日本語 é"}
    assert raw.getvalue().isascii()


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (KeyboardInterrupt(), 130, "labkit fine-tune: stopped; with the same options it goes on"),
        (LabError("no such thing"), 2, "labkit fine-tune: no such thing"),
        (OSError(28, "No space left on device", "out"), 2, "out: No space left on device"),
        (OSError(30, "Read-only file system", "out"), 2, "out: Read-only file system"),
        (PermissionError(13, "Permission denied", "a\x1b[31m"), 2, r"a\x1b[31m: Permission denied"),
    ],
)
def test_what_ends_a_command_is_one_line(monkeypatch, capsys, error, code, words):
    def fail(args):
        raise error

    monkeypatch.setattr(command.fine_tune, "run", fail)
    assert command.main(["fine-tune", "out"]) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line


def test_a_reader_that_went_away_is_no_error(monkeypatch, capsys):
    read, write = os.pipe()
    os.close(read)
    monkeypatch.setattr(sys, "stdout", os.fdopen(write, "w"))

    def speak(args):
        print("to nobody", flush=True)
        return 0

    monkeypatch.setattr(command, "run_verify", speak)
    assert command.main(["verify", "model"]) == 141
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("limit", [0, 1, 100, 4096, 10_000])
def test_a_disk_that_is_full_leaves_what_was_there(tmp_path, limit):
    """A limit on the size of files stands for it, in a process of its own."""
    write_files(tmp_path, {"lab.html": "old" * 9000})

    def fill(folder: Path, word: str) -> None:
        (folder / "w").write_text(word * 9000)

    replace_folder(tmp_path / "model", partial(fill, word="old"))
    child = os.fork()
    if child == 0:
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        failed = 0
        try:
            write_files(tmp_path, {"lab.html": "new" * 9000})
        except OSError:
            failed += 1
        try:
            replace_folder(tmp_path / "model", partial(fill, word="new"))
        except OSError:
            failed += 1
        os._exit(0 if failed == 2 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert (tmp_path / "lab.html").read_text() == "old" * 9000
    assert (tmp_path / "model" / "w").read_text() == "old" * 9000
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"lab.html", "model", ".labkit.lock", ".model.lock"}
