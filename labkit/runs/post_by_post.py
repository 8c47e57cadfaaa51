"""Two runs post by post: which answers changed, whether that is luck, and what could be seen at all.

A run's predictions are kept in a file of their own, named by the digest of its content; the run's
record has the name. Posts are matched by the digest of their text, never by their row.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from labkit.data.texts import text_digest
from labkit.evaluation.intervals import mcnemar
from labkit.evaluation.paired import (
    LEVEL,
    SeedSpread,
    detectable,
    discordant,
    equivalence,
    holm,
    luck,
)
from labkit.plumbing import results
from labkit.plumbing.files import write_files
from labkit.runs.history import PREDICTIONS

if TYPE_CHECKING:
    from labkit.data.posts import Posts
    from labkit.model.predictions import Predictions
    from labkit.plumbing.runner import Run


@dataclass(frozen=True)
class Said:
    """What a run said of one post: its class, the answer, how sure, and the post's slice."""

    truth: str
    answer: str
    confidence: float
    slice: str = ""

    @property
    def right(self) -> bool:
        return self.answer == self.truth


@dataclass(frozen=True)
class Kept:
    """A run's answers to its test posts by the digest of the text, and its model's files.

    A text that stands in the test split several times has as many entries.
    """

    posts: dict[str, list[Said]]
    files: dict[str, str]

    def text(self) -> str:
        return json.dumps(results.plain(self), sort_keys=True, allow_nan=False) + "\n"

    @property
    def name(self) -> str:
        """The digest of all that it holds."""
        return hashlib.sha256(self.text().encode()).hexdigest()[:32]

    def save(self, folder: Path) -> str:
        """Write it to a file in the folder of predictions in `folder`, once; returns its name."""
        if load(self.name, [folder]) is None:  # not there, or damaged
            write_files(folder / PREDICTIONS, {f"{self.name}.json": self.text()})
        return self.name


def load(name: str | None, folders: Sequence[Path]) -> Kept | None:
    """The predictions of that name in the first of some folders that has them whole."""
    for folder in folders:
        try:
            kept = results.rebuild(
                Kept, json.loads((folder / PREDICTIONS / f"{name}.json").read_text("utf-8"))
            )
        except (OSError, ValueError, TypeError, KeyError):
            continue
        if kept.name == name:
            return kept
    return None


def of(lab: "Run") -> Kept:
    """What a run of the lab keeps."""
    from labkit.model.checkpoints import digest_files

    return keep(lab.posts, lab.predictions, digest_files(lab.fine_tuned.folder))


def keep(posts: "Posts", predictions: "Predictions", files: Mapping[str, str]) -> Kept:
    """A run's answers to its test posts; `files` has the digests of its model's files."""
    from labkit.model.predictions import probabilities

    logits = predictions.logits.test
    shares = np.nan_to_num(probabilities(logits))
    slices = [""] * len(posts.test) if posts.slices is None else posts.slices
    said = defaultdict(list)
    for text, truth, row, at, part in zip(
        posts.test["text"], posts.truth.test, shares, logits.argmax(axis=1), slices, strict=True
    ):
        answer = Said(posts.labels[truth], posts.labels[at], float(row[at]), str(part))
        said[text_digest(text).hex()].append(answer)
    return Kept({key: sorted(value, key=repr) for key, value in sorted(said.items())}, dict(files))


@dataclass(frozen=True)
class Pair:
    """A post in both runs."""

    digest: str
    before: Said
    after: Said


@dataclass(frozen=True)
class Group:
    """The posts of a class or slice, or all: how many became right or wrong, and what that means.

    `p` is that of McNemar's exact test; of a part it is corrected for the number of parts.
    `detectable` is the smallest difference that is beyond luck in four runs of five: of a part beyond
    the draw of its posts, of all posts beyond that of the seed as well, where its spread is known.
    """

    name: str
    posts: int
    won: int
    lost: int
    p: float
    detectable: float

    @property
    def difference(self) -> float:
        return (self.won - self.lost) / self.posts


