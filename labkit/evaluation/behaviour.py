"""What a classifier of posts must do besides being accurate, on any classes and in any language.

CheckList's three kinds of tests (Ribeiro et al. 2020, https://arxiv.org/abs/2005.04118), with cases
made from the data set's own test posts: two posts of a class together have that class (minimum
functionality), a harmless edit does not turn the answer (invariance), text that is added moves the
answer towards its own class (directional); besides, any text has probabilities, and the other posts
of a batch do not matter.

Each is a failure rate over posts, one case a post, drawn at random: several edits of one post would
not be independent. What may be asked only of a post that the model gets right is asked of those;
a class of which it gets none right counts as failed. The search for the worst case is another thing
(`labkit.evaluation.search`) and counts for no rate.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from labkit.evaluation import grammar
from labkit.evaluation.edits import EDITS, Edit, Pick, compose
from labkit.model.predictions import probabilities

Model = Callable[[list[str]], np.ndarray]  # texts to logits (texts, classes), in one go
CASES = 80  # posts for each behaviour
BATCHED_CASES = 30  # where each case needs batches of its own
SHARE_LOST = 0.1  # of probability that more of a class may cost it
BATCH_TOLERANCE = 1e-4  # logits
FUNCTIONALITY, INVARIANCE, DIRECTIONAL = "minimum functionality", "invariance", "directional"
KINDS = (FUNCTIONALITY, INVARIANCE, DIRECTIONAL, "any text", "batch")


@dataclass(frozen=True)
class Sample:
    """Beginnings of test posts, their classes (posts,), and what the model says of them.

    `logits` are (posts, classes).
    """

    texts: tuple[str, ...]
    truth: np.ndarray
    logits: np.ndarray

    @property
    def right(self) -> np.ndarray:
        """Whether the model gives each its class (posts,)."""
        right: np.ndarray = answers(self.logits) == self.truth
        return right

    @property
    def rows(self) -> np.ndarray:
        """The posts that the model gets right, and all of a class of which it gets none right."""
        hopeless = ~np.isin(self.truth, self.truth[self.right])
        return np.flatnonzero(self.right | hopeless)


@dataclass(frozen=True)
class Case:
    """A text to judge, the post of the sample that it was made from, and the classes asked for.

    -1 stands for no post and no class.
    """

    text: str
    row: int = -1
    label: int = -1
    other: int = -1
    beside: str = ""


@dataclass(frozen=True)
class Behaviour:
    """A claim about a model.

    `kind` is one of KINDS. `draw` makes a case from a post of the sample, None where the post has
    nothing to change; `failed` judges cases all at once, (cases,). `posts` are those that it is asked
    of: "right" for those that the model gets right, "all", or "none" where no case is made from a post; `classes`
    are how many there must be at least.
    """

    name: str
    kind: str
    claim: str
    draw: Callable[[Sample, int, Pick], Case | None]
    failed: Callable[[Model, Sample, Sequence[Case]], np.ndarray]
    posts: str = "right"
    most: int = CASES
    classes: int = 2

    def rows(self, sample: Sample) -> np.ndarray:
        """The posts of the sample that it is asked of."""
        if self.posts == "right":
            return sample.rows
        return np.arange(len(sample.texts)) if self.posts == "all" else np.full(self.most, -1)


def answers(logits: np.ndarray) -> np.ndarray:
    """The class of each row, -1 where its logits are no numbers."""
    return np.where(np.isfinite(logits).all(axis=1), logits.argmax(axis=1), -1)


def missed(model: Model, sample: Sample, cases: Sequence[Case]) -> np.ndarray:
    """Whether each text is given neither of the classes that it is about."""
    given = answers(model([case.text for case in cases]))
    return np.array(
        [g not in {c.label, c.other} or g < 0 for g, c in zip(given, cases, strict=True)]
    )


def contrary(model: Model, sample: Sample, cases: Sequence[Case]) -> np.ndarray:
    """Whether more about its class costs it clearly of its probability."""
    at = np.arange(len(cases)), np.array([case.label for case in cases])
    before, after = (probabilities(logits)[at] for logits in _both(model, sample, cases))
    return ~(after >= before - SHARE_LOST)


def unmoved(model: Model, sample: Sample, cases: Sequence[Case]) -> np.ndarray:
    """Whether text about another class leaves that class no nearer to the post's own."""
    rows = np.arange(len(cases))
    own, other = (np.array([getattr(c, n) for c in cases]) for n in ("label", "other"))
    before, after = (
        logits[rows, other] - logits[rows, own] for logits in _both(model, sample, cases)
    )
    return ~(after > before)


def broken(model: Model, sample: Sample, cases: Sequence[Case]) -> np.ndarray:
    """Whether a text has no finite probabilities that sum to 1."""
    rows = probabilities(model([case.text for case in cases]))
    return ~(np.isfinite(rows).all(axis=1) & np.isclose(rows.sum(axis=1), 1.0))


