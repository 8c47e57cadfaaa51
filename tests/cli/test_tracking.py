"""What a tracker holds after a run, read back from it; the runs are those of docs/tracking.md."""

import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from labkit import tracking
from labkit.errors import LabError
from labkit.store import file_digest
from labkit.tracking import RUNS, run_in
from labkit.training_history import History
from tests.subjects import write_dataset, write_tickets

# MLflow's own use of SQLAlchemy.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated")
ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "tracking.md").read_text()


def documented(start):
    """The one command of the page that starts so, without its program."""
    (line,) = re.findall(rf"^\$ {start} (.*)$", PAGE, re.M)
    return shlex.split(line)


def run(module, *args, folder, **environment):
    """A command in `folder`, with no tracker's variables but the given ones."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("MLFLOW_", "TENSORBOARD_", "WANDB_"))
    }
    return subprocess.run(
        [sys.executable, "-m", module, *args],
        cwd=folder,
        env={**kept, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", **environment},
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """A folder with the posts of the page's example."""
    folder = tmp_path_factory.mktemp("desk")
    posts = write_dataset(folder / "posts", train=120)
    write_tickets(folder / "tickets.csv", posts)
    return folder


@pytest.fixture(scope="module")
def options(tiny_checkpoint):
    """What makes the page's example small."""
    return [
        *("--profile", "embedded", "--base-model", str(tiny_checkpoint), "--max-length", "64"),
        *("--batch-size", "8", "--learning-rate", "5e-3", "--epochs", "2", "--store", "store"),
    ]


@pytest.fixture(scope="module")
def mlflow_runs(desk, options):
    """Two runs of the page's example, the second with all in its store: client, runs, folder."""
    mlflow = pytest.importorskip("mlflow", reason="MLflow is not installed (extra mlflow)")
    pytest.importorskip("sqlalchemy", reason="SQLAlchemy is not installed (extra mlflow)")
    for _ in range(2):
        done = run("labkit", *documented("labkit"), *options, folder=desk)
        assert done.returncode == 0, done.stderr
    assert "fine-tuned ..." not in done.stderr
    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{desk / 'reports' / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("labkit")
    found = client.search_runs([experiment.experiment_id], order_by=["attributes.start_time"])
    return client, list(found)


def trained(desk):
    """The recorded history of the one training, and the lineage of its model."""
    (file,) = (desk / "store").glob("fine-tuned/*/history.json")
    return History.load(file), json.loads((desk / "models/tickets/lineage.json").read_text())


def curve(client, run, name):
    return sorted((m.step, m.value) for m in client.get_metric_history(run.info.run_id, name))


def test_a_live_run_has_the_curve_the_settings_and_the_metrics(desk, mlflow_runs):
    client, (live, _) = mlflow_runs
    history, lineage = trained(desk)
    assert live.info.status == "FINISHED"
    assert curve(client, live, "loss") == [tuple(pair) for pair in history.step_losses]
    assert len(curve(client, live, "grad_norm")) == history.steps
    assert live.data.params["learning_rate"] == "0.005"
    assert live.data.params["lab/recipe/epochs"] == "2"
    assert live.data.params["lab/data/source"] == "tickets.csv"
    measured = {f"lab/{name}": value for name, value in lineage["metrics"].items()}
    assert measured.items() <= live.data.metrics.items()


def test_a_run_from_the_store_has_the_recorded_curve(desk, mlflow_runs):
    client, (live, warm) = mlflow_runs
    history, _ = trained(desk)
    for name in ("loss", "eval_post_loss", "eval_accuracy"):
        assert curve(client, warm, name) == curve(client, live, name)
    assert [value for _, value in curve(client, warm, "eval_accuracy")] == [
        epoch.validation_accuracy for epoch in history.epochs
    ]
    assert curve(client, warm, "grad_norm") == []  # not recorded, so not made up
    assert warm.data.params["lab/recipe/epochs"] == "2"


def test_a_run_has_the_model_with_its_lineage(desk, mlflow_runs, tmp_path):
    client, runs = mlflow_runs
    for each in runs:
        folder = Path(client.download_artifacts(each.info.run_id, "tickets", str(tmp_path)))
        kept = {path.name: file_digest(path) for path in folder.iterdir()}
        saved = {path.name: file_digest(path) for path in (desk / "models/tickets").iterdir()}
        assert kept == saved
        assert {"lineage.json", "model.safetensors"} <= set(kept)


def test_nothing_is_written_outside_the_reports(desk, mlflow_runs):
    assert {path.name for path in desk.iterdir()} == {
        *("posts", "tickets.csv", "reports", "store", "models"),
    }
    assert {path.name for path in (desk / "reports").iterdir()} == {"mlflow.db", "mlflow"}


@pytest.fixture(scope="module")
def tensorboard_run(tiny_checkpoint, tiny_dataset, tmp_path_factory):
    """The folder of an exercise that trains, and sweeps, under TensorBoard."""
    pytest.importorskip("tensorboard", reason="TensorBoard is not installed (extra tensorboard)")
    folder = tmp_path_factory.mktemp("lab")
    done = run(
        "pytest",
        *("tests/exercises/test_4_fine_tune.py", "tests/exercises/test_6_save_and_track.py"),
        *documented("pytest"),
        *("-o", f"cache_dir={folder / 'cache'}", "--lab-reports", str(folder / "reports")),
        *("--lab-profile", "embedded", "--lab-base-model", str(tiny_checkpoint)),
        *("--lab-dataset", str(tiny_dataset), "--lab-max-length", "64", "--lab-report-only"),
        folder=ROOT,
    )
    assert (folder / "reports" / "answers.json").is_file(), done.stdout + done.stderr
    assert "INTERNALERROR" not in done.stdout + done.stderr
    return folder


def test_the_lab_has_one_curve_its_answers_and_its_lineage(tensorboard_run):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    (folder,) = (tensorboard_run / "reports" / "runs").iterdir()
    events = EventAccumulator(str(folder), {"scalars": 0, "tensors": 0}).Reload()
    (file,) = tensorboard_run.glob("cache/d/labkit/fine-tuned/*/history.json")
    history = History.load(file)
    losses = events.Scalars("train/loss")
    steps, recorded = zip(*history.step_losses, strict=True)
    assert [event.step for event in losses] == list(steps)  # and none of the sweep's
    assert [event.value for event in losses] == pytest.approx(list(recorded))
    answers = json.loads((tensorboard_run / "reports" / "answers.json").read_text())["answers"]
    by_id = {answer["id"]: answer for answer in answers}
    (accuracy,) = events.Scalars("lab/fine_tune/fine_tuned_accuracy")
    assert accuracy.value == pytest.approx(by_id["fine_tune"]["values"]["fine_tuned_accuracy"])
    gates = [gate for answer in answers for gate in answer["gates"]]
    assert len(gates) > 3
    for gate in gates:
        (held,) = events.Scalars(f"gates/{gate['name']}")
        assert held.value == float(gate["holds"])
    (lineage,) = events.Tensors("lineage.json/text_summary")
    shown = lineage.tensor_proto.string_val[0].decode()
    lines = [line.removeprefix("    ") for line in shown.splitlines()]
    saved = (tensorboard_run / "reports" / "model" / "lineage.json").read_text()
    assert json.loads("\n".join(lines)) == json.loads(saved)


def test_wandb_keeps_a_run_offline(desk, options):
    """Needs the extra wandb, whose files are read as bytes: their format is its own affair."""
    pytest.importorskip("wandb", reason="W&B is not installed (extra wandb)")
    words = [word if word != "mlflow" else "wandb" for word in documented("labkit")]
    folder = desk / "offline"
    folder.mkdir()
    (folder / "tickets.csv").write_bytes((desk / "tickets.csv").read_bytes())
    home = {"HOME": str(folder / "home"), "WANDB_MODE": "offline"}
    done = run("labkit", *words, *options, folder=folder, **home)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in folder.iterdir()} <= {
        *("tickets.csv", "reports", "store", "models")
    }
    assert [path.name for path in (folder / "reports").iterdir()] == ["wandb"]
    (log,) = (folder / "reports").glob("wandb/offline-run-*/run-*.wandb")
    content = log.read_bytes()
    for name in (b"train/loss", b"lab/fine_tuned_accuracy", b"lab/recipe/epochs", b"lineage.json"):
        assert name in content


