"""A damaged checkpoint, a missing tokenizer, a name that is a pattern: one line, and no number."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from labkit.config import DataSource
from labkit.data.files import locate, read
from labkit.data.tokens import load_tokenizer
from labkit.errors import LabError
from labkit.model.checkpoints import load_classifier, load_encoder
from labkit.release.model_folder import publish
from tests.running import run_labkit

Weights = dict[str, np.ndarray]


def without(*beginnings: str) -> Callable[[Weights], Weights]:
    return lambda weights: {n: w for n, w in weights.items() if not n.startswith(beginnings)}


DAMAGE: dict[str, tuple[Callable[[Weights], Weights], str]] = {
    "a-layer-is-missing": (without("distilbert.transformer.layer.1"), "lacks 16 tensors"),
    "the-head-is-missing": (without("classifier", "pre_classifier"), "lacks 4 tensors"),
    "other-prefixes": (lambda w: {f"model.{n}": a for n, a in w.items()}, "lacks"),
    "no-tensor-at-all": (lambda w: {"unused": np.zeros(1, np.float32)}, "lacks"),
    "not-a-number": (lambda w: {n: a * np.float32("nan") for n, a in w.items()}, "not finite"),
    "other-shapes": (lambda w: {n: a[:1].copy() for n, a in w.items()}, "other shapes"),
}


@pytest.fixture(scope="module")
def model(tiny_lab, tmp_path_factory) -> Path:
    target: Path = tmp_path_factory.mktemp("served") / "model"
    publish(tiny_lab.saved_model, target)
    return target


@pytest.fixture
def damaged(model, tmp_path):
    """A copy of the model with its weights changed."""

    def damage(change: Callable[[Weights], Weights]) -> Path:
        copy: Path = shutil.copytree(model, tmp_path / "model")
        file = copy / "model.safetensors"
        save_file(change(load_file(file)), file, {"format": "pt"})
        return copy

    return damage


@pytest.mark.parametrize("name", DAMAGE)
def test_weights_that_are_not_the_models_are_not_filled_at_random(damaged, name):
    change, words = DAMAGE[name]
    with pytest.raises(LabError, match=words):
        load_classifier(damaged(change))


def test_a_new_head_is_all_that_may_be_drawn(damaged):
    headless = damaged(without("classifier", "pre_classifier"))
    load_encoder(headless)
    load_classifier(headless, ("a", "b"))


def test_predict_says_so_in_one_line(damaged):
    change, words = DAMAGE["not-a-number"]
    run = run_labkit("predict", str(damaged(change)), "the pitcher")
    assert run.returncode == 2
    (line,) = [line for line in run.stderr.splitlines() if line.strip()]
    assert words in line
    assert run.stdout == ""


def test_a_model_without_a_tokenizer_is_refused(model, tmp_path):
    copy = shutil.copytree(model, tmp_path / "model")
    (copy / "tokenizer.json").unlink()
    with pytest.raises(LabError, match=r"has no tokenizer, which is one of tokenizer\.json"):
        load_tokenizer(copy)


@pytest.mark.parametrize(
    ("content", "texts"),
    [
        ("one\ntwo\n", ["one", "two"]),
        ("one\u2028still one\x0cstill\n", ["one\u2028still one\x0cstill"]),
        ("\ufeffone\r\ntwo", ["one", "two"]),
    ],
)
def test_predict_takes_a_line_for_a_line(model, tmp_path, content, texts):
    file = tmp_path / "texts"
    file.write_bytes(content.encode())
    run = run_labkit("predict", str(model), "--file", str(file))
    assert run.returncode == 0, run.stderr
    lines = run.stdout.removesuffix("\n").split("\n")
    assert [json.loads(line)["text"] for line in lines] == texts


def rows(*texts: str) -> str:
    return "".join(json.dumps({"text": text, "label": "a"}) + "\n" for text in texts)


@pytest.mark.parametrize("name", ["p[1].jsonl", "p?.jsonl", "p*.jsonl", "p{1}.jsonl"])
def test_a_name_is_no_pattern(tmp_path, name):
    (tmp_path / "p1.jsonl").write_text(rows("another file"))
    (tmp_path / name).write_text(rows("the one"))
    files = locate(DataSource(str(tmp_path / name)))
    assert list(files.digests) == [name]
    (tmp_path / "cache").mkdir()
    assert read(files.path, tmp_path / "cache")["train"]["text"] == ["the one"]


def test_a_data_folder_is_read_by_the_files_that_it_holds(tmp_path):
    """Its README.md may name others for `datasets`, also outside the folder."""
    folder = tmp_path / "posts"
    folder.mkdir()
    (tmp_path / "elsewhere.jsonl").write_text(rows("from elsewhere"))
    (folder / "train.jsonl").write_text(rows("from here"))
    named = "configs:\n- config_name: default\n  data_files: ../elsewhere.jsonl\n"
    (folder / "README.md").write_text(f"---\n{named}---\n")
    (tmp_path / "cache").mkdir()
    assert read(folder, tmp_path / "cache")["train"]["text"] == ["from here"]
