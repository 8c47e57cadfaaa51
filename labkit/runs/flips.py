"""A comparison of two runs post by post, as terminal and report show it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from labkit.data.texts import text_digest
from labkit.evaluation.paired import SeedSpread
from labkit.report.blocks import Block, Mistake, Mistakes, Table
from labkit.runs.history import Record, with_tolerances
from labkit.runs.post_by_post import Flips, Kept, compare, load

if TYPE_CHECKING:
    from labkit.data.posts import Posts

SHOWN = 10  # posts of each direction
# Metrics that move with the answers to the test posts, and so with their luck: macro F1 about as much
# as accuracy, the margin just as much, since nobody trains its rival.
OF_ANSWERS = ("fine_tuned_accuracy", "fine_tuned_macro_f1", "margin")


@dataclass(frozen=True)
class Shown:
    """A comparison for terminal and report; `luck` is what explains a worsening, by metric."""

    sentences: tuple[str, ...]
    blocks: tuple[Block, ...] = ()
    luck: Mapping[str, float] = field(default_factory=dict)


def against(
    baseline: Record,
    kept: Kept,
    posts: "Posts",
    tolerances: Mapping[str, float],
    places: Sequence[Path],
    found: Mapping[str, SeedSpread],
) -> Shown:
    """This run against a baseline whose predictions lie in one of some places.

    `found` has, by metric, what is known of its spread over seeds.
    """
    explained = {name: spread.luck for name, spread in found.items()}
    before = load(baseline.predictions, places)
    if before is None:
        missing = f"Run {baseline.run} has no predictions here, so no posts are compared."
        return Shown((missing,), luck=explained)
    metrics = {metric.name: metric for metric in with_tolerances(tolerances)}
    flips = compare(
        before, kept, metrics["fine_tuned_accuracy"].tolerance, found.get("fine_tuned_accuracy")
    )
    if flips.pairs:
        explained |= {name: max(flips.luck, explained.get(name, 0.0)) for name in OF_ANSWERS}
    texts = {text_digest(text).hex(): text for text in posts.test["text"]}
    return Shown(flips.sentences, blocks(flips, texts), explained)


def blocks(flips: Flips, texts: Mapping[str, str]) -> tuple[Block, ...]:
    """The comparison for the report; `texts` are this run's posts by digest."""
    if not flips.pairs:
        return ()
    table = Table(
        "Post by post, by class and slice, worst first",
        ("posts", "number", "became right", "became wrong", "difference", "p", "can be seen"),
        tuple(
            (
                group.name,
                str(group.posts),
                str(group.won),
                str(group.lost),
                f"{100 * group.difference:+.1f} points",
                f"{group.p:.2g}",
                f"{100 * group.detectable:.1f} points",
            )
            for group in flips.groups
        ),
        how="p is that of McNemar's exact test, corrected for the number of classes and slices. Those "
        "of classes and slices cover the draw of the posts and not the seed: another seed alone "
        "moves whole classes.",
    )
    shown: list[Block] = [table]
    for title, was, pairs in (
        ("Became wrong", False, [p for p in flips.pairs if p.before.right and not p.after.right]),
        ("Became right", True, [p for p in flips.pairs if p.after.right and not p.before.right]),
    ):
        rows = sorted(pairs, key=lambda p: -(p.before if was else p.after).confidence)[:SHOWN]
        if rows:
            wrong = [(pair, pair.before if was else pair.after) for pair in rows]
            shown.append(
                Mistakes(
                    f"{title}: {len(rows)} of {len(pairs)} posts, surest mistake first",
                    tuple(
                        Mistake(texts[pair.digest], said.truth, said.answer, said.confidence)
                        for pair, said in wrong
                    ),
                )
            )
    return tuple(shown)
