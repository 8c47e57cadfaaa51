"""The lab's rule for rate and length beside a grid of other recipes, on any posts.

    PYTHONPATH=. python benchmarks/recipes.py --dataset FOLDER --labels A,B,C

prints a Markdown table: validation loss, by which a recipe would be chosen, then accuracy and
calibration error on the test posts, and the linear probe to compare with. Every training is a
stage of the lab's own store, so a second call only reads it.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import TypeVar

from scipy.special import softmax

from labkit import lab
from labkit.config import DataSource, LabConfig, Recipe, Selection
from labkit.evaluation.calibration import calibration
from labkit.evaluation.intervals import accuracy
from labkit.plumbing.store import Store
from labkit.profiles import EMBEDDED

T = TypeVar("T")
RATES = "5e-5,1e-4,2e-4,3e-4"
EPOCHS = "3,6"


def row(config: LabConfig, store: Store, name: str) -> str:
    """A line of the table: one training, measured."""
    run = lab.run(config, store)
    history, logits = run.fine_tuned.history, run.predictions.logits.test
    tuned = accuracy(logits.argmax(axis=1) == run.posts.truth.test)
    probabilities = softmax(logits.astype(float), axis=1)
    sureness = calibration(probabilities, run.posts.truth.test, config.recipe.seed)
    loss = history.epochs[history.best_epoch - 1].validation_loss
    cells = (
        name,
        f"{run.plan.learning_rate:.2g}",
        str(run.plan.epochs),
        str(history.best_epoch),
        f"{loss:.3f}",
        f"{100 * tuned.value:.1f} ({100 * tuned.low:.1f} to {100 * tuned.high:.1f})",
        f"{100 * sureness.error:.1f}",
        f"{history.seconds:.0f}",
    )
    return f"| {' | '.join(cells)} |"


def numbers(kind: Callable[[str], T]) -> Callable[[str], list[T]]:
    """What reads numbers that stand between commas."""
    return lambda text: [kind(number) for number in text.split(",")]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--dataset", default="labkit:corpus", help="where the posts lie")
    parser.add_argument("--labels", type=lambda text: tuple(text.split(",")), default=())
    parser.add_argument("--train-size", type=int)
    parser.add_argument("--test-size", type=int)
    parser.add_argument("--seeds", type=numbers(int), default=[42])
    parser.add_argument("--rates", type=numbers(float), default=RATES, help="of the grid")
    parser.add_argument("--epochs", type=numbers(int), default=EPOCHS, help="of the grid")
    parser.add_argument("--rule-only", action="store_true", help="leave out the grid")
    parser.add_argument("--store", type=Path, default=Path(".pytest_cache", "d", "labkit"))
    args = parser.parse_args(arguments)
    selection = Selection(labels=args.labels, train_size=args.train_size, test_size=args.test_size)
    config = replace(EMBEDDED, data=DataSource(args.dataset), selection=selection)
    store = Store(args.store)
    run = lab.run(config, store)
    scores = run.baselines.embedding_logistic
    probe = accuracy(scores.argmax(axis=1) == run.posts.truth.test)
    print(
        f"Linear probe: {100 * probe.value:.1f} ({100 * probe.low:.1f} to {100 * probe.high:.1f})"
    )
    print(
        "\n| recipe | rate | epochs | kept | validation loss | accuracy % | calibration error | s |"
    )
    print("|---|---|---|---|---|---|---|---|")
    grid = [] if args.rule_only else list(product(args.rates, args.epochs))
    for seed in args.seeds:
        print(
            row(replace(config, recipe=Recipe(seed=seed)), store, f"rule, seed {seed}"), flush=True
        )
        for rate, epochs in grid:
            recipe = Recipe(learning_rate=rate, epochs=epochs, seed=seed)
            print(row(replace(config, recipe=recipe), store, f"grid, seed {seed}"), flush=True)


if __name__ == "__main__":
    main()
