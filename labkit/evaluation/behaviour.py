"""What a topic classifier must do besides being accurate: CheckList's three kinds of tests.

Minimum functionality (plain sentences are classified), invariance (a harmless change does not
change the answer), directional (on-topic text does not speak against its topic), after Ribeiro et
al. 2020, https://arxiv.org/abs/2005.04118; besides, any text has probabilities, and the other
posts of a batch do not matter. Each is a failure rate over sentences that Hypothesis draws, with
its interval, and the smallest counter-example that Hypothesis can shrink a failure to.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from scipy.special import softmax

from labkit.evaluation import grammar
from labkit.evaluation.intervals import Estimate, accuracy
from labkit.plumbing.progress import Report, ignore

Model = Callable[[list[str]], np.ndarray]  # texts to logits (texts, classes), in one go
CASES = 200  # drawn for each behaviour
BATCHED_CASES = 40  # where each case needs batches of its own
SHRINKS = 80  # cases tried at most on the way to a small counter-example
SHARE_LOST = 0.1  # of probability that on-topic text may cost its topic
BATCH_TOLERANCE = 1e-4  # logits


@dataclass(frozen=True)
class Case:
    """A text, perhaps a second one to compare it with, and the class that it is about."""

    text: str
    other: str = ""
    label: int = -1


@dataclass(frozen=True)
class Behaviour:
    """A claim about a model: `cases` to draw, and a `failed` that judges them all at once."""

    name: str
    kind: str
    claim: str
    cases: st.SearchStrategy[Case]
    failed: Callable[[Model, Sequence[Case]], np.ndarray]
    draws: int = CASES


@dataclass(frozen=True)
class Outcome:
    """How a model did: its failure rate over distinct cases, and the smallest failure found."""

    name: str
    kind: str
    claim: str
    cases: int
    rate: Estimate
    counter_example: Case | None

    @property
    def failures(self) -> int:
        return round(self.rate.value * self.cases)


def misjudged(model: Model, cases: Sequence[Case]) -> np.ndarray:
    """Whether each text is given another class than it is about."""
    logits = model([case.text for case in cases])
    return logits.argmax(axis=1) != [case.label for case in cases]


def swayed(model: Model, cases: Sequence[Case]) -> np.ndarray:
    """Whether the two texts of each case get different classes."""
    before, after = _both(model, cases)
    return before.argmax(axis=1) != after.argmax(axis=1)


def contrary(model: Model, cases: Sequence[Case]) -> np.ndarray:
    """Whether the second text, with more about the class, has clearly less of its probability."""
    rows = np.arange(len(cases)), np.array([case.label for case in cases])
    before, after = (_probabilities(logits)[rows] for logits in _both(model, cases))
    return ~(after >= before - SHARE_LOST)


def broken(model: Model, cases: Sequence[Case]) -> np.ndarray:
    """Whether a text has no finite probabilities that sum to 1."""
    rows = _probabilities(model([case.text for case in cases]))
    return ~(np.isfinite(rows).all(axis=1) & np.isclose(rows.sum(axis=1), 1.0))


def batch_bound(model: Model, cases: Sequence[Case]) -> np.ndarray:
    """Whether the logits of a text change with the texts, and so the padding, of its batch."""
    alone = np.concatenate([model([case.text]) for case in cases])
    together = np.stack([model([case.text, case.other])[0] for case in cases])
    return ~(np.abs(alone - together).max(axis=1) <= BATCH_TOLERANCE)


def behaviours_of(
    labels: Sequence[str], topics: Mapping[str, grammar.Topic] = grammar.TOPICS
) -> tuple[Behaviour, ...]:
    """Every behaviour that can be tested for these classes; those of topics need a grammar."""
    everything = [topic.sentences() for topic in topics.values()]
    batches = st.builds(
        Case,
        st.one_of(everything),
        st.lists(st.one_of(everything), min_size=2, max_size=4).map(" ".join),
    )
    general = (
        Behaviour(
            "any_text",
            "any text",
            "Any text at all has finite probabilities that sum to 1.",
            st.builds(Case, grammar.any_text()),
            broken,
        ),
        Behaviour(
            "batch",
            "batch",
            "Neither padding nor the other posts of a batch change a logit.",
            batches,
            batch_bound,
            BATCHED_CASES,
        ),
    )
    return general if missing_topics(labels, topics) else _topical(labels, topics) + general


def missing_topics(
    labels: Sequence[str], topics: Mapping[str, grammar.Topic] = grammar.TOPICS
) -> list[str]:
    """The classes that have no grammar of plain sentences."""
    return [label for label in labels if label not in topics]


def _topical(labels: Sequence[str], topics: Mapping[str, grammar.Topic]) -> tuple[Behaviour, ...]:
    sentences = [topics[label].sentences() for label in labels]
    plain = st.one_of([st.builds(Case, text, label=st.just(i)) for i, text in enumerate(sentences)])
    mixed = st.one_of(sentences)
    more = st.one_of(
        [
            st.builds(
                lambda text, extra, label: Case(text, f"{text} {extra}", label),
                mixed,
                text,
                st.just(i),
            )
            for i, text in enumerate(sentences)
        ]
    )
    return (
        Behaviour(
            "plain_sentences",
            "minimum functionality",
            "A plain sentence about a topic is given that topic.",
            plain,
            misjudged,
        ),
        *(
            Behaviour(
                name,
                "invariance",
                f"The class stays the same: {name.replace('_', ' ')}.",
                change(mixed).map(lambda pair: Case(*pair)),
                swayed,
            )
            for name, change in grammar.CHANGES.items()
        ),
        Behaviour(
            "more_on_topic",
            "directional",
            f"A sentence more about a topic costs it at most {SHARE_LOST:g} of probability.",
            more,
            contrary,
        ),
    )


def examine_all(
    behaviours: Sequence[Behaviour], model: Model, random_seed: int, report: Report = ignore
) -> tuple[Outcome, ...]:
    """Judge a model on several behaviours, one after the other."""
    outcomes = []
    for done, behaviour in enumerate(behaviours):
        report(done / len(behaviours), behaviour.name)
        outcomes.append(examine(behaviour, model, random_seed))
    return tuple(outcomes)


def examine(behaviour: Behaviour, model: Model, random_seed: int) -> Outcome:
    """Judge a model on distinct cases, all in one go, and shrink a failure where there is one."""
    cases: dict[Case, bool] = {}
    _search(behaviour, random_seed, (Phase.generate,), lambda case: cases.setdefault(case, False))
    cases = dict(zip(cases, behaviour.failed(model, list(cases)).tolist(), strict=True))
    rate = accuracy(np.array(list(cases.values())))  # the share that failed
    smallest = _shrink(behaviour, model, random_seed, cases) if any(cases.values()) else None
    return Outcome(behaviour.name, behaviour.kind, behaviour.claim, len(cases), rate, smallest)


def _shrink(
    behaviour: Behaviour, model: Model, random_seed: int, known: Mapping[Case, bool]
) -> Case:
    """The smallest failing case that is found with `SHRINKS` more looks at the model."""
    verdicts = dict(known)
    smallest = [case for case, failed in known.items() if failed]

    def judge(case: Case) -> None:
        if case not in verdicts:
            spent = len(verdicts) - len(known) >= SHRINKS
            verdicts[case] = False if spent else bool(behaviour.failed(model, [case])[0])
        if verdicts[case]:
            smallest.append(case)
            raise _Failure

    with suppress(_Failure):  # Hypothesis ends on the smallest failure that it found
        _search(behaviour, random_seed, (Phase.generate, Phase.shrink), judge)
    return smallest[-1]


class _Failure(AssertionError):
    """A case on which a behaviour fails."""


def _search(
    behaviour: Behaviour, random_seed: int, phases: tuple[Phase, ...], visit: Callable[[Case], Any]
) -> None:
    """Have Hypothesis draw the behaviour's cases; the same seed draws the same ones."""

    @seed(random_seed)
    @settings(
        max_examples=behaviour.draws,
        phases=phases,
        deadline=None,
        database=None,
        derandomize=False,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(behaviour.cases)
    def run(case: Case) -> None:
        visit(case)

    run()


def _probabilities(logits: np.ndarray) -> np.ndarray:
    """In float64, so that the rows sum to 1."""
    found: np.ndarray = softmax(logits.astype(np.float64), axis=-1)
    return found


def _both(model: Model, cases: Sequence[Case]) -> tuple[np.ndarray, np.ndarray]:
    """Logits of the first and of the second text of every case, from one call."""
    logits = model([case.text for case in cases] + [case.other for case in cases])
    return logits[: len(cases)], logits[len(cases) :]
