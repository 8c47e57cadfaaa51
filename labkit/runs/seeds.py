"""Runs that differ in nothing but their seed: what a number does when a model is trained anew.

They are found in the history, and a baseline takes them along, so that a comparison with it can tell
luck from change.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from labkit.evaluation.paired import WITH_SEED, SeedSpread, seed_spread
from labkit.runs.history import FILE, METRICS, Record, read

Seeds = dict[str, dict[str, float]]  # numbers by metric and by seed


def reseeded(record: Record, folder: Path) -> Seeds:
    """The numbers of `record`, of those that it knows, and of those in the history in `folder`.

    Of several runs with one seed the last counts.
    """
    found: Seeds = {name: dict(by_seed) for name, by_seed in record.seeds.items()}
    records, _ = read(folder / FILE)
    for one in (*records, record):
        if made_of(one) == made_of(record):
            for metric in METRICS:
                value = one.values.get(metric.exercise, {}).get(metric.name)
                if isinstance(value, int | float):
                    found.setdefault(metric.name, {})[str(one.recipe.get("seed"))] = value
            for name, seed, value in trained_again(one.values.get("fine_tune", {})):
                found.setdefault(name, {}).setdefault(seed, value)
    return found


def trained_again(values: Mapping[str, Any]) -> Iterator[tuple[str, str, float]]:
    """What the further trainings of one run came to: metric, seed and number of each."""
    for name, value in values.items():
        if name.startswith(WITH_SEED):
            seed = name.removeprefix(WITH_SEED)
            yield "fine_tuned_accuracy", seed, value
            yield "margin", seed, values["margin"] + value - values["fine_tuned_accuracy"]


def made_of(record: Record) -> tuple[Any, ...]:
    """All that a run was made of but its seed."""
    recipe = {key: value for key, value in record.recipe.items() if key != "seed"}
    code = record.commit, record.profile, record.base_model
    return *code, record.data_fingerprint, tuple(record.labels), recipe


def spreads(seeds: Seeds) -> Mapping[str, SeedSpread]:
    """By metric, how much another seed changes, where enough runs say so."""
    found = {name: seed_spread(list(by_seed.values())) for name, by_seed in seeds.items()}
    return {name: spread for name, spread in found.items() if spread}
