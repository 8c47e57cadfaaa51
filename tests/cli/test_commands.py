"""`labkit` on the command line: a model is trained, used, and checked; mistakes cost one line."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from labkit.__main__ import main, parser
from labkit.lab import Lab
from labkit.options import RUN_OPTIONS
from labkit.store import Store, file_digest
from tests.subjects import LABELS, write_dataset

ROOT = Path(__file__).parents[2]
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
    assert not list((trained.parent / "store").glob("checkpoints/*"))


def test_predict_gives_a_json_line_for_each_text(trained, capsys):
    code = main(["predict", str(trained), "pitcher inning bat umpire", "orbit rocket lunar comet"])
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert code == 0
    assert [line["label"] for line in lines] == list(LABELS)
    for line in lines:
        assert sum(line["probabilities"].values()) == pytest.approx(1)
        assert line["probabilities"][line["label"]] == max(line["probabilities"].values())


def test_predict_reads_a_file_and_standard_input_alike(trained, tmp_path, capsys):
    content = "pitcher inning bat\norbit rocket\n"
    (tmp_path / "texts.txt").write_text(content)
    main(["predict", str(trained), "--file", str(tmp_path / "texts.txt")])
    run = subprocess.run(
        [sys.executable, "-m", "labkit", "predict", str(trained)],
        input=content,
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout == capsys.readouterr().out
    assert run.stdout.count("\n") == 2


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
        (
            ["predict", "./nowhere", "x"],
            "MODEL ./nowhere: there is no such file or folder",
        ),
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


def test_training_that_was_cut_off_goes_on_and_ends_with_the_same_weights(tiny_config, tmp_path):
    def lab(store):
        config = replace(tiny_config, recipe=replace(tiny_config.recipe, epochs=2))
        return Lab(config, Store(tmp_path / store), tmp_path / "model", resumable=True)

    whole, cut = lab("whole"), lab("cut")

    def pull_the_plug(done, note=""):
        if "epoch 2" in note:
            raise CutOffError

    cut.progress.advance = pull_the_plug
    with pytest.raises(CutOffError):
        _ = cut.fine_tuned_folder
    assert list((tmp_path / "cut" / "checkpoints").glob("*/checkpoint-*"))
    again = lab("cut")
    steps = []
    again.progress.advance = lambda done, note="": steps.append(note)
    digests = [file_digest(each.fine_tuned_folder / WEIGHTS) for each in (whole, again)]
    assert digests[0] == digests[1]
    assert not [note for note in steps if "epoch 1" in note]
    assert replace(again.history, seconds=0) == replace(whole.history, seconds=0)
    assert not (tmp_path / "cut" / "checkpoints").exists() or not list(
        (tmp_path / "cut" / "checkpoints").iterdir()
    )
