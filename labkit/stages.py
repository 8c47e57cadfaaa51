"""What a stage is: computed once, kept in the artifact store, read back from there.

A stage is built when it is first asked for. Its result is always the one on disk, so a warm run
sees the very numbers of the cold one.
"""

import gc
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors.numpy import load_file, save_file

from labkit import data
from labkit.config import LabConfig, fingerprint
from labkit.hardware import return_memory
from labkit.progress import Progress, Silent
from labkit.source_code import function_digest
from labkit.store import Entry, Store

if TYPE_CHECKING:
    from labkit.tracking import Run

Arrays = Mapping[str, np.ndarray]


class Stages:
    """The stages of one configuration. Cheap to make; nothing is loaded before it is asked for.

    `output` is the folder that takes the saved model. A `resumable` lab keeps the state of every
    epoch in the store until training is done. A `tracker` follows the main fine-tune. `entries`
    holds what the stages so far took from the store, by stage. A stage that failed is not tried
    again: it raises what it raised.
    """

    def __init__(
        self,
        config: LabConfig,
        store: Store,
        output: Path,
        progress: Progress | None = None,
        resumable: bool = False,
        tracker: "Run | None" = None,
    ) -> None:
        self.config = config
        self.store = store
        self.output = output
        self.resumable = resumable
        self.tracker = tracker
        self.progress = progress or Silent()
        self.entries: dict[str, Entry] = {}
        self._failed: dict[str, Exception] = {}  # by stage and inputs

    def _per_split(
        self,
        tokens: data.Splits,
        run: Callable[[list[list[int]], Callable[[float], None]], tuple[np.ndarray, ...]],
        prefixes: tuple[str, ...],
    ) -> dict[str, np.ndarray]:
        """`run` over the token ids of all splits in one go, cut apart again."""
        ids = {name: list(split["input_ids"]) for name, split in tokens.items()}
        arrays = run([row for rows in ids.values() for row in rows], self.progress.advance)
        ends = np.cumsum([len(rows) for rows in ids.values()])[:-1]
        return {
            f"{prefix}{name}": np.ascontiguousarray(part)
            for prefix, array in zip(prefixes, arrays, strict=True)
            for name, part in zip(ids, np.split(array, ends), strict=True)
        }

    def _arrays(
        self,
        stage: str,
        inputs: Mapping[str, Any],
        compute: Callable[[], Arrays],
        code: list[str],
    ) -> Arrays:
        """A stage whose result is a set of arrays, kept as safetensors."""

        def build(folder: Path) -> None:
            arrays = {name: np.ascontiguousarray(array) for name, array in compute().items()}
            save_file(arrays, str(folder / "arrays.safetensors"))

        entry = self._stage(stage, {**inputs, "compute": function_digest(compute)}, build, code)
        return load_file(str(entry.path / "arrays.safetensors"))

    def _stage(
        self, stage: str, inputs: Mapping[str, Any], build: Callable[[Path], None], code: list[str]
    ) -> Entry:
        def announced(folder: Path) -> None:
            self.progress.begin(stage)
            build(folder)
            gc.collect()  # a Trainer holds itself in a cycle, and with it model and optimizer
            return_memory()
            self.progress.end()

        inputs = {**inputs, "build": function_digest(build)}
        attempt = fingerprint({"stage": stage, "inputs": inputs})
        if attempt in self._failed:
            raise self._failed[attempt].with_traceback(None)  # the first one was long enough
        try:
            entry = self.store.get(stage, inputs, announced, code)
        except Exception as error:
            self._failed[attempt] = error
            raise
        gc.freeze()  # the libraries' half a million objects stay; later collections pass them by
        self.entries[stage] = entry
        return entry
