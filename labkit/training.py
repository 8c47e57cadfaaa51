"""Where the fine-tuned model comes from: the main training, the small ones, or elsewhere."""

import json
import shutil
import tempfile
from dataclasses import asdict
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors.numpy import save_file

from labkit import base_model, given_model, processes
from labkit.config import Recipe, fingerprint
from labkit.errors import LabError
from labkit.inputs import Inputs
from labkit.source_code import function_digest
from labkit.store import Entry, file_digest

if TYPE_CHECKING:
    import datasets

    from labkit.sweep import Sweep
    from labkit.training_history import History


class Training(Inputs):
    """The stages that train, or that take a model trained elsewhere."""

    @cached_property
    def _fine_tuned(self) -> Entry:
        return self._trained if self.given is None else self._taken(self.given)

    @cached_property
    def fine_tuned_folder(self) -> Path:
        """The fine-tuned checkpoint in the store."""
        return self._fine_tuned.path

    @cached_property
    def history(self) -> "History":
        """How the fine-tune went; there is none of a model that was trained elsewhere."""
        from labkit.training_history import History

        return History.load(self._fine_tuned.path / "history.json")

    def _taken(self, given: Path) -> Entry:
        """The given model's files, with its logits as it was given."""

        def build(folder: Path) -> None:
            from labkit.fine_tune import IN_MEMORY, classify

            given_model.take(given, self.tokenizer, folder)
            model = base_model.load_classifier(given).to(self.device)
            logits, _ = classify(model, list(self.tokens.validation["input_ids"]))
            save_file({"logits": logits}, str(folder / IN_MEMORY))

        weights, config = (
            file_digest(given / name) for name in (base_model.WEIGHTS, "config.json")
        )
        inputs = {"tokens": self._tokens.key, "weights": weights, "config": config}
        return self._stage("given-model", inputs, build, ["given_model", "fine_tune"])

    @cached_property
    def _trained(self) -> Entry:
        inputs = self._main_inputs  # prepared before the other processes are let in

        def build(folder: Path) -> None:
            processes.tell(fingerprint(inputs))
            self._main_fine_tune(folder).save(folder / "history.json")
            shutil.rmtree(self._checkpoints, ignore_errors=True)

        with processes.together(self.hardware.device):
            entry = self._stage("fine-tuned", inputs, build, ["fine_tune", "tokenization"])
            if entry.reused:
                processes.tell(None)
        return entry

    def train_along(self) -> None:
        """Take part in the training of the first process, in `processes.together`; save nothing.

        Raises LabError where this process would train with something else than the first.
        """
        inputs = processes.tell(None)
        if inputs is None:
            return  # the first process found the model in its store
        if inputs != fingerprint(self._main_inputs):
            raise LabError(
                f"process {processes.place().rank} would not train with what process 0 does: its "
                "posts, base model, options, versions or kind of processor are others"
            )
        with tempfile.TemporaryDirectory() as folder:
            self._main_fine_tune(Path(folder))

    def _main_fine_tune(self, folder: Path) -> "History":
        from labkit.fine_tune import fine_tune, save

        # On several machines nobody knows whether all can read the same checkpoint.
        resumable = self.resumable and processes.place().one_machine
        model, history = fine_tune(
            self.base.folder,
            self.tokenizer,
            self.tokens.train,
            self.tokens.validation,
            self.splits.labels,
            self.config.recipe,
            self.hardware,
            folder,
            self.progress.advance,
            self._checkpoints if resumable else None,
            self.tracker.follow() if self.tracker else "none",
        )
        if processes.place().rank == 0:
            save(model, self.tokenizer, self.tokens.validation, folder)
        return history

    @property
    def _checkpoints(self) -> Path:
        """What a training that was cut off goes on from."""
        return self.store.root / "checkpoints" / fingerprint(self._training_inputs)[:32]

    @property
    def _training_inputs(self) -> dict[str, Any]:
        return {
            "tokens": self._tokens.key,
            "base": self.base.digest,
            "recipe": asdict(self.config.recipe),
            "hardware": self.hardware.arithmetic,
        }

    @property
    def _main_inputs(self) -> dict[str, Any]:
        return {**self._training_inputs, "method": function_digest(self._main_fine_tune)}

    @property
    def _small_inputs(self) -> dict[str, Any]:
        return {**self._training_inputs, "method": function_digest(self._small_training)}

    def _small_training(self, scratch: Path, posts: "datasets.Dataset", recipe: Recipe) -> Any:
        """Model and history of a training on a subset, read on validation posts cut as short."""
        from labkit.fine_tune import fine_tune
        from labkit.sweep import subset

        validation = subset(self.tokens.validation, len(self.tokens.validation), 0)
        return fine_tune(
            self.base.folder,
            self.tokenizer,
            posts,
            validation,
            self.splits.labels,
            recipe,
            self.hardware,
            scratch,
            self.progress.advance,
        )

    @cached_property
    def sweep(self) -> "Sweep":
        """Small fine-tunes over learning rates, epochs and seeds."""
        from labkit import sweep

        def build(folder: Path) -> None:
            sweep.sweep(
                partial(self._small_training, folder),
                sweep.subset(self.tokens.train, sweep.POSTS, self.config.data.seed),
                len(self.tokens.validation),
                self.config.recipe,
            ).save(folder / "sweep.json")

        entry = self._stage(
            "sweep", self._small_inputs, build, ["sweep", "fine_tune", "tokenization"]
        )
        return sweep.Sweep.load(entry.path / "sweep.json")

    @cached_property
    def repeatability(self) -> dict[str, Any]:
        """Whether the same seed gives the same weights, bit for bit, on this machine.

        Not checked of several processes, which are done when the training is.
        """
        if not self.trains or self.hardware.processes > 1:
            return {"checked": False}
        from labkit import sweep

        def build(folder: Path) -> None:
            with tempfile.TemporaryDirectory(dir=folder) as scratch:
                posts = sweep.subset(self.tokens.train, sweep.REPEATED_POSTS, self.config.data.seed)
                recipe = self.config.recipe
                train = partial(self._small_training, folder)
                found = sweep.repeat(train, posts, recipe, Path(scratch))
            (folder / "repeat.json").write_text(json.dumps(found))

        entry = self._stage(
            "repeat", self._small_inputs, build, ["sweep", "fine_tune", "tokenization"]
        )
        return json.loads((entry.path / "repeat.json").read_text())
