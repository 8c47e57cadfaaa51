"""`labkit` on the command line: a model is trained, used, and checked; mistakes cost one line."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from labkit import lab
from labkit.__main__ import main, parser
from labkit.plugin.options import RUN_OPTIONS
from labkit.plumbing.digests import file_digest
from labkit.plumbing.progress import Silent
from labkit.plumbing.store import Store
from tests.running import run_labkit
from tests.subjects import LABELS, write_dataset

WEIGHTS = "model.safetensors"


@pytest.fixture(scope="module")
def posts(tmp_path_factory):
    return write_dataset(tmp_path_factory.mktemp("cli") / "posts", train=240)


@pytest.fixture(scope="module")
def trained(tiny_checkpoint, posts):
    """The folder of a model that the command line trained."""
    folder = posts.parent / "model"
    code = main(
        [
            *("fine-tune", str(folder), "--store", str(posts.parent / "store")),
            *("--profile", "embedded", "--base-model", str(tiny_checkpoint)),
            *("--dataset", str(posts), "--max-length", "64", "--batch-size", "8"),
            *("--learning-rate", "5e-3", "--lab-epochs", "2"),
        ]
    )
    assert code == 0
    return folder


@pytest.fixture
def copy(trained, tmp_path):
    return Path(shutil.copytree(trained, tmp_path / "copy"))


def test_fine_tune_saves_a_model_with_lineage(trained):
    record = json.loads((trained / "lineage.json").read_text())
    assert record["recipe"]["epochs"] == 2
    assert record["metrics"]["fine_tuned_accuracy"] > 0.9
    assert not list((trained.parent / "store").glob("unfinished/*"))


def test_predict_gives_a_json_line_for_each_text(trained, capsys):
    code = main(["predict", str(trained), "pitcher inning bat umpire", "orbit rocket lunar comet"])
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert code == 0
    assert [line["label"] for line in lines] == list(LABELS)
    for line in lines:
        assert sum(line["probabilities"].values()) == pytest.approx(1)
        assert line["probabilities"][line["label"]] == max(line["probabilities"].values())


def test_predict_reads_a_file_and_standard_input_alike(trained, tmp_path, capsys, monkeypatch):
    content = "pitcher inning bat\norbit rocket\n"
    file = tmp_path / "texts.txt"
    file.write_text(content)
    run = run_labkit("predict", str(trained), "--file", str(file))
    assert run.returncode == 0, run.stderr
    assert run.stdout.count("\n") == 2
    with file.open() as typed:
        monkeypatch.setattr("sys.stdin", typed)
        assert main(["predict", str(trained)]) == 0
    assert capsys.readouterr().out == run.stdout


def test_verify_finds_a_fresh_model_as_recorded(trained, capsys):
    assert main(["verify", str(trained)]) == 0
    out = capsys.readouterr().out
    assert "FAIL" not in out
    assert "ok   fine_tuned_accuracy" in out
    assert "ok   model.safetensors has its recorded digest" in out


def spoil_weights(copy):
    content = bytearray((copy / WEIGHTS).read_bytes())
    content[-1] ^= 1
    (copy / WEIGHTS).write_bytes(content)


def praise_in_card(copy):
    card = (copy / "README.md").read_text()
    (copy / "README.md").write_text(card.replace("posts", "very many posts"))


def spoil_metric(copy):
    record = json.loads((copy / "lineage.json").read_text())
    record["metrics"]["fine_tuned_accuracy"] -= 1e-15
    (copy / "lineage.json").write_text(json.dumps(record))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (spoil_weights, "FAIL model.safetensors does not have its recorded digest"),
        (lambda copy: (copy / "config.json").unlink(), "FAIL config.json is missing"),
        (praise_in_card, "FAIL README.md does not have its recorded digest"),
        (lambda copy: (copy / "x.bin").write_text(""), "FAIL x.bin is not recorded"),
        (spoil_metric, "FAIL fine_tuned_accuracy"),
    ],
)
def test_verify_finds_what_was_changed(copy, capsys, spoil, message):
    spoil(copy)
    assert main(["verify", str(copy)]) == 1
    assert message in capsys.readouterr().out


def test_verify_finds_that_the_data_is_not_what_it_was(trained, tmp_path, capsys):
    other = write_dataset(tmp_path / "posts", train=240, seed=1)
    assert main(["verify", str(trained), "--dataset", str(other)]) == 1
    assert "FAIL the data does not have its recorded fingerprint" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["verify", "nowhere"], "labkit verify: nowhere: has no lineage.json that can be read"),
        (["predict", "./nowhere", "x"], "MODEL ./nowhere: there is no such file or folder"),
        (
            ["fine-tune", "out", "--profile=embedded", "--dataset=no.csv"],
            "--lab-dataset no.csv: there is no such file or folder",
        ),
    ],
)
def test_a_mistake_is_one_line_and_code_2(command, message, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(command) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("labkit ")]
    assert message in line
    assert not (tmp_path / "out").exists()


def test_fine_tune_has_the_options_of_the_plugin():
    args = parser().parse_args(["fine-tune", "out"])
    names = {option.key for option in RUN_OPTIONS} - {"lab_fine_tuned"}
    assert names <= set(vars(args))


class CutOffError(Exception):
    """Stands for a machine that went away."""


class Listener(Silent):
    """Keeps what a training tells of its steps, and pulls the plug in an epoch."""

    def __init__(self, plug: str = "never") -> None:
        self.plug, self.notes = plug, list[str]()

    def advance(self, done: float, note: str = "") -> None:
        self.notes.append(note)
        if self.plug in note:
            raise CutOffError


def test_training_that_was_cut_off_goes_on_and_ends_with_the_same_weights(tiny_config, tmp_path):
    config = replace(tiny_config, recipe=replace(tiny_config.recipe, epochs=2))

    def train(store, listener):
        run = lab.run(config, Store(tmp_path / store), progress=listener, resumable=True)
        return run.fine_tuned

    whole = train("whole", Listener())
    with pytest.raises(CutOffError):
        train("cut", Listener("epoch 2"))
    unfinished = tmp_path / "cut" / "unfinished"
    assert list(unfinished.glob("*/checkpoint-*"))
    listener = Listener()
    again = train("cut", listener)
    assert file_digest(again.folder / WEIGHTS) == file_digest(whole.folder / WEIGHTS)
    assert [note for note in listener.notes if "epoch 2" in note]
    assert not [note for note in listener.notes if "epoch 1" in note]
    assert replace(again.history, seconds=0) == replace(whole.history, seconds=0)
    assert not list(unfinished.iterdir())
