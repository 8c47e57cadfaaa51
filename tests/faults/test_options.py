"""Options, settings and records that cannot be: one line before anything is computed."""

import json
import os
import socket
import time
from argparse import ArgumentTypeError
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labkit import lab, profiles, sources
from labkit.__main__ import main
from labkit.config import ModelSource
from labkit.errors import LabError
from labkit.plugin import options, settings_file
from labkit.plugin.setup import choose_profile
from labkit.plumbing import hub
from labkit.plumbing.files import check_writable
from labkit.plumbing.processes import place
from labkit.plumbing.store import Store
from labkit.runs import history
from tests.running import run_pytest

LONGEST = 600
BIG = "9" * 5000
GROUPS = [
    f"{kind}.{name}"
    for kind in ("comp", "rec", "sci", "talk")
    for name in (
        "graphics",
        "os.ms-windows.misc",
        "sys.ibm.pc.hardware",
        "sport.baseball",
        "religion.misc",
    )
]

VALUES = {
    "no-labels": ("labels", ""),
    "one-label": ("labels", "a"),
    "a-label-twice": ("labels", "a,a"),
    "a-label-of-nothing": ("labels", "a,,b"),
    "labels-of-two-lines": ("labels", "a\nb,c"),
    "labels-of-carriage-returns": ("labels", "a\rb,c"),
    "a-label-without-end": ("labels", "x" * 200_000 + ",b"),
    "size-of-5000-digits": ("train-size", BIG),
    "size-below-nothing": ("train-size", "-5"),
    "size-of-nothing": ("train-size", "0"),
    "size-in-words": ("train-size", "many"),
    "size-with-a-fraction": ("train-size", "1.5"),
    "size-not-a-number": ("train-size", "nan"),
    "validation-of-nothing": ("validation-size", "0"),
    "a-rate-of-nothing": ("learning-rate", "0"),
    "a-rate-below-nothing": ("learning-rate", "-1e-5"),
    "a-rate-without-end": ("learning-rate", "inf"),
    "a-rate-not-a-number": ("learning-rate", "nan"),
    "a-rate-of-two": ("learning-rate", "2"),
    "no-epochs": ("epochs", "0"),
    "epochs-with-a-fraction": ("epochs", "0.5"),
    "a-batch-of-nothing": ("batch-size", "0"),
    "warmup-above-one": ("warmup", "1.1"),
    "warmup-below-nothing": ("warmup", "-0.1"),
    "decay-not-a-number": ("weight-decay", "nan"),
    "decay-without-end": ("weight-decay", "inf"),
    "dropout-above-one": ("attention-dropout", "1.01"),
    "length-of-three": ("max-length", "3"),
    "length-of-a-thousand": ("max-length", "1000"),
    "seed-below-nothing": ("seed", "-1"),
    "seed-that-overflows": ("seed", "4294967295"),
    "seed-of-5000-digits": ("seed", BIG),
    "a-profile-of-nobody": ("profile", "quick"),
    "a-tracker-of-nobody": ("report-to", "paper"),
    "no-data": ("dataset", "  "),
    "no-column": ("text-column", ""),
    "no-base-model": ("base-model", ""),
    "a-text-without-a-label": ("label-text", "=words"),
    "a-text-without-words": ("label-text", "label="),
    "a-text-without-a-sign": ("label-text", "label"),
}


@pytest.mark.parametrize("attack", VALUES)
def test_a_value_is_refused_in_one_line(attack):
    name, value = VALUES[attack]
    option = next(option for option in options.OPTIONS if option.name == name)
    with pytest.raises(ArgumentTypeError) as caught:
        option.parse(value)
    assert len(str(caught.value)) < LONGEST
    assert "\n" not in str(caught.value)


def test_all_twenty_newsgroups_can_be_named():
    """The list is longer than a file may be called, and pytest looks whether it is a file."""
    option = next(option for option in options.OPTIONS if option.name == "labels")
    assert option.parse(",".join(GROUPS)) == tuple(GROUPS)


@pytest.mark.faults
def test_all_twenty_newsgroups_reach_the_data(tmp_path):
    rows = [
        json.dumps({"text": f"post {i} about {group}", "label_text": group})
        for group in GROUPS
        for i in range(8)
    ]
    (tmp_path / "posts.jsonl").write_text("\n".join(rows))
    run = run_pytest(
        *("tests/exercises", "-k", "training_data", "--lab-profile=embedded"),
        *("--lab-labels", ",".join(GROUPS), f"--lab-dataset={tmp_path / 'posts.jsonl'}"),
        folder=tmp_path,
    )
    assert "OSError" not in run.stdout + run.stderr
    assert "128 posts train" in run.stdout or "training_data" in run.stdout


