"""Slices of the test posts in which a model is clearly worse, found and not given.

Every rule is a simple one: a word that the post has, its length, or the cluster of its embedding
(Chung et al. 2019, https://arxiv.org/abs/1807.06068, search in the same spirit). Many rules are tried,
and some are bad by luck, so p-values and intervals are Bonferroni's, corrected for all of them.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from scipy.stats import binomtest, hypergeom
from sklearn.cluster import KMeans
from sklearn.feature_extraction.text import CountVectorizer

from labkit.evaluation.findings import WeakSlice
from labkit.evaluation.intervals import Estimate

LEVEL = 0.05  # of all rules together
WORDS = 200  # the most frequent ones that are not in most posts
CLUSTERS = 8
FEWEST = 10  # posts of a slice
SHOWN = 5


def find_weak_slices(
    texts: Sequence[str], embeddings: np.ndarray, correct: np.ndarray, seed: int
) -> tuple[WeakSlice, ...]:
    """The slices in which a model is clearly worse, worst first, at most `SHOWN`.

    `embeddings` are (posts, dim), `correct` (posts,). Of slices with the same posts the first counts.
    """
    wrong = ~correct
    rules: dict[bytes, tuple[str, np.ndarray]] = {}
    for name, inside in candidates(texts, embeddings, seed):
        if FEWEST <= inside.sum() <= len(texts) - FEWEST:
            rules.setdefault(inside.tobytes(), (name, inside))
    found = []
    for name, inside in rules.values():
        posts, errors = int(inside.sum()), int(wrong[inside].sum())
        p = len(rules) * hypergeom.sf(errors - 1, len(texts), int(wrong.sum()), posts)
        if p < LEVEL:
            interval = binomtest(errors, posts).proportion_ci(1 - LEVEL / len(rules), "wilson")
            share = Estimate(errors / posts, float(interval.low), float(interval.high))
            found.append(WeakSlice(name, posts, share, float(wrong[~inside].mean()), float(p)))
    return tuple(sorted(found, key=lambda one: (one.p, one.rule))[:SHOWN])


def candidates(
    texts: Sequence[str], embeddings: np.ndarray, seed: int
) -> Iterator[tuple[str, np.ndarray]]:
    """Every rule in words, with the posts that it holds for (posts,)."""
    lengths = np.array([len(text.split()) for text in texts])
    for share in (0.1, 0.25):
        few, many = np.quantile(lengths, (share, 1 - share))
        yield f"at most {few:.0f} words", lengths <= few
        yield f"at least {many:.0f} words", lengths >= many
    counter = CountVectorizer(binary=True, max_df=0.5, min_df=min(FEWEST, len(texts)))
    try:
        present = counter.fit_transform(texts).tocsc()
    except ValueError:  # no word is in so many posts
        present = None
    if present is not None:
        words = counter.get_feature_names_out()
        often = np.argsort(-np.asarray(present.sum(axis=0)).ravel(), kind="stable")[:WORDS]
        for at in often:
            yield f"has the word {words[at]!r}", present[:, [at]].toarray().ravel() > 0
    if len(texts) >= CLUSTERS * FEWEST:
        clusters = KMeans(CLUSTERS, n_init=1, random_state=seed).fit(embeddings)
        nearest = clusters.transform(embeddings).argmin(axis=0)
        for number, middle in enumerate(nearest):
            start = " ".join(texts[middle].split()[:6])
            yield f"is like “{start} …”", clusters.labels_ == number
