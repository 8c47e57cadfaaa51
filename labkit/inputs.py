"""What goes into a run: the checkpoints, the posts and their tokens, checked and cleaned."""

import tempfile
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from labkit import base_model, data, data_files, given_model, tokenization
from labkit.errors import LabError
from labkit.probes import Probes, choose_probes
from labkit.processes import place
from labkit.stages import Stages
from labkit.store import Entry, file_digest

if TYPE_CHECKING:
    from labkit.hardware import Hardware


class Inputs(Stages):
    """The stages before any model runs; none of them imports torch."""

    def check_inputs(self) -> None:
        """Load what can be checked without torch: the posts and the base model's files.

        Raises LabError for anything a user can mend.
        """
        if self._max_length > self.base.max_length:
            raise LabError(
                f"--lab-max-length {self._max_length}: base model {self.base.name} has positions "
                f"for {self.base.max_length} tokens; ask for at most that many"
            )
        if self.config.recipe.batch_size % place().count:
            raise LabError(
                f"--lab-batch-size {self.config.recipe.batch_size}: {place().count} processes "
                f"share a batch; ask for a multiple of {place().count}"
            )
        _ = self.splits, self.nli

    @cached_property
    def base(self) -> base_model.BaseModel:
        """The pre-trained checkpoint, checked."""
        return base_model.resolve(self.config.base_model, self.store)

    @property
    def trains(self) -> bool:
        """Whether the lab trains the model itself, or measures one that was trained elsewhere."""
        return self.config.fine_tuned is None

    @cached_property
    def given(self) -> Path | None:
        """The checkpoint that was trained elsewhere, checked; None where the lab trains its own."""
        source = self.config.fine_tuned
        return given_model.resolve(source) if source else None

    @cached_property
    def nli(self) -> base_model.BaseModel | None:
        """The checkpoint with a trained NLI head, where the profile has one."""
        source = self.config.nli_model
        return base_model.resolve(source, self.store) if source else None

    @cached_property
    def data_folder(self) -> Path:
        return data_files.locate(self.config.data)

    @cached_property
    def data_digests(self) -> dict[str, str]:
        """SHA-256 of every data file."""
        return data_files.content_digests(self.data_folder)

    @cached_property
    def _posts(self) -> Entry:
        def build(folder: Path) -> None:
            with tempfile.TemporaryDirectory(dir=folder) as cache:
                splits = data.load_splits(self.config.data, self.data_folder, Path(cache), order)
                data.save_splits(splits, folder)

        source = self.config.fine_tuned
        order = given_model.label_order(self.given, source) if self.given and source else ()
        inputs = {"files": self.data_digests, "source": asdict(self.config.data), "order": order}
        return self._stage("posts", inputs, build, ["data", "data_files", "classes"])

    @cached_property
    def splits(self) -> data.Splits:
        """Clean train, validation and test posts."""
        return data.open_splits(self._posts.path)

    @cached_property
    def truth(self) -> dict[str, np.ndarray]:
        """Class indices (posts,) by split."""
        return {name: np.asarray(split["label"]) for name, split in self.splits.items()}

    @property
    def label_texts(self) -> tuple[str, ...]:
        """The wording of each label for zero-shot methods."""
        return tuple(self.config.data.wording(label) for label in self.splits.labels)

    @cached_property
    def base_tokenizer(self) -> Any:
        """The base model's tokenizer."""
        return tokenization.load_tokenizer(self.base.folder)

    @cached_property
    def tokenizer(self) -> Any:
        """The fine-tuned model's tokenizer: the base model's, or what a given model brings."""
        return tokenization.load_tokenizer(self.given) if self.given else self.base_tokenizer

    def _tokenized(self, tokenizer: Any, model: str) -> Entry:
        """The token ids of all splits; `model` is the digest of the weights that they are for."""

        def build(folder: Path) -> None:
            with tempfile.TemporaryDirectory(dir=folder) as scratch:
                tokens = tokenization.tokenize_splits(
                    self.splits, tokenizer, self._max_length, Path(scratch)
                )
                data.save_splits(tokens, folder)

        inputs = {"posts": self._posts.key, "base": model, "max_length": self._max_length}
        return self._stage("tokens", inputs, build, ["data", "tokenization"])

    @cached_property
    def _base_tokens(self) -> Entry:
        return self._tokenized(self.base_tokenizer, self.base.digest)

    @cached_property
    def _tokens(self) -> Entry:
        if self.given is None:
            return self._base_tokens
        return self._tokenized(self.tokenizer, file_digest(self.given / base_model.WEIGHTS))

    @cached_property
    def base_tokens(self) -> data.Splits:
        """The splits with the base model's token ids."""
        return data.open_splits(self._base_tokens.path)

    @cached_property
    def tokens(self) -> data.Splits:
        """The splits with the fine-tuned model's token ids."""
        return data.open_splits(self._tokens.path)

    @cached_property
    def probes(self) -> Probes:
        """The sentences of exercise 1."""
        return choose_probes(self.splits, self.config.data.seed)

    @cached_property
    def hardware(self) -> "Hardware":
        from labkit.hardware import detect

        return detect()

    @property
    def device(self) -> Any:
        """The torch device that computes, with as many threads as the run may have."""
        import torch

        from labkit.hardware import spare_memory

        spare_memory()
        torch.set_num_threads(self.hardware.threads)
        return self.hardware.device

    @property
    def _max_length(self) -> int:
        return self.config.recipe.max_length
