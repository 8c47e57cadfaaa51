"""How often a comparison of two runs alarms for nothing, and how often it sees a planted drop.

    PYTHONPATH=. python benchmarks/churn.py [--pairs 40] [--known 5] [--store FOLDER]

trains small models on small posts, one for each seed, all else alike, and compares neighbours post by
post, with the spread over so many further seeds known. Then it turns as many more right answers wrong
as the comparison says can be detected. The first training is made twice, with stores of their own.
Prints a table in Markdown; some five minutes on two cores. Nothing here passes or fails.
"""

import argparse
import json
import random
import tempfile
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from labkit import lab
from labkit.config import DataSource, LabConfig, ModelSource, Recipe, Selection
from labkit.evaluation.intervals import accuracy
from labkit.evaluation.paired import LEVEL, SeedSpread, detectable, seed_spread
from labkit.plumbing.store import Store
from labkit.puzzles.subject import COMMON, LABELS, LONGEST, TOPICS, write_checkpoint
from labkit.report.wording import percent_interval
from labkit.runs.post_by_post import Flips, Kept, compare, keep

TOLERANCE = 0.01  # that of the accuracy in labkit.runs.history
TRAIN, TEST, EPOCHS = 360, 400, 6
RATE = 3e-3  # half of the puzzles': at that one training in fifty collapses


def main() -> None:
    parser = argparse.ArgumentParser(description="measure the comparison of two runs")
    parser.add_argument("--pairs", type=int, default=40, help="runs that differ in their seed")
    parser.add_argument("--known", type=int, default=5, help="further runs that tell the spread")
    parser.add_argument("--store", type=Path, help="keeps what was computed")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = args.store or Path(name)
        base, posts = write_checkpoint(folder / "base"), write_hard_posts(folder / "posts")
        first, again, *others = (
            trained(seed, base, posts, folder / f"store-{number}")
            for number, seed in enumerate([0, *range(args.pairs + args.known + 1)])
        )
    runs = [again, *others]
    right = np.array([share(run) for run in runs])
    near = [right[(np.arange(2, 2 + args.known) + i) % len(runs)] for i in range(args.pairs)]
    pairs = list(pairwise(runs))[: args.pairs]
    found = [seed_spread(values.tolist()) for values in near]
    flips = [compare(*pair, TOLERANCE, spread) for pair, spread in zip(pairs, found, strict=True)]
    rng = np.random.default_rng(0)
    dropped = [drop(*one, rng) for one in zip(pairs, flips, found, strict=True)]
    sizes = [size for _, size in dropped]
    rows = {
        "answers that turn where seed, code and machine are the same": turned(
            compare(first, again, TOLERANCE)
        ),
        "pairs of runs that differ in their seed only": f"{len(flips)}",
        "accuracy of these runs": f"{100 * right.min():.1f} to {100 * right.max():.1f} %, "
        f"standard deviation {100 * right.std(ddof=1):.1f} points",
        "answers that turn between two": f"{100 * np.mean([float(flipped(f)) for f in flips]):.1f} %",
        f"pairs that alarm, the spread known from {args.known} seeds": shown(
            [f.changed for f in flips]
        ),
        "planted drops of the detectable size that are seen": shown([seen for seen, _ in dropped]),
        "their size": f"{100 * min(sizes):.1f} to {100 * max(sizes):.1f} points, "
        f"{100 * float(np.median(sizes)):.1f} in the median",
        "pairs in which McNemar's test alone alarms": shown([f.all.p < LEVEL for f in flips]),
        "pairs that are worse by more than the tolerance of a point": shown(
            [-f.all.difference > TOLERANCE for f in flips]
        ),
        "pairs in which a class alone alarms": shown(
            [any(group.p < LEVEL for group in f.groups[1:]) for f in flips]
        ),
    }
    print("| what | measured |\n|---|---|")
    print("\n".join(f"| {what} | {measured} |" for what, measured in rows.items()))


def trained(seed: int, base: Path, posts: Path, store: Path) -> Kept:
    """The answers of a small model, trained in a store of its own."""
    config = LabConfig(
        profile="embedded",
        base_model=ModelSource(str(base)),
        data=DataSource(str(posts)),
        selection=Selection(labels=LABELS),
        recipe=Recipe(epochs=EPOCHS, learning_rate=RATE, max_length=LONGEST, seed=seed),
    )
    run = lab.run(config, Store(store))
    return keep(run.posts, run.predictions, {})


def write_hard_posts(folder: Path) -> Path:
    """Posts with four words of their topic and one of the other, but one in four has as many of both,
    so that models differ there; no two are the same."""
    rng, seen = random.Random(0), set()
    folder.mkdir(parents=True, exist_ok=True)
    for name, size in (("train", TRAIN), ("test", TEST)):
        rows: list[dict[str, object]] = []
        while len(rows) < size:
            label = len(rows) % 2
            own, other = rng.choice(((4, 1), (4, 1), (4, 1), (3, 3)))
            words = rng.choices(TOPICS[LABELS[label]].split(), k=own)
            words += rng.choices(TOPICS[LABELS[1 - label]].split(), k=other)
            words += rng.choices(COMMON.split(), k=10)
            rng.shuffle(words)
            text = " ".join(words)
            if text not in seen:
                seen.add(text)
                rows.append({"text": text, "label": label, "label_text": LABELS[label]})
        (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    return folder


def share(run: Kept) -> float:
    """The share of right answers."""
    return float(np.mean([said.right for (said,) in run.posts.values()]))


def flipped(flips: Flips) -> float:
    return float(np.mean([pair.before.answer != pair.after.answer for pair in flips.pairs]))


def turned(flips: Flips) -> str:
    return f"{sum(p.before.answer != p.after.answer for p in flips.pairs)} of {len(flips.pairs)}"


def shown(found: list[bool]) -> str:
    return f"{sum(found)} of {len(found)}: {percent_interval(accuracy(np.array(found)))}"


def drop(
    pair: tuple[Kept, Kept], flips: Flips, spread: SeedSpread | None, rng: np.random.Generator
) -> tuple[bool, float]:
    """Whether a drop of the detectable size is seen on top of a change of seed, and that size."""
    before, after = pair
    whole = flips.all
    size = detectable(whole.lost, whole.won, whole.posts, spread)
    right = [digest for digest, (said,) in after.posts.items() if said.right]
    gone = set(rng.choice(right, round(size * whole.posts), replace=False).tolist())
    posts = {
        digest: [replace(said, answer=other_than(said.answer))] if digest in gone else [said]
        for digest, (said,) in after.posts.items()
    }
    found = compare(before, Kept(posts, {}), TOLERANCE, spread)
    return found.changed and found.all.difference < 0, size


def other_than(answer: str) -> str:
    return next(label for label in LABELS if label != answer)


if __name__ == "__main__":
    main()