def batch_bound(model: Model, sample: Sample, cases: Sequence[Case]) -> np.ndarray:
    """Whether the logits of a text change with the texts, and so the padding, of its batch."""
    alone = np.concatenate([model([case.text]) for case in cases])
    together = np.stack([model([case.text, case.beside])[0] for case in cases])
    return ~(np.abs(alone - together).max(axis=1) <= BATCH_TOLERANCE)


def _both(model: Model, sample: Sample, cases: Sequence[Case]) -> tuple[np.ndarray, np.ndarray]:
    """Logits of the posts that the cases were made from, and of the cases."""
    return sample.logits[[case.row for case in cases]], model([case.text for case in cases])


def edited(edit: Edit, sample: Sample, row: int, pick: Pick) -> Case | None:
    """A post, changed; its answer is to stay."""
    text = edit(sample.texts[row], pick)
    if text == sample.texts[row] or not text.strip():
        return None
    return Case(text, row, int(sample.truth[row]))


def joined(same: bool, all_posts: bool, sample: Sample, row: int, pick: Pick) -> Case | None:
    """A post and another one, of the same class or of another, behind or in front of it.

    The other one is any post of the sample, or one that the model gets right.
    """
    alike = sample.truth == sample.truth[row]
    rows = range(len(sample.texts)) if all_posts else sample.rows
    others = [i for i in rows if alike[i] == same and i != row]
    if not others:
        return None
    other = others[pick(len(others))]
    texts = [sample.texts[row], sample.texts[other]]
    text = "\n\n".join(texts if pick(2) == 0 else texts[::-1])
    label, second = int(sample.truth[row]), int(sample.truth[other])
    return Case(text, row, label, -1 if same else second)


def beside(sample: Sample, row: int, pick: Pick) -> Case:
    """A post in a batch with a longer text."""
    others = [sample.texts[pick(len(sample.texts))] for _ in range(2)]
    return Case(sample.texts[row], row, beside=" ".join((sample.texts[row], *others)))


def any_text(sample: Sample, row: int, pick: Pick) -> Case:
    """Any text at all."""
    return Case(grammar.any_text(pick))


def plain(
    labels: Sequence[str], topics: Mapping[str, grammar.Topic], sample: Sample, row: int, pick: Pick
) -> Case:
    """A plain sentence about a topic."""
    label = pick(len(labels))
    return Case(topics[labels[label]].sentence(pick), -1, label)


def invariance(name: str, claim: str, edit: Edit) -> Behaviour:
    """A claim that an edit, which takes a text and `pick`, leaves the class as it is."""
    return Behaviour(name, INVARIANCE, claim, partial(edited, edit), missed)


BEHAVIOURS = (
    Behaviour(
        "two_of_a_class",
        FUNCTIONALITY,
        "Two posts of a class in one text are given that class.",
        partial(joined, True, True),
        missed,
        posts="all",
    ),
    *(
        invariance(
            name.replace(" ", "_").replace("-", "_").lower(),
            f"The class stays the same: {name}.",
            edit,
        )
        for name, edit in {**EDITS, "several of these at once": compose}.items()
    ),
    Behaviour(
        "more_of_its_class",
        DIRECTIONAL,
        f"A second post of its class costs a class at most {SHARE_LOST:g} of probability.",
        partial(joined, True, False),
        contrary,
    ),
    Behaviour(
        "more_of_another_class",
        DIRECTIONAL,
        "A second post of another class moves the answer towards that class.",
        partial(joined, False, False),
        unmoved,
    ),
    Behaviour(
        "two_classes",
        DIRECTIONAL,
        "Two posts of two classes in one text are given one of the two.",
        partial(joined, False, False),
        missed,
        classes=3,
    ),
    Behaviour(
        "any_text",
        "any text",
        "Any text at all has finite probabilities that sum to 1.",
        any_text,
        broken,
        posts="none",
    ),
    Behaviour(
        "batch",
        "batch",
        "Neither padding nor the other posts of a batch change a logit.",
        beside,
        batch_bound,
        posts="all",
        most=BATCHED_CASES,
    ),
)


def behaviours_of(
    labels: Sequence[str],
    topics: Mapping[str, grammar.Topic] = grammar.TOPICS,
    behaviours: Sequence[Behaviour] = BEHAVIOURS,
) -> tuple[Behaviour, ...]:
    """Every behaviour that can be tested for these classes, by kind.

    Plain sentences are asked for where each class has a topic.
    """
    found = [behaviour for behaviour in behaviours if len(labels) >= behaviour.classes]
    if all(label in topics for label in labels):
        found.append(
            Behaviour(
                "plain_sentences",
                FUNCTIONALITY,
                "A plain sentence about a topic is given that topic.",
                partial(plain, labels, topics),
                missed,
                posts="none",
            )
        )
    return tuple(sorted(found, key=lambda behaviour: KINDS.index(behaviour.kind)))
