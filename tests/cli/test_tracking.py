"""What a tracker holds after a run, read back from it; the runs are those of docs/tracking.md."""

import importlib.util
import json
import os
import re
import shlex
from pathlib import Path

import pytest

from labkit.errors import LabError
from labkit.plumbing import results
from labkit.plumbing.digests import file_digest
from labkit.runs.tracking import RUNS, run_in
from labkit.training.classifier import FineTuned
from tests.running import ROOT, answers_in, run_labkit, run_pytest
from tests.subjects import write_dataset, write_tickets

# MLflow's own use of SQLAlchemy.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated")
PAGE = (ROOT / "docs" / "tracking.md").read_text()


def documented(start):
    """The one command of the page that starts so, without its program."""
    (line,) = re.findall(rf"^\$ {start} (.*)$", PAGE, re.M)
    return shlex.split(line)


@pytest.fixture(scope="module", autouse=True)
def no_tracker_is_set_up():
    """No tracker's variables but those that a test sets."""
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ:
            if name.startswith(("MLFLOW_", "TENSORBOARD_", "WANDB_")):
                patch.delenv(name)
        yield


def history_in(store):
    """The recorded history of a store's one training."""
    (manifest,) = store.glob("fine_tuned/*/manifest.json")
    return results.load(FineTuned, manifest.parent).history


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
        done = run_labkit(*documented("labkit"), *options, cwd=desk)
        assert done.returncode == 0, done.stderr
    assert "fine tuned ..." not in done.stderr
    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{desk / 'reports' / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("labkit")
    found = client.search_runs([experiment.experiment_id], order_by=["attributes.start_time"])
    return client, list(found)


def trained(desk):
    """The recorded history of the one training, and the lineage of its model."""
    lineage = json.loads((desk / "models/tickets/lineage.json").read_text())
    return history_in(desk / "store"), lineage


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
        *("posts", "tickets.csv", "reports", "store", "models")
    }
    assert {path.name for path in (desk / "reports").iterdir()} == {"mlflow.db", "mlflow"}


@pytest.fixture(scope="module")
def tensorboard_run(tiny_checkpoint, tiny_dataset, tmp_path_factory):
    """The folder of an exercise that trains, and sweeps, under TensorBoard."""
    pytest.importorskip("tensorboard", reason="TensorBoard is not installed (extra tensorboard)")
    folder = tmp_path_factory.mktemp("lab")
    done = run_pytest(
        *("tests/exercises/test_4_fine_tune.py", "tests/exercises/test_6_save_and_track.py"),
        *documented("pytest"),
        *("--lab-profile", "embedded", f"--lab-base-model={tiny_checkpoint}"),
        *(f"--lab-dataset={tiny_dataset}", "--lab-max-length", "64", "--lab-report-only"),
        folder=folder,
    )
    assert (folder / "reports" / "answers.json").is_file(), done.stdout + done.stderr
    assert "INTERNALERROR" not in done.stdout + done.stderr
    return folder


def test_the_lab_has_one_curve_its_answers_and_its_lineage(tensorboard_run):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    (folder,) = (tensorboard_run / "reports" / "runs").iterdir()
    events = EventAccumulator(str(folder), {"scalars": 0, "tensors": 0}).Reload()
    history = history_in(tensorboard_run / "cache" / "d" / "labkit")
    losses = events.Scalars("train/loss")
    steps, recorded = zip(*history.step_losses, strict=True)
    assert [event.step for event in losses] == list(steps)  # and none of the sweep's
    assert [event.value for event in losses] == pytest.approx(list(recorded))
    answers = answers_in(tensorboard_run)
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
    done = run_labkit(*words, *options, cwd=folder, **home)
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
    with pytest.raises(
        LabError, match=rf"--lab-report-to {tracker}: .*'pytest-labkit\[{tracker}\]'"
    ):
        run_in(tracker, tmp_path, "run")
    assert run_in("none", tmp_path, "run") is None
    assert run_in(None, tmp_path, "run") is None


def test_it_is_a_usage_error_before_torch(tmp_path):
    absent = [name for name in RUNS if importlib.util.find_spec(name) is None]
    if not absent:
        pytest.skip("every tracker is installed")
    done = run_pytest("--lab-report-to", absent[0], folder=tmp_path, PYTHONPROFILEIMPORTTIME="1")
    assert done.returncode == 4
    assert f"--lab-report-to {absent[0]}: it is not installed" in done.stderr
    assert "Traceback" not in done.stderr
    assert "| torch\n" not in done.stderr


def test_a_server_that_does_not_answer_is_one_line(desk, options):
    pytest.importorskip("mlflow", reason="MLflow is not installed (extra mlflow)")
    nobody = {"MLFLOW_TRACKING_URI": "http://127.0.0.1:9", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
    done = run_labkit(*documented("labkit"), *options, cwd=desk, **nobody)
    assert done.returncode == 2
    assert "labkit fine-tune: --lab-report-to mlflow: no run can begin" in done.stderr
    assert "Traceback" not in done.stderr
