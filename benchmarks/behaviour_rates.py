"""How often healthy models fail the behaviours: what the gates' thresholds stand above.

    python benchmarks/behaviour_rates.py [--posts FOLDER] [--seeds 42 43]

trains the embedded model on the lab's corpus and, with FOLDER in the columns of 20 Newsgroups, on two
and on four of its groups, with each seed, and prints the rates as tables in Markdown. Nothing here
passes or fails.
"""

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from labkit import lab
from labkit.answers.behaviours import RATED, behaviour_values
from labkit.config import DataSource, LabConfig, Selection
from labkit.evaluation.outcomes import Outcome
from labkit.plumbing.runner import Run
from labkit.plumbing.store import Store
from labkit.profiles import EMBEDDED

FOUR = ("rec.sport.baseball", "rec.sport.hockey", "sci.med", "sci.space")


def main() -> None:
    parser = argparse.ArgumentParser(description="measure behaviours of healthy models")
    parser.add_argument("--posts", type=Path, help="a folder with posts of 20 Newsgroups")
    parser.add_argument("--seeds", type=int, nargs="+", default=[42, 43])
    parser.add_argument("--store", type=Path, help="keeps what was computed")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = Store(args.store or Path(folder))
        columns = {
            f"{name}, seed {seed}": measure(lab.run(seeded(config, seed), store))
            for name, config in subjects(args.posts)
            for seed in args.seeds
        }
    print(table(columns))


def subjects(posts: Path | None) -> Iterator[tuple[str, LabConfig]]:
    """The configurations by name."""
    yield "corpus", EMBEDDED
    if posts:
        newsgroups = replace(EMBEDDED, data=DataSource(str(posts)))
        yield "two groups", newsgroups
        yield "four groups", replace(newsgroups, selection=Selection(labels=FOUR))


def seeded(config: LabConfig, seed: int) -> LabConfig:
    """The same with another seed of head, batches and splits."""
    return replace(
        config,
        selection=replace(config.selection, split_seed=seed),
        recipe=replace(config.recipe, seed=seed),
    )


def measure(run: Run) -> tuple[tuple[Outcome, ...], float, float]:
    """The outcomes, the accuracy on the whole test split, and the seconds of the stage."""
    outcomes = run.behaviours
    right = run.predictions.logits.test.argmax(axis=1) == run.posts.truth.test
    return outcomes, float(right.mean()), run.entries["behaviours"].seconds


def table(columns: dict[str, tuple[tuple[Outcome, ...], float, float]]) -> str:
    """Failures of cases by behaviour, and what the gates read."""
    names = list(dict.fromkeys(o.name for found, _, _ in columns.values() for o in found))
    rows = [["behaviour", *columns], ["---"] * (len(columns) + 1)]
    for name in names:
        cells = []
        for found, _, _ in columns.values():
            here = [o for o in found if o.name == name]
            cells.append(f"{here[0].failures} of {here[0].cases}" if here else "")
        rows.append([name.replace("_", " "), *cells])
    for gate in RATED.values():
        values = [behaviour_values(found) for found, _, _ in columns.values()]
        rows.append([f"`{gate}`", *(f"{value[gate]:.3f}" for value in values)])
    rows.append(["accuracy", *(f"{100 * right:.1f} %" for _, right, _ in columns.values())])
    rows.append(["seconds", *(f"{seconds:.0f}" for _, _, seconds in columns.values())])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


if __name__ == "__main__":
    main()