TOML = {
    "a-tool-that-is-none": "tool = 1",
    "a-table-that-is-none": "[tool]\nlabkit = 5",
    "a-table-in-a-list": "[[tool.labkit]]\nepochs = 3",
    "a-setting-of-nobody": "[tool.labkit]\nepoch = 3",
    "a-number-of-5000-digits": f"epochs = {BIG}",
    "a-list-nested-deeply": f"labels = {'[' * 5000}{']' * 5000}",
    "a-list-of-lists": "labels = [['a'], ['b']]\nepochs = '3'",
    "a-number-in-quotes": "epochs = '3'",
    "a-truth-for-a-number": "epochs = true",
    "a-date-for-a-number": "epochs = 2026-01-01",
    "a-table-for-a-number": "[epochs]\nx = 1",
    "a-list-for-a-text": "dataset = ['a', 'b']",
    "a-number-for-a-text": "dataset = 5",
    "a-text-for-a-table": "label-texts = 'a=b'",
    "not-a-number": "learning-rate = nan",
    "without-end": "learning-rate = inf",
    "half-a-line": "epochs =",
    "the-same-twice": "epochs = 1\nepochs = 2",
    "not-utf-8": b"dataset = '\xff'",
    "in-utf-16": "epochs = 1".encode("utf-16"),
    "zero-bytes": b"\0\0\0",
}


@pytest.mark.parametrize("attack", TOML)
def test_a_settings_file_is_refused_in_one_line_that_names_it(tmp_path, attack):
    content = TOML[attack]
    path = tmp_path / "lab.toml"
    path.write_bytes(content if isinstance(content, bytes) else str(content).encode())
    if attack == "a-tool-that-is-none":  # of another tool: not ours to judge
        (tmp_path / "pyproject.toml").write_bytes(path.read_bytes())
        assert settings_file.find(tmp_path, None) is None
        assert settings_file.read(path) == {}
        return
    with pytest.raises(LabError) as caught:
        settings_file.read(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < LONGEST + len(str(path))


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir], ids=["pipe", "folder"])
def test_what_is_no_settings_file_is_not_waited_for(tmp_path, make):
    make(tmp_path / "lab.toml")
    with pytest.raises(LabError, match="there is no such file"):
        settings_file.find(tmp_path, str(tmp_path / "lab.toml"))


@pytest.mark.parametrize("content", [b"[]", b"{}", b'{"started": 1.0}', b"\xff", b"5"])
def test_what_auto_chose_is_found_out_again_where_the_note_of_it_is_damaged(tmp_path, content):
    (tmp_path / "profile.json").write_bytes(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(profiles, "choose", lambda name: profiles.Choice(profiles.EMBEDDED, "so"))
        assert choose_profile("auto", tmp_path, 1.0).why == "so"
        patch.setattr(profiles, "choose", None)  # found out once
        assert choose_profile("auto", tmp_path, 1.0).profile == profiles.EMBEDDED


RECORD = {
    "run": "20260131T235959Z",
    "when": "2026-01-31T23:59:59+00:00",
    "commit": None,
    "profile": "embedded",
    "base_model": "model",
    "data": "posts",
    "data_fingerprint": "0" * 64,
    "labels": ["a", "b"],
    "recipe": {},
    "passed": True,
    "values": {"fine_tune": {"fine_tuned_accuracy": 0.9}},
}

RECORDS: dict[str, Any] = {
    "a-list": [1],
    "a-number": 5,
    "nothing": {},
    "without-values": {name: value for name, value in RECORD.items() if name != "values"},
    "passed-in-words": RECORD | {"passed": "no"},
    "passed-as-a-number": RECORD | {"passed": 1},
    "labels-in-one-word": RECORD | {"labels": "ab"},
    "labels-of-numbers": RECORD | {"labels": [1, 2]},
    "values-in-a-list": RECORD | {"values": [1]},
    "values-of-an-exercise-in-a-list": RECORD | {"values": {"fine_tune": [0.9]}},
    "a-run-that-is-a-number": RECORD | {"run": 5},
    "a-profile-that-is-nothing": RECORD | {"profile": None},
    "a-recipe-that-is-a-list": RECORD | {"recipe": []},
    "not-utf-8": b"\xff\xfe{}",
    "half": json.dumps(RECORD).encode()[:-9],
    "nested-deeply": b"[" * 100_000,
    "a-number-of-5000-digits": json.dumps(RECORD).replace("0.9", BIG).encode(),
    "empty": b"",
    "a-page": b"<html>",
}


@pytest.mark.parametrize("attack", RECORDS)
def test_what_is_no_record_is_nothing_to_compare_with(tmp_path, attack):
    content = RECORDS[attack]
    path = tmp_path / "run.json"
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    with pytest.raises(LabError, match="is not the record of a run"):
        history.find(str(path), tmp_path)
    line = content if isinstance(content, bytes) else json.dumps(content).encode()
    (tmp_path / history.FILE).write_bytes(json.dumps(RECORD).encode() + b"\n" + line + b"\n")
    found, remarks = history.find("2026", tmp_path)
    assert found.values == RECORD["values"]
    assert len(remarks) == (1 if line else 0)


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir], ids=["pipe", "folder"])
def test_a_record_that_is_no_file_is_not_waited_for(tmp_path, make):
    make(tmp_path / "run.json")
    with pytest.raises(LabError, match="is not the record of a run"):
        history.find(str(tmp_path / "run.json"), tmp_path)


