"""How often a comparison of two runs alarms for nothing, and how often it sees a planted drop.

    python benchmarks/churn.py [--pairs 40]

trains small models on small posts, each with another seed, and compares neighbours post by post; then
turns as many right answers of a run wrong as `detectable` says can be seen. Prints a table in
Markdown; a few minutes on two cores. Nothing here passes or fails.
"""

import argparse
import json
import random
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from labkit import lab
from labkit.config import DataSource, LabConfig, ModelSource, Recipe, Selection
from labkit.evaluation.intervals import accuracy
from labkit.evaluation.paired import LEVEL, detectable
from labkit.plumbing.store import Store
from labkit.report.wording import percent_interval
from labkit.runs.post_by_post import Flips, Kept, compare, keep
from tests.subjects import COMMON_WORDS, LABELS, TOPIC_WORDS, write_checkpoint

TOLERANCE = 0.01  # that of the accuracy in labkit.runs.history
TEST, TRAIN = 400, 240


def main() -> None:
    parser = argparse.ArgumentParser(description="measure the comparison of two runs")
    parser.add_argument("--pairs", type=int, default=40)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        runs = list(kept_by_seed(Path(folder), args.pairs + 1))
    flips = [compare(*pair, TOLERANCE) for pair in pairwise(runs)]
    alarms = np.array([flip.all.p < LEVEL for flip in flips])
    worse = np.array([-flip.all.difference > TOLERANCE for flip in flips])
    rng = np.random.default_rng(0)
    caught = np.array([drop(run, flip, rng) for run, flip in zip(runs, flips, strict=False)])
    right = [np.mean([said.right for (said,) in run.posts.values()]) for run in runs]
    rows = [
        ("pairs of runs that differ in their seed only", f"{len(flips)}"),
        ("accuracy of these runs", f"{100 * min(right):.1f} to {100 * max(right):.1f} %"),
        ("answers that turn", f"{100 * np.mean([turned(flip) for flip in flips]):.1f} %"),
        ("McNemar's test alarms", percent_interval(accuracy(alarms))),
        ("the tolerance of one point alone alarms", percent_interval(accuracy(worse))),
        ("both alarm", percent_interval(accuracy(alarms & worse))),
        ("planted drops of the detectable size that are seen", percent_interval(accuracy(caught))),
    ]
    print("| what | measured |\n|---|---|")
    print("\n".join(f"| {what} | {measured} |" for what, measured in rows))


def kept_by_seed(folder: Path, runs: int) -> Iterator[Kept]:
    """The answers of small models that differ in their seed only."""
    base = write_checkpoint(folder / "base")
    posts = write_hard_posts(folder / "posts")
    for seed in range(runs):
        config = LabConfig(
            profile="embedded",
            base_model=ModelSource(str(base)),
            data=DataSource(str(posts)),
            selection=Selection(labels=LABELS),
            recipe=Recipe(learning_rate=3e-3, max_length=64, batch_size=4, seed=seed),
        )
        run = lab.run(config, Store(folder / "store"))
        yield keep(run.posts, run.predictions, {})


def write_hard_posts(folder: Path) -> Path:
    """Posts with two or three words of their topic and sometimes one of the other; each is unique."""
    rng = random.Random(0)
    folder.mkdir()
    for name, size in (("train", TRAIN), ("test", TEST)):
        rows = []
        for number in range(size):
            label = number % 2
            words = rng.choices(TOPIC_WORDS[LABELS[label]], k=rng.choice((2, 3)))
            words += rng.choices(TOPIC_WORDS[LABELS[1 - label]], k=rng.choice((0, 0, 1)))
            words += rng.choices(COMMON_WORDS, k=12)
            rng.shuffle(words)
            rows.append({"text": " ".join(words), "label": label, "label_text": LABELS[label]})
        (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    return folder


def turned(flip: Flips) -> float:
    return float(np.mean([pair.before.answer != pair.after.answer for pair in flip.pairs]))


def drop(run: Kept, flip: Flips, rng: np.random.Generator) -> bool:
    """Whether a drop of the detectable size is seen, among as many flips as reseeding makes."""
    whole = flip.all
    share = detectable(whole.lost, whole.won, whole.posts)
    flips = max((whole.lost + whole.won) / whole.posts, share)
    lost, won = (flips + share) / 2, (flips - share) / 2
    right = np.mean([said.right for (said,) in run.posts.values()])
    posts = {}
    for digest, (said,) in run.posts.items():
        other = next(label for label in LABELS if label != said.answer)
        chance = lost / right if said.right else won / max(1e-9, 1 - right)
        posts[digest] = [replace(said, answer=other) if rng.random() < chance else said]
    return compare(run, Kept(posts, {}), TOLERANCE).all.p < LEVEL


if __name__ == "__main__":
    main()
