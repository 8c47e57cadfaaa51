"""What the gate `suspect_share` reads when labels are flipped: what its threshold stands between.

    python benchmarks/label_noise.py [--posts FOLDER] [--seeds 12]

flips labels of the train and validation posts of the lab's corpus and, with FOLDER in the columns of 20
Newsgroups, of two and four of its groups, and prints a table in Markdown. The base model embeds the
posts once; nothing is trained but logistic regression, and nothing passes or fails.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.behaviour_rates import subjects
from labkit import lab
from labkit.evaluation.data_checks import suspects
from labkit.plumbing.runner import Run
from labkit.plumbing.store import Store

FLIPPED = (0.0, 0.05, 0.1, 0.2)


def main() -> None:
    parser = argparse.ArgumentParser(description="measure how label noise shows")
    parser.add_argument("--posts", type=Path, help="a folder with posts of 20 Newsgroups")
    parser.add_argument("--seeds", type=int, default=12)
    parser.add_argument("--store", type=Path, help="keeps what was computed")
    args = parser.parse_args()
    print(f"| posts | {' | '.join(f'{100 * share:.0f} % flipped' for share in FLIPPED)} |")
    print("|---" * (1 + len(FLIPPED)) + "|")
    with tempfile.TemporaryDirectory() as folder:
        for name, config in subjects(args.posts):
            run = lab.run(config, Store(args.store or Path(folder)))
            cells = []
            for share in FLIPPED:
                read = [100 * suspect_share(run, share, seed) for seed in range(args.seeds)]
                cells.append(f"{min(read):.1f} to {max(read):.1f} %")
            print(f"| {name} | {' | '.join(cells)} |", flush=True)


def suspect_share(run: Run, share: float, seed: int) -> float:
    """What the gate reads when that share of the labels that are learned from is another one."""
    truth, rng = run.posts.truth, np.random.default_rng(seed)
    labels = np.concatenate([labels for _, labels in truth.items()])
    vectors = np.concatenate([rows for _, rows in run.base_embeddings.items()])
    learned, classes = len(truth.train) + len(truth.validation), labels.max() + 1
    rows = rng.choice(learned, round(share * learned), replace=False)
    labels[rows] = (labels[rows] + rng.integers(1, classes, len(rows))) % classes
    texts = [text for _, split in run.posts.items() for text in split["text"]]
    return float(suspects(vectors, texts, labels, seed)[2][:learned].mean())


if __name__ == "__main__":
    main()