def test_the_record_that_all_start_from_is_one(tmp_path):
    (tmp_path / "run.json").write_text(json.dumps(RECORD))
    assert history.find(str(tmp_path / "run.json"), tmp_path)[0].run == RECORD["run"]


@pytest.mark.parametrize("value", [float("nan"), None, "0.9", [0.9], True, 10**400, {}])
def test_a_value_that_is_no_number_is_not_compared(value):
    record = RECORD | {"values": {"fine_tune": {"fine_tuned_accuracy": value}}}
    baseline = history._parse(json.dumps(record), "a run")
    compared = history.compare(baseline, {"fine_tune": {"fine_tuned_accuracy": 0.9}}, {}, {})
    assert [change.before for change in compared.changes] in ([None], [1.0])


def with_posts(text: str = "post {} of its kind", **labels: str) -> str:
    return "".join(
        json.dumps({"text": text.format(i), "label": "ab"[i % 2]}) + "\n" for i in range(24)
    )


@pytest.mark.parametrize(
    "label", ["sci.spcae", "A", "c", "a ", "<b>", "label\nof two lines"], ids=range(6)
)
def test_the_wording_of_a_label_that_the_data_lacks_is_refused(tmp_path, tiny_checkpoint, label):
    """Also where no labels are listed: the data's own are known once it is read."""
    (tmp_path / "posts.jsonl").write_text(with_posts())
    settings = options.merge(
        {
            "dataset": str(tmp_path / "posts.jsonl"),
            "base-model": str(tiny_checkpoint),
            "max-length": 64,
            "label-text": {"a": "the first", label: "a typo"},
        }
    )
    config = options.apply(profiles.EMBEDDED, settings)
    with pytest.raises(LabError, match="no such label; the labels are a, b") as caught:
        sources.check_inputs(lab.run(config, Store(tmp_path / "store")))
    assert "\n" not in str(caught.value)


PLACES: dict[str, Callable[[Path], Any]] = {
    "a-file-in-its-place": lambda path: path.write_text("mine"),
    "a-file-above-it": lambda path: (path.parent.rmdir(), path.parent.write_text("mine")),
    "a-device-in-its-place": lambda path: path.symlink_to("/dev/null"),
    "a-folder-for-the-page": lambda path: (path / "lab.html").mkdir(parents=True),
    "a-folder-for-the-answers": lambda path: (path / "answers.json").mkdir(parents=True),
    "in-the-system": lambda path: path.symlink_to("/proc/1/nowhere"),
}


@pytest.mark.parametrize("attack", PLACES)
def test_a_place_that_cannot_be_written_is_known_before(tmp_path, attack):
    path = tmp_path / "above" / "reports"
    path.parent.mkdir()
    PLACES[attack](path)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(LabError, match=r"cannot be written to|is a folder") as caught:
        check_writable(path, ("lab.html", "answers.json"))
    assert "\n" not in str(caught.value)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_place_that_is_not_there_yet_can_be_written_and_stays_away(tmp_path):
    check_writable(tmp_path / "a" / "b" / "reports", ("lab.html",))
    assert not list(tmp_path.iterdir())


LAUNCHERS = {
    "no-process": ("0", "0", "0", "0"),
    "beyond-the-last": ("2", "2", "0", "1"),
    "none-here": ("0", "2", "0", "0"),
    "more-here-than-anywhere": ("0", "1", "0", "2"),
    "beyond-the-last-here": ("0", "2", "1", "1"),
}
NAMES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")


