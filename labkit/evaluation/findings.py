"""What was found in data and mistakes; apart from the code that finds it, for a warm run's imports."""

from dataclasses import dataclass

import numpy as np

from labkit.data.posts import BySplit
from labkit.evaluation.intervals import Estimate

LEARNED = 4000  # posts at most from which the classifier learns that judges the labels of others


@dataclass(frozen=True)
class NearCopies:
    """Two posts that share most of their words: their splits, rows, and how much they share.

    `shared` is the Jaccard similarity of their runs of words.
    """

    splits: tuple[str, str]
    rows: tuple[int, int]
    shared: float


@dataclass(frozen=True)
class DataChecks:
    """Labels that look wrong, and posts that are nearly the same.

    `suspicion` (posts,) in [0, 1] of each post's label, 1 for the most suspicious; `likely` (posts,)
    the class that it looks like; `suspect` (posts,) whether confident learning takes the label for
    wrong. `copies` are the pairs with most in common, of `copied` pairs, `across` of them between two
    splits.
    """

    suspicion: BySplit[np.ndarray]
    likely: BySplit[np.ndarray]
    suspect: BySplit[np.ndarray]
    copies: tuple[NearCopies, ...]
    copied: int
    across: int


@dataclass(frozen=True)
class Neighbour:
    """The train post of a class that is nearest to a post, with their cosine similarity."""

    row: int
    similarity: float


@dataclass(frozen=True)
class Explained:
    """A test post that the model gets wrong: what it is taken for, and why that may be.

    `shortest` is what is left of the text when every word is gone without which the answer stays as
    wrong; `alike` and `against` are the nearest train posts of its own class and of the answer.
    `whole` says that no single word of `shortest` can go.
    """

    row: int
    answer: int
    confidence: float
    shortest: str
    whole: bool
    alike: Neighbour | None
    against: Neighbour | None


@dataclass(frozen=True)
class WeakSlice:
    """A rule in words, its posts, and how often the model is wrong on them.

    `errors` has an interval that holds for all rules that were tried, together; `p` is corrected
    as well, of the claim that the model errs there no more often than elsewhere.
    """

    rule: str
    posts: int
    errors: Estimate
    elsewhere: float
    p: float


@dataclass(frozen=True)
class Mistaken:
    """Where a model goes wrong on the test posts: its surest mistakes, and its weak slices."""

    surest: tuple[Explained, ...]
    weak: tuple[WeakSlice, ...]