@pytest.mark.parametrize("tracker", RUNS)
def test_a_tracker_that_is_not_installed_is_one_line(tracker, tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(LabError, match=rf"--lab-report-to {tracker}: .*'labkit\[{tracker}\]'"):
        run_in(tracker, tmp_path, "run")
    assert run_in("none", tmp_path, "run") is None
    assert tracking.run_in(None, tmp_path, "run") is None


def test_it_is_a_usage_error_before_torch(tmp_path):
    absent = [name for name in RUNS if importlib.util.find_spec(name) is None]
    if not absent:
        pytest.skip("every tracker is installed")
    keep = ["-o", f"cache_dir={tmp_path / 'cache'}", "--lab-reports", str(tmp_path / "reports")]
    done = run(
        *("pytest", "--lab-report-to", absent[0], *keep),
        folder=ROOT,
        PYTHONPROFILEIMPORTTIME="1",
    )
    assert done.returncode == 4
    assert f"--lab-report-to {absent[0]}: it is not installed" in done.stderr
    assert "Traceback" not in done.stderr
    assert "| torch\n" not in done.stderr


def test_a_server_that_does_not_answer_is_one_line(desk, options):
    pytest.importorskip("mlflow", reason="MLflow is not installed (extra mlflow)")
    nobody = {
        "MLFLOW_TRACKING_URI": "http://127.0.0.1:9",
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    }
    done = run("labkit", *documented("labkit"), *options, folder=desk, **nobody)
    assert done.returncode == 2
    assert "labkit fine-tune: --lab-report-to mlflow: no run can begin" in done.stderr
    assert "Traceback" not in done.stderr
