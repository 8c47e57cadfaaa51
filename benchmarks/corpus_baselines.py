"""How hard the lab's own corpus is: every baseline's accuracy on its test split, by slice.

    PYTHONPATH=. python benchmarks/corpus_baselines.py

prints the Markdown table of the corpus's data card, with the digest of the posts that it holds
for. The fine-tune runs once for each seed, some minutes in all on two cores; its stages go to the
lab's own store, so a second run is quick.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from labkit import lab
from labkit.evaluation.metrics import METHODS
from labkit.plumbing.runner import Run
from labkit.plumbing.store import Store
from labkit.profiles import EMBEDDED
from tests.corpus import SLICES, digest, read_posts

SEEDS = (42, 43, 44)
SHOWN = ("majority", "tfidf_logistic", "label_similarity", "embedding_logistic")


def corpus_run(seed: int, store: Store) -> Run:
    """The lab on its own corpus; the seed draws the head, the batches and the dropout."""
    return lab.run(replace(EMBEDDED, recipe=replace(EMBEDDED.recipe, seed=seed)), store)


def measure(runs: Sequence[Run]) -> dict[str, np.ndarray]:
    """By method, whether each test post is classified right: booleans (draws, posts)."""
    first = runs[0].evaluations
    tuned = [run.evaluations["fine_tuned"].correct for run in runs]
    shown = {method: first[method].correct[np.newaxis] for method in SHOWN}
    return {**shown, "fine_tuned": np.vstack(tuned)}


def table(correct: dict[str, np.ndarray], slices: np.ndarray) -> str:
    """Markdown: a row for each method, a column for all test posts and for each slice."""
    rows_of = {"all": np.ones(len(slices), bool), **{name: slices == name for name in SLICES}}
    head = ["method", *(f"{name} ({int(rows.sum())})" for name, rows in rows_of.items())]
    lines = [head, ["---", *("--:" for _ in rows_of)]]
    for method, draws in correct.items():
        shares = [100 * draws[:, rows].mean(axis=1) for rows in rows_of.values()]
        lines.append([METHODS[method], *map(cell, shares)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cell(percentages: np.ndarray) -> str:
    """One draw as it is; several as their mean with their lowest and highest."""
    if len(percentages) == 1:
        return f"{percentages[0]:.1f}"
    return f"{percentages.mean():.1f} ({percentages.min():.1f} to {percentages.max():.1f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--store", type=Path, default=Path(".pytest_cache/d/labkit"))
    options = parser.parse_args()
    runs = [corpus_run(seed, Store(options.store)) for seed in SEEDS]
    print(table(measure(runs), np.asarray(runs[0].posts.test["slice"])))
    seeds = ", ".join(map(str, SEEDS))
    print(f"\nMeasured on the posts with digest `{digest(read_posts())}`, seeds {seeds}.")


if __name__ == "__main__":
    main()
