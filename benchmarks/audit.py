"""What an audit of the lab's numbers found on its own corpus, measured again.

    PYTHONPATH=. python benchmarks/audit.py [--store FOLDER]

prints the table of `docs/testing.md`, row by row: what was told, what the audit found, and what is told
now. Without another store it
reads what `pytest --lab-profile embedded` has computed in this folder, in half a minute; from nothing
it takes as long as the lab. Nothing here passes or fails.
"""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from labkit import lab
from labkit.answers import pretrained_knowledge, verdicts
from labkit.data.posts import Posts
from labkit.data.texts import Known
from labkit.errors import LabError
from labkit.evaluation.baselines import embedding_logistic
from labkit.evaluation.comparison import against
from labkit.evaluation.intervals import cochran_q
from labkit.evaluation.metrics import (
    PROBE,
    Draws,
    best_without_examples,
    evaluate,
    wording_accuracies,
)
from labkit.evaluation.separation import Separation
from labkit.plumbing.runner import Run
from labkit.plumbing.store import Store
from labkit.profiles import EMBEDDED
from labkit.report.wording import percent

INVERTED = "crossover"  # the slice whose words speak for the other class
COPIED = 200
# By claim: as it was told, and what the audit found.
BEFORE = {
    "a sentence's nearest neighbour": ("its topic's in 24 of 24", "23 are its own paraphrase"),
    "zero-shot, label similarity": ("72.0 %", "68.0 to 78.2 % over 15 wordings"),
    f"zero-shot's area under the curve on `{INVERTED}`": ("not told", "0.195"),
    f"the probe trained without `{INVERTED}`, there": ("not told", "30.5 %"),
    f"the probe trained on `{INVERTED}` alone, there": ("not told", "75.6 %, elsewhere 22 to 34 %"),
    "200 test posts copied to the train split": ("0 in two splits", "all gates hold"),
    "label similarity whose scores are NaN": ("+36.2 points on zero-shot", "all gates hold"),
    "untrained heads differ by luck alone": ("tested", "red on two healthy sets"),
    "fine-tuned against zero-shot": ("+14.2 points", "8.0 to 18.2 by wording"),
    "fine-tuned against the linear probe": ("not told", "+7.25 (3.5 to 11.3), p = 0.0003"),
    f"fine-tuned on `{INVERTED}` and elsewhere": ("54.9 %", "54.9 and 94.3 %, 37 of 55 errors"),
    "sure and right": ("7.6 points apart", "78.6 % sure, 86.3 % right"),
    "sureness by slice": ("not told", "14.8 too sure on `crossover`, else 14 to 17 too unsure"),
    "a perfect model's binned error": ("not told", "3.1 points, to 5.2"),
    "temperature, and the error with it": ("not told", "0.63; 7.6 to 4.4"),
    "silhouette before, and its own null": ('0.02, "0.02 at most"', "0.0213, 0.0018 at most"),
    "silhouette after, and its own null": ("0.28, 0.02 at most", "0.28, 0.0218 at most"),
    "untrained heads in the table of methods": ("95 % interval", "a range over heads"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--store", type=Path, default=Path(".pytest_cache/d/labkit"))
    run = lab.run(EMBEDDED, Store(parser.parse_args().store))
    print("| claim | as it was told | the audit | now |\n|---|---|---|---|")
    for claim, now in rows(run):
        print("|", " | ".join((claim, *BEFORE[claim], now)), "|", flush=True)


def rows(run: Run) -> Iterator[tuple[str, str]]:
    """Each claim with what is measured now; those that need no training first."""
    yield from untrained(run)
    yield from trained(run)


def untrained(run: Run) -> Iterator[tuple[str, str]]:
    posts, truth, seed = run.posts, run.posts.truth, EMBEDDED.recipe.seed
    own = posts.slices == INVERTED
    by_wording = wording_accuracies(run.zero_shot, truth.test)
    values = pretrained_knowledge.answer(posts, run.probes, seed).values
    share = values["nearest_neighbour_share"]
    yield (
        "a sentence's nearest neighbour",
        f"its own topic's in {round(share * values['sentences'])} of {values['sentences']}, its "
        f"paraphrase left out; gap {values['topic_gap']:.2f}",
    )
    yield (
        "zero-shot, label similarity",
        f"{percent(by_wording[0])} in the pipeline's wording, {spread(by_wording)} over "
        f"{len(by_wording)}",
    )
    found = run.zero_shot.label_similarity[[0, by_wording.argmax()]]
    areas = [roc_auc_score(truth.test[own], scores[own, 1] - scores[own, 0]) for scores in found]
    yield (
        f"zero-shot's area under the curve on `{INVERTED}`",
        f"{areas[0]:.3f}; {areas[1]:.3f} in the best wording",
    )
    inside = np.asarray(posts.train["slice"]) == INVERTED
    vectors = run.base_embeddings
    for name, chosen in ((f"without `{INVERTED}`", ~inside), (f"on `{INVERTED}` alone", inside)):
        scores = embedding_logistic(vectors.train[chosen], truth.train[chosen], vectors.test)
        right = scores.argmax(axis=1) == truth.test
        slices = np.asarray(posts.test["slice"])
        others = [right[slices == one].mean() for one in np.unique(slices[~own])]
        yield (
            f"the probe trained {name}, there",
            f"{percent(right[own].mean())}; {spread(others)} on the other slices",
        )
    yield (
        f"{COPIED} test posts copied to the train split",
        f"in capitals {copied(posts, str.upper)} are seen, with a full stop more "
        f"{copied(posts, lambda text: text + '.')}, with one word of each replaced "
        f"{copied(posts, reword)}",
    )
    yield "label similarity whose scores are NaN", refusal(run)
    heads = run.zero_shot.untrained_nli.argmax(axis=-1) == truth.test[run.zero_shot.asked]
    yield "untrained heads differ by luck alone", f"p = {cochran_q(heads):.2g} (Cochran's Q)"


def trained(run: Run) -> Iterator[tuple[str, str]]:
    posts, truth, seed = run.posts, run.posts.truth, EMBEDDED.recipe.seed
    methods, logits = run.evaluations, run.predictions.logits
    tuned, slices = methods["fine_tuned"], posts.slices
    own, errors = slices == INVERTED, ~tuned.correct
    rivals = {"zero-shot": best_without_examples(methods), "the linear probe": methods[PROBE]}
    for name, rival in rivals.items():
        found = against(tuned, rival, seed)
        yield (
            f"fine-tuned against {name}",
            f"{verdicts.points(found.difference)} more than {rival.name}, {found.only_first} posts "
            f"against {found.only_second}, p = {found.p_value:.2g}",
        )
    yield (
        f"fine-tuned on `{INVERTED}` and elsewhere",
        f"{percent(tuned.correct[own].mean())} and {percent(tuned.correct[~own].mean())}, "
        f"{errors[own].sum()} of {errors.sum()} errors",
    )
    sure = verdicts.sureness(
        logits.test, truth.test, logits.validation, truth.validation, slices, seed
    )
    right = sure.own.sureness - sure.own.gap.value
    yield (
        "sure and right",
        f"{percent(sure.own.sureness)} sure, {percent(right)} right: {verdicts.direction(sure.own.gap)}",
    )
    yield (
        "sureness by slice",
        "; ".join(f"{name} {verdicts.direction(one.gap)}" for name, one in sure.by_slice.items()),
    )
    yield (
        "a perfect model's binned error",
        f"{100 * sure.perfect.mean:.1f} points, in 95 % of draws below {100 * sure.perfect.high:.1f}",
    )
    yield (
        "temperature, and the error with it",
        f"{sure.temperature:.2f}; {100 * sure.own.error:.1f} to {100 * sure.cooled.error:.1f} points",
    )
    for when in ("before", "after"):
        found_apart: Separation = getattr(run.separation, when)
        yield f"silhouette {when}, and its own null", verdicts.against_null(found_apart)
    heads = methods["untrained_nli"]
    assert isinstance(heads, Draws)
    yield (
        "untrained heads in the table of methods",
        f"{percent(heads.accuracy.value)}, a mean of {len(heads.accuracies)} from "
        f"{spread(heads.accuracies)}, and no interval",
    )


def spread(shares: np.ndarray | list[float]) -> str:
    return f"{100 * min(shares):.1f} to {100 * max(shares):.1f} %"


def copied(posts: Posts, change: Callable[[str], str]) -> int:
    """How many of so many test posts, changed, are known as copies."""
    known = Known(posts.test["text"])
    return sum(change(text) in known for text in posts.test["text"][:COPIED])


def reword(text: str) -> str:
    """The text with its middle word replaced."""
    words = text.split()
    words[len(words) // 2] = "otherwise"
    return " ".join(words)


def refusal(run: Run) -> str:
    """What is said of label similarity whose scores are no numbers."""
    truth = run.posts.truth.test
    try:
        evaluate("label_similarity", np.full((len(truth), 2), np.nan), truth, 0)
    except LabError as error:
        return f'refused: "{error}"'
    return "held for a method"


if __name__ == "__main__":
    main()