@pytest.mark.parametrize("attack", LAUNCHERS)
def test_a_launcher_that_counts_wrong_is_refused(monkeypatch, attack):
    for name, value in zip(NAMES, LAUNCHERS[attack], strict=True):
        monkeypatch.setenv(name, value)
    with pytest.raises(LabError, match="no launcher numbers its processes so"):
        place()


@pytest.mark.parametrize("value", ["", "one", "-1", "1.5", "²", BIG, " "])
def test_a_variable_that_is_no_number_is_no_launcher(monkeypatch, value):
    for name in NAMES:
        monkeypatch.setenv(name, value)
    assert place().count == 1


@pytest.mark.parametrize("what", ["model", "dataset"])
def test_a_hub_that_hangs_is_given_up_in_time(monkeypatch, tmp_path, what):
    """A server takes the connection and never answers; the cache is asked instead."""
    monkeypatch.setattr(hub, "PATIENCE", 0.5)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", address)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        monkeypatch.setattr(
            "huggingface_hub.hf_api.HfApi.__init__.__defaults__", None, raising=False
        )
        started = time.monotonic()
        with pytest.raises(LabError, match="the Hub does not give it") as caught:
            hub.fetch(hub.Repository("owner/name", what), ["*"], f"{what} owner/name")
        assert time.monotonic() - started < 20
    assert "--lab-profile embedded" not in str(caught.value)


@pytest.mark.parametrize(
    ("source", "hint"),
    [
        (profiles.DISTILBERT.base_model, True),
        (ModelSource("owner/name"), False),
        (ModelSource("distilbert/distilbert-base-uncased"), False),
    ],
)
def test_to_go_offline_is_advised_where_it_would_help(monkeypatch, tmp_path, source, hint):
    from labkit.model.checkpoints import hub_snapshot

    monkeypatch.setattr(hub, "ask", lambda repository: TimeoutError)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *args, **options: 1 / 0)
    with pytest.raises(LabError) as caught:
        hub_snapshot(source, "base model x")
    assert ("--lab-profile embedded" in str(caught.value)) is hint


COMMANDS: dict[str, tuple[list[str], str]] = {
    "a-model-of-nobody": (["predict", "./nowhere", "x"], "there is no such file or folder"),
    "a-file-of-nobody": (["verify", "nowhere"], "has no lineage.json"),
    "a-file-for-a-model": (["predict", "./file", "x"], "has no model.safetensors"),
    "a-file-for-a-folder": (["verify", "./file"], "has no lineage.json"),
    "a-store-that-is-a-file": (
        ["fine-tune", "out", "--profile=embedded", "--store=file"],
        "file: cannot be written to",
    ),
    "an-output-below-a-file": (
        ["fine-tune", "file/out", "--profile=embedded"],
        "file: cannot be written to",
    ),
    "an-output-that-is-a-file": (
        ["fine-tune", "file", "--profile=embedded", "--store=store"],
        "is no folder",
    ),
    "an-output-of-somebody": (
        ["fine-tune", "mine", "--profile=embedded", "--store=store"],
        "has no lineage.json of the lab",
    ),
    "the-folder-itself": (
        ["fine-tune", ".", "--profile=embedded", "--store=store"],
        "has no lineage.json of the lab",
    ),
    "a-pipe-for-a-lineage": (["verify", "pipe"], "has no lineage.json"),
    "a-config-of-nobody": (["fine-tune", "out", "--config=no.toml"], "there is no such file"),
    "a-length-beyond-the-base": (
        ["fine-tune", "out", "--profile=embedded", "--max-length=513"],
        "",
    ),
}


@pytest.mark.parametrize("attack", COMMANDS)
def test_a_command_that_cannot_be_ends_with_one_line(tmp_path, monkeypatch, capsys, attack):
    command, words = COMMANDS[attack]
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("mine")
    Path("mine").mkdir()
    Path("mine/thesis.tex").write_text("mine")
    Path("pipe").mkdir()
    os.mkfifo("pipe/lineage.json")
    try:
        code: Any = main(command)
    except SystemExit as stop:  # of argparse
        code = stop.code
    assert code == 2
    lines = capsys.readouterr().err.splitlines()
    assert words in lines[-1]
    assert Path("file").read_text() == Path("mine/thesis.tex").read_text() == "mine"
    assert not Path("out").exists()
