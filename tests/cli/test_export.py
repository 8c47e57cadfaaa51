"""`labkit export --onnx`: the same logits elsewhere, or nothing is written."""

import json
import shutil

import numpy as np
import pytest

from labkit.__main__ import main
from labkit.data.tokens import load_tokenizer
from labkit.model.checkpoints import load_classifier
from labkit.release import export

for _library in export.LIBRARIES:
    pytest.importorskip(_library, reason=f"{_library}, of the extra `onnx`, is not installed")


@pytest.fixture(scope="module")
def model(tiny_lab):
    return tiny_lab.saved_model


@pytest.fixture(scope="module")
def exported(model, tmp_path_factory):
    """An export by the command itself; tracing takes seconds, so the other tests copy its graph."""
    folder = tmp_path_factory.mktemp("export") / "tickets-onnx"
    assert main(["export", str(model), "--onnx", "--output", str(folder)]) == 0
    return folder


@pytest.fixture
def traced(exported, monkeypatch):
    """Have the graph at hand in place of a new one."""
    copy = lambda _, file: shutil.copyfile(exported / export.MODEL, file)  # noqa: E731
    monkeypatch.setattr(export, "write", copy)


def run(model, target):
    return main(["export", str(model), "--onnx", "--output", str(target)])


def test_what_is_written_runs_without_torch_and_says_how_it_was_compared(exported, model):
    record = json.loads((exported / export.RECORD).read_text())
    assert [one["batch"] for one in record["compared"]] == [*export.BATCHES]
    assert max(one["difference"] for one in record["compared"]) <= export.LIMIT
    assert {path.name for path in exported.iterdir()} == {*record["files"], export.RECORD}
    texts = ["pitcher inning bat umpire", "orbit rocket " * 100]
    given = load_tokenizer(exported)(texts, padding=True, truncation=True, return_tensors="np")
    ids, mask = (given[name].astype(np.int64) for name in export.INPUTS)
    logits = export.runner(exported / export.MODEL)(ids, mask)
    assert logits.shape == (2, 2)
    assert np.isfinite(logits).all()


def test_a_mask_that_is_lost_is_caught_by_padding_and_by_nothing_else(exported, model):
    tokens = [[2, *range(5, 5 + length), 3] for length in range(1, 33)]
    classifier, file = load_classifier(model), exported / export.MODEL
    sound = export.runner

    def without_mask(file):
        of_graph = sound(file)
        return lambda ids, mask: of_graph(ids, np.ones_like(mask))

    assert all(one.holds for one in export.compare(classifier, file, tokens))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(export, "runner", without_mask)
        found = {one.batch: one.holds for one in export.compare(classifier, file, tokens)}
    assert found == {size: size == 1 for size in export.BATCHES}


@pytest.mark.parametrize("wrong", [2 * export.LIMIT, np.nan], ids=["off", "no-number"])
def test_logits_that_differ_fail_the_export_and_nothing_is_written(
    model, traced, tmp_path, monkeypatch, capsys, wrong
):
    sound = export.runner
    monkeypatch.setattr(export, "runner", lambda file: lambda *given: sound(file)(*given) + wrong)
    assert run(model, tmp_path / "out") == 1
    assert capsys.readouterr().out.count("FAIL") == len(export.BATCHES)
    assert list(tmp_path.iterdir()) == []


def test_an_export_replaces_an_export_and_nothing_else(exported, model, traced, tmp_path, capsys):
    target = shutil.copytree(exported, tmp_path / "out")
    assert run(model, target) == 0
    (target / "mine.txt").write_text("mine")
    assert run(model, target) == 2
    assert "mine.txt is none of the lab's files" in capsys.readouterr().err
    (target / "mine.txt").unlink()
    (target / "config.json").write_text("{}")
    assert run(model, target) == 2
    assert "config.json is not as the lab wrote it" in capsys.readouterr().err
    assert run(model, model) == 2, "a model is no export"
    assert "has no export.json of an export" in capsys.readouterr().err


def test_a_folder_without_lineage_is_one_line(tmp_path, capsys):
    (tmp_path / "model").mkdir()
    assert main(["export", str(tmp_path / "model"), "--onnx"]) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert "has no lineage.json that can be read" in said


def test_without_the_extra_it_is_one_line(model, monkeypatch, capsys):
    absent = {"onnx", "onnxruntime"}
    find = export.importlib.util.find_spec
    monkeypatch.setattr(
        export.importlib.util, "find_spec", lambda name: None if name in absent else find(name)
    )
    assert main(["export", str(model), "--onnx"]) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert "--onnx needs onnx, onnxruntime: pip install 'pytest-labkit[onnx]' brings them" in said
