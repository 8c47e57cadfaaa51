"""A pytest plugin that breaks parts of labkit: `-p tests.sabotage.saboteur --break PART`.

It is there before any test module, so a test that imports the part gets the broken one.
Hypothesis does not shrink what it finds then (`--hypothesis-profile=hasty`).
"""

from importlib import import_module
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, settings

settings.register_profile(
    "hasty",
    derandomize=True,
    max_examples=120,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)


def count_padding(hidden: Any, mask: Any) -> Any:
    return hidden.mean(dim=1)


def dot_product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a @ b.T


def first_posts(labels: np.ndarray, sizes: tuple[int, ...], seed: int) -> tuple[np.ndarray, ...]:
    return tuple(np.split(np.arange(len(labels)), np.cumsum(sizes))[: len(sizes)])


def share_of_hits(counts: np.ndarray) -> Any:
    return np.trace(counts) / max(counts.sum(), 1)


def see_no_damage(entry: Any) -> None:
    return None


PARTS = {
    "pooling": ("labkit.model.encoding", "mean_pool", count_padding),
    "similarity": ("labkit.evaluation.similarity", "cosine_similarity", dot_product),
    "split": ("labkit.data.stratified", "stratified_sample", first_posts),
    "macro-f1": ("labkit.evaluation.intervals", "macro_f1_of", share_of_hits),
    "store": ("labkit.plumbing.store", "find_damage", see_no_damage),
}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--break", choices=PARTS, action="append", default=[], dest="broken_parts")


def pytest_configure(config: pytest.Config) -> None:
    for part in config.option.broken_parts:
        module, name, broken = PARTS[part]
        setattr(import_module(module), name, broken)
