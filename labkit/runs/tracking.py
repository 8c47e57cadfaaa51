"""A run in an experiment tracker: TensorBoard, MLflow, or Weights & Biases.

The Trainer's own callback logs the main fine-tune while it runs. A fine-tune that the store already
holds is sent through the same callback from its recorded history. The lab's configuration,
measured values and files join it in the same run at the end. All is kept in the reports folder,
unless the tracker's own variables name another place.
"""

import importlib.util
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from labkit.config import LabConfig
from labkit.errors import LabError
from labkit.plumbing import results

if TYPE_CHECKING:  # NumPy is imported with it, and who only wants the trackers' names need not wait
    from labkit.training.history import History

NONE = "none"


class Run(ABC):
    """One run in a tracker, named `name`; `reports` is the folder for what is kept in files."""

    tracker: str  # the Trainer's name of it, which is also that of its module and of our extra

    def __init__(self, reports: Path, name: str) -> None:
        self.reports = reports.absolute()
        self.name = name
        self.begun = False
        self.live = False

    @abstractmethod
    def open(self) -> None:
        """Open the run, so that the Trainer's callback joins it; imports the tracker."""

    @abstractmethod
    def close(
        self, parameters: Mapping[str, str], values: Mapping[str, float], files: Sequence[Path]
    ) -> None:
        """Log what is known at the end, and end the run. A folder among `files` is logged whole."""

    def begin(self) -> None:
        """Open the run, once.

        Raises LabError where the tracker cannot, as when nobody is logged in to its server.
        """
        if self.begun:
            return
        self.begun = True
        try:
            self.open()
        except Exception as error:  # each tracker, and each store of one, has its own kinds
            reason = str(error).strip().partition("\n")[0] or type(error).__name__
            raise LabError(f"--lab-report-to {self.tracker}: no run can begin: {reason}") from error

    def follow(self) -> str:
        """What the Trainer's `report_to` takes for a training that this run follows live."""
        self.live = True
        return self.tracker

    def finish(
        self,
        config: LabConfig,
        history: "History | None",
        values: Mapping[str, float],
        files: Sequence[Path],
    ) -> None:
        """Log configuration, values and files, before them a training that was not followed."""
        self.begin()
        if history is not None and not self.live:
            self.replay(history)
        self.close(parameters(config), values, files)

    def replay(self, history: "History") -> None:
        """Send a recorded training through the Trainer's callback, as far as it is recorded."""
        from transformers import TrainerControl, TrainerState
        from transformers.integrations import get_reporting_integration_callbacks

        (kind,) = get_reporting_integration_callbacks([self.tracker])
        callback, settings, control = kind(), _NoSettings(), TrainerControl()
        state = TrainerState(max_steps=history.steps, logging_steps=1)
        callback.on_train_begin(settings, state, control)
        for state.global_step, logs in history.logs():
            callback.on_log(settings, state, control, logs=logs)
        callback.on_train_end(settings, state, control)


class _NoSettings:
    """Stands for the Trainer's arguments, which no history records."""

    run_name = None
    output_dir = ""

    def to_dict(self) -> dict[str, str]:
        return {}

    def to_json_string(self) -> str:
        return "{}"


class TensorBoard(Run):
    """Event files. They hold numbers and text, so of the files only text is kept."""

    tracker = "tensorboard"

    def open(self) -> None:
        self.folder = os.environ.setdefault(
            "TENSORBOARD_LOGGING_DIR", str(self.reports / "runs" / self.name)
        )

    def close(
        self, parameters: Mapping[str, str], values: Mapping[str, float], files: Sequence[Path]
    ) -> None:
        from torch.utils.tensorboard import SummaryWriter

        with SummaryWriter(self.folder) as writer:
            for name, value in parameters.items():
                writer.add_text(name, value)
            for name, number in values.items():
                writer.add_scalar(name, number)
            inside = [path for file in files for path in sorted(file.glob("*"))]
            for path in [*files, *inside]:
                if path.name in ("lineage.json", "README.md", "summary.md", "answers.json"):
                    lines = path.read_text(encoding="utf-8").splitlines()
                    verbatim = "\n".join(f"    {line}" for line in lines)  # as Markdown has it
                    writer.add_text(path.name, verbatim)


