"""How many wrong labels the lab finds: 5 % are flipped, and looked for in the most suspicious tenth.

    PYTHONPATH=. python benchmarks/planted_labels.py [--posts FOLDER] [--seeds 1 2 3 4 5]

embeds the lab's corpus and, with FOLDER in the columns of 20 Newsgroups, two and four of its groups,
and prints a table in Markdown. Nothing is trained but logistic regression; nothing passes or fails.
"""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.behaviour_rates import subjects
from labkit import lab
from labkit.evaluation.data_checks import suspects
from labkit.plumbing.store import Store

FLIPPED = 0.05


def main() -> None:
    parser = argparse.ArgumentParser(description="measure how many planted wrong labels are found")
    parser.add_argument("--posts", type=Path, help="a folder with posts of 20 Newsgroups")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--store", type=Path, help="keeps what was computed")
    args = parser.parse_args()
    print("| posts | flipped | in the most suspicious tenth, by seed | suspects among the rest |")
    print("|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for name, config in subjects(args.posts):
            run = lab.run(config, Store(args.store or Path(folder)))
            labels = np.concatenate([truth for _, truth in run.posts.truth.items()])
            vectors = np.concatenate([array for _, array in run.base_embeddings.items()])
            texts = [text for _, split in run.posts.items() for text in split["text"]]
            found = [plant(vectors, texts, labels, seed) for seed in args.seeds]
            shares = ", ".join(f"{100 * share:.0f}" for share, _ in found)
            others = np.mean([rest for _, rest in found])
            flipped = round(FLIPPED * len(labels))
            print(
                f"| {name}, {len(labels)} posts | {flipped} | {shares} % | {100 * others:.1f} % |",
                flush=True,
            )


def plant(
    vectors: np.ndarray, texts: Sequence[str], labels: np.ndarray, seed: int
) -> tuple[float, float]:
    """Share of flipped labels in the most suspicious tenth, and of suspects among the others."""
    rng = np.random.default_rng(seed)
    rows = rng.choice(len(labels), round(FLIPPED * len(labels)), replace=False)
    classes = labels.max() + 1
    flipped = labels.copy()
    flipped[rows] = (labels[rows] + rng.integers(1, classes, len(rows))) % classes
    suspicion, _, suspect = suspects(vectors, texts, flipped, seed)
    tenth = np.argsort(-suspicion, kind="stable")[: len(labels) // 10]
    return float(np.isin(rows, tenth).mean()), float(np.delete(suspect, rows).mean())


if __name__ == "__main__":
    main()