@dataclass(frozen=True)
class Flips:
    """Two runs, post by post.

    `alone` are posts that only one of the two has, `relabelled` those that have another class now.
    `tolerance` is the difference of accuracy that does not matter, `equivalent` the p-value of the
    claim that the difference is smaller. `files` are those of the model that are not the same, and
    `spread` is that of the accuracy over seeds, where it is known.
    """

    pairs: tuple[Pair, ...]
    alone: int
    relabelled: int
    tolerance: float
    equivalent: float
    groups: tuple[Group, ...]
    files: tuple[str, ...]
    spread: SeedSpread | None = None

    @property
    def all(self) -> Group:
        return self.groups[0]

    @property
    def luck(self) -> float:
        """The difference of accuracy that another draw of posts or another seed explains."""
        return luck(self.all.lost, self.all.won, self.all.posts, self.spread)

    @property
    def changed(self) -> bool:
        """Whether the difference is beyond luck."""
        return abs(self.all.difference) > self.luck

    @property
    def sentences(self) -> tuple[str, ...]:
        """What came out, in words."""
        if not self.pairs:
            return ("No test post of the earlier run is in this one, so none can be compared.",)
        a = self.all
        others = sum(p.before.answer != p.after.answer for p in self.pairs) - a.won - a.lost
        points, allowed = 100 * a.difference, 100 * self.tolerance
        same = "not the same files: " + ", ".join(self.files) if self.files else "the same files"
        said = [
            f"Of {a.posts} test posts in both runs {a.won} became right, {a.lost} became wrong, and "
            f"{others} have another wrong answer: {points:+.1f} points (exact McNemar p = "
            f"{a.p:.2g}).",
            self._about_luck(),
            f"That the two are equally good within {allowed:g} points is "
            f"{'shown' if self.equivalent < LEVEL else 'not shown'} (two one-sided tests, p = "
            f"{self.equivalent:.2g}).",
            f"So many posts show a difference of {100 * a.detectable:.1f} points in four of five "
            f"runs"
            + (
                f": the tolerance of {allowed:g} points is below what this comparison can tell."
                if self.tolerance < a.detectable
                else "."
            ),
            f"The two models have {same}.",
        ]
        if self.alone or self.relabelled:
            said.append(
                f"{self.alone} posts are in one of the runs only, as with other data or another "
                f"--lab-test-size, and {self.relabelled} have another class now; they are left out."
            )
        return tuple(said)

    def _about_luck(self) -> str:
        """How much luck explains, of what, and whether the difference is more."""
        if self.spread:
            what = (
                "Another draw of posts or another seed (standard deviation over "
                f"{self.spread.trainings} seeds: {100 * self.spread.deviation:.1f} points) explains"
            )
        else:
            what = (
                "What another seed changes is not known here (runs of the baseline's code with other "
                "--lab-seed would tell); another draw of posts alone explains"
            )
        verdict = "this is a change" if self.changed else "this shows no change"
        return f"{what} up to {100 * self.luck:.1f} points: {verdict}."


def compare(before: Kept, after: Kept, tolerance: float, spread: SeedSpread | None = None) -> Flips:
    """Match the posts of two runs and count what changed, in all, by class and by slice."""
    pairs: list[Pair] = []
    alone = relabelled = 0
    for digest in sorted(before.posts.keys() | after.posts.keys()):
        old, new = list(before.posts.get(digest, [])), list(after.posts.get(digest, []))
        alone += abs(len(old) - len(new))
        for one in list(old):
            if match := next((other for other in new if other.truth == one.truth), None):
                pairs.append(Pair(digest, one, match))
                old.remove(one)
                new.remove(match)
        relabelled += min(len(old), len(new))
    whole = _group("all", pairs, spread)
    equivalent = equivalence(whole.lost, whole.won, whole.posts, tolerance)
    names = sorted(before.files.keys() | after.files.keys())
    files = [name for name in names if before.files.get(name) != after.files.get(name)]
    return Flips(
        tuple(pairs),
        alone,
        relabelled,
        tolerance,
        equivalent,
        (whole, *_parts(pairs)),
        tuple(files),
        spread,
    )


def _parts(pairs: Sequence[Pair]) -> list[Group]:
    """The posts of each class and of each slice, with p-values corrected for their number."""
    parts: dict[str, list[Pair]] = {}
    for pair in pairs:
        parts.setdefault(pair.after.truth, []).append(pair)
    for pair in pairs:
        if pair.after.slice:
            parts.setdefault(f"slice {pair.after.slice}", []).append(pair)
    groups = [_group(name, parts[name]) for name in parts]
    corrected = holm([group.p for group in groups])
    return [
        Group(g.name, g.posts, g.won, g.lost, p, g.detectable)
        for g, p in sorted(zip(groups, corrected, strict=True), key=lambda pair: pair[0].difference)
    ]


def _group(name: str, pairs: Sequence[Pair], spread: SeedSpread | None = None) -> Group:
    before = np.array([pair.before.right for pair in pairs], dtype=bool)
    after = np.array([pair.after.right for pair in pairs], dtype=bool)
    lost, won = discordant(before, after)
    p = mcnemar(before, after)
    return Group(name, len(pairs), won, lost, p, detectable(lost, won, len(pairs), spread))
