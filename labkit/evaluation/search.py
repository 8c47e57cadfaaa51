"""A model judged on behaviours: the rate at which each fails, and the smallest failure of each.

The rate comes from cases that are drawn at random. The search is Hypothesis's: it draws and shrinks
cases of the posts on which a failure is likeliest, those that failed and those with the smallest
margin, so what it finds says nothing about the rate.
"""

import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, Phase, assume, given, seed, settings
from hypothesis import strategies as st

from labkit.data.posts import Posts
from labkit.data.stratified import stratified_sample
from labkit.data.tokens import beginnings, load_tokenizer
from labkit.evaluation.behaviour import Behaviour, Case, Model, Sample, answers
from labkit.evaluation.intervals import Estimate, accuracy
from labkit.evaluation.outcomes import Flip, Outcome
from labkit.model.predictions import probabilities
from labkit.plumbing.hardware import Hardware
from labkit.plumbing.progress import Report, ignore

TOKENS = 64  # of a post at most: a case takes little time, and two posts fit one text
POSTS = 160  # of the test split, of which the sample is made
DRAWS = 16  # cases of the search, judged in one go
WEAKEST = 12  # posts that the search draws from
SHRINKS = 24  # cases tried at most on the way to a small failure


def beginnings_of(
    posts: Posts, tokenizer: Path, max_length: int, model: Model, random_seed: int
) -> Sample:
    """Test posts by class share, cut so that there is room for more, and what the model says."""
    limit = min(TOKENS, max(1, max_length // 3))
    truth = posts.truth.test
    (rows,) = stratified_sample(truth, (min(POSTS, len(truth)),), random_seed)
    texts = beginnings(load_tokenizer(tokenizer), posts.test.select(rows)["text"], limit)
    return Sample(tuple(texts), truth[rows], model(texts))


def examine_folder(
    behaviours: Sequence[Behaviour],
    folder: Path,
    posts: Posts,
    max_length: int,
    random_seed: int,
    hardware: Hardware,
    report: Report = ignore,
) -> tuple[Outcome, ...]:
    """Judge the classifier in `folder` on several behaviours, with cases made from the test posts."""
    from labkit.model.encoding import load_logits

    model = load_logits(folder, max_length, hardware)
    sample = beginnings_of(posts, folder, max_length, model, random_seed)
    return examine_all(behaviours, model, sample, random_seed, report)


def examine_all(
    behaviours: Sequence[Behaviour],
    model: Model,
    sample: Sample,
    random_seed: int,
    report: Report = ignore,
    search: bool = True,
) -> tuple[Outcome, ...]:
    """Judge a model on several behaviours; one that no post has a case for is left out."""
    outcomes = []
    for done, behaviour in enumerate(behaviours):
        report(done / len(behaviours), behaviour.name)
        outcomes.append(examine(behaviour, model, sample, random_seed, search))
    return tuple(outcome for outcome in outcomes if outcome.cases)


def examine(
    behaviour: Behaviour, model: Model, sample: Sample, random_seed: int, search: bool = True
) -> Outcome:
    """Judge a model on one case for each post, all in one go, and search for a small failure.

    Without a search there are the rates, which is what the gates read.
    """
    cases = draw_cases(behaviour, sample, random_seed)
    failed = _judge(behaviour, model, sample, cases)
    rate = accuracy(np.array(failed)) if cases else Estimate(np.nan, np.nan, np.nan)
    smallest, looks = None, 0
    if search:
        verdicts = dict(zip(cases, failed, strict=True))
        smallest, looks = find_smallest(behaviour, model, sample, verdicts, random_seed)
    flip = flip_of(smallest, model, sample) if smallest else None
    name, kind, claim = behaviour.name, behaviour.kind, behaviour.claim
    return Outcome(name, kind, claim, len(cases), rate, looks, flip)


def draw_cases(behaviour: Behaviour, sample: Sample, random_seed: int) -> list[Case]:
    """One case a post, of as many posts as the behaviour asks for; no two are the same."""
    rng = np.random.default_rng((random_seed, zlib.crc32(behaviour.name.encode())))
    cases: dict[Case, None] = {}
    for row in rng.permutation(behaviour.rows(sample)):
        if len(cases) < behaviour.most:
            case = behaviour.draw(sample, int(row), lambda count: int(rng.integers(count)))
            if case is not None:
                cases[case] = None
    return list(cases)


def find_smallest(
    behaviour: Behaviour, model: Model, sample: Sample, known: Mapping[Case, bool], random_seed: int
) -> tuple[Case | None, int]:
    """The smallest failing case that Hypothesis finds, and how many cases that took."""
    rows = _likeliest(sample, known)
    drawn: dict[Case, None] = {}

    def collect(case: Case) -> None:
        drawn.setdefault(case)

    if not rows:
        return None, 0
    search = partial(_search, behaviour, sample, rows, random_seed)
    search((Phase.generate,), collect)
    fresh = [case for case in drawn if case not in known]
    verdicts = {**known, **dict(zip(fresh, _judge(behaviour, model, sample, fresh), strict=True))}
    failing = [case for case, failed in verdicts.items() if failed]
    shrunk: list[Case] = []

    def judge(case: Case) -> None:
        if case not in verdicts:
            spent = len(verdicts) - len(known) - len(fresh) >= SHRINKS
            verdicts[case] = not spent and _judge(behaviour, model, sample, [case])[0]
        if verdicts[case]:
            shrunk.append(case)
            raise _Failure

    if any(verdicts[case] for case in drawn):
        with suppress(_Failure):  # Hypothesis ends on the smallest failure that it found
            search((Phase.generate, Phase.shrink), judge)
    return next(iter([*shrunk[-1:], *failing]), None), len(verdicts) - len(known)


def flip_of(case: Case, model: Model, sample: Sample) -> Flip:
    """A case with the answer to it, and to the post that it was made from."""
    before = _answer(sample.logits[case.row]) if case.row >= 0 else (-1, np.nan)
    text = sample.texts[case.row] if case.row >= 0 else ""
    after = _answer(model([case.text])[0])
    return Flip(text, case.text, case.label, before, after)


def _answer(logits: np.ndarray) -> tuple[int, float]:
    given = int(answers(logits[None])[0])
    return given, float(probabilities(logits[None])[0, given])


def _judge(behaviour: Behaviour, model: Model, sample: Sample, cases: Sequence[Case]) -> list[bool]:
    if not cases:
        return []
    failed: list[bool] = behaviour.failed(model, sample, cases).tolist()
    return failed


def _likeliest(sample: Sample, known: Mapping[Case, bool]) -> list[int]:
    """The posts that the search draws from: those that failed, then those with small margins."""
    failed = [case.row for case, failed in known.items() if failed]
    rows = np.array([case.row for case in known], dtype=int)
    sure = probabilities(sample.logits)[np.arange(len(sample.truth)), sample.truth]
    weakest = rows[np.argsort(np.nan_to_num(sure)[rows], kind="stable")]
    return list(dict.fromkeys([*failed, *weakest.tolist()]))[:WEAKEST]


class _Failure(AssertionError):
    """A case on which a behaviour fails."""


def _cases(behaviour: Behaviour, sample: Sample, rows: Sequence[int]) -> st.SearchStrategy[Case]:
    """Cases of some posts; the smaller the numbers drawn, the smaller the edit."""

    @st.composite
    def cases(draw: st.DrawFn) -> Case:  # no argument, else its name would spell out every post
        def pick(count: int) -> int:
            return draw(st.integers(0, count - 1))

        case = behaviour.draw(sample, rows[pick(len(rows))], pick)
        assume(case is not None)
        assert case is not None
        return case

    return cases()


def _search(
    behaviour: Behaviour,
    sample: Sample,
    rows: Sequence[int],
    random_seed: int,
    phases: Iterable[Phase],
    visit: Callable[[Case], None],
) -> None:
    """Have Hypothesis draw cases; the same seed draws the same ones."""

    @seed(random_seed)
    @settings(
        max_examples=DRAWS,
        phases=tuple(phases),
        deadline=None,
        database=None,
        derandomize=False,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(_cases(behaviour, sample, rows))
    def run(case: Case) -> None:
        visit(case)

    run()