class MLflow(Run):
    """A run in the experiment `labkit`, unless MLFLOW_EXPERIMENT_NAME says another.

    Without MLFLOW_TRACKING_URI it is kept in a database and a folder of its own.
    """

    tracker = "mlflow"

    def open(self) -> None:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        import mlflow

        files = None  # where the server keeps them
        if not mlflow.is_tracking_uri_set():
            self.reports.mkdir(parents=True, exist_ok=True)
            mlflow.set_tracking_uri(f"sqlite:///{self.reports / 'mlflow.db'}")
            files = (self.reports / "mlflow").as_uri()
        experiment = os.environ.get("MLFLOW_EXPERIMENT_NAME", "labkit")
        if mlflow.get_experiment_by_name(experiment) is None:
            mlflow.create_experiment(experiment, artifact_location=files)
        mlflow.set_experiment(experiment)
        mlflow.start_run(run_name=self.name)

    def close(
        self, parameters: Mapping[str, str], values: Mapping[str, float], files: Sequence[Path]
    ) -> None:
        import mlflow

        mlflow.log_params(dict(parameters))
        mlflow.log_metrics(dict(values))
        for file in files:
            if file.is_dir():
                mlflow.log_artifacts(str(file), file.name)
            else:
                mlflow.log_artifact(str(file))
        mlflow.flush_async_logging()
        mlflow.end_run()


class Wandb(Run):
    """A run in the project `labkit`, unless WANDB_PROJECT says another."""

    tracker = "wandb"

    def open(self) -> None:
        self.reports.mkdir(parents=True, exist_ok=True)
        os.environ.setdefault("WANDB_DIR", str(self.reports))  # to which it adds `wandb`
        for kind in ("CACHE", "CONFIG", "DATA"):  # else in the user's home
            os.environ.setdefault(f"WANDB_{kind}_DIR", str(self.reports / "wandb"))
        import wandb

        project = os.environ.get("WANDB_PROJECT", "labkit")
        self.run = wandb.init(project=project, name=self.name)

    def close(
        self, parameters: Mapping[str, str], values: Mapping[str, float], files: Sequence[Path]
    ) -> None:
        import wandb

        self.run.config.update(dict(parameters))
        self.run.summary.update(dict(values))
        artifact = wandb.Artifact(f"labkit-{self.name}", "model")
        for file in files:
            if file.is_dir():
                artifact.add_dir(str(file), file.name)
            else:
                artifact.add_file(str(file))
        self.run.log_artifact(artifact)
        self.run.finish()


RUNS = {kind.tracker: kind for kind in (TensorBoard, MLflow, Wandb)}


def run_in(tracker: str | None, reports: Path, name: str) -> Run | None:
    """A run in the tracker that was asked for, not begun; None for none. Imports no tracker.

    Raises LabError where it is not installed.
    """
    if tracker in (None, NONE):
        return None
    if importlib.util.find_spec(tracker) is None:
        raise LabError(
            f"--lab-report-to {tracker}: it is not installed; "
            f"pip install 'pytest-labkit[{tracker}]', or in a checkout pip install -e '.[{tracker}]'"
        )
    return RUNS[tracker](reports, name)


def parameters(config: LabConfig) -> dict[str, str]:
    """The configuration as flat text, with names such as `lab/recipe/epochs`."""
    flat: dict[str, str] = {}
    for section, value in results.plain(config).items():
        if isinstance(value, Mapping):
            flat |= {f"lab/{section}/{name}": str(item) for name, item in value.items()}
        else:
            flat[f"lab/{section}"] = str(value)
    return flat
