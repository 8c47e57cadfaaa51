"""Labels that look wrong, and posts that are nearly the same.

Labels by confident learning (Northcutt, Jiang and Chuang 2021, https://doi.org/10.1613/jair.1.12125):
a classifier that never saw a post gives it probabilities, and a post counts for a class when it is
as sure of it as the posts of that class are on average. The classifier is the mean of two logistic
regressions, on the base model's embeddings and on TF-IDF of words, cross-validated, so this needs no
training of the network; of many posts a fold learns from a sample. Two that go by different things err
on different posts: together they find more of the wrong labels than either
(`benchmarks/planted_labels.py`).

Near copies by the Jaccard similarity of their runs of words (`labkit.data.texts`).
"""

import re
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from labkit.data.posts import BySplit, Embeddings, Posts
from labkit.data.stratified import stratified_sample
from labkit.data.texts import Known, runs_of
from labkit.evaluation.baselines import WEIGHTS
from labkit.evaluation.findings import LEARNED, DataChecks, NearCopies
from labkit.evaluation.finite import check_finite

FOLDS = 5
RUN = 4  # words
ALIKE = 0.5  # of the runs of two posts
SHOWN = 20  # pairs
WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|\w+")  # each character where nothing parts words


def check(posts: Posts, embeddings: Embeddings, seed: int) -> DataChecks:
    """Look at the posts of all splits together; `embeddings` (posts, dim) are the base model's.

    Raises LabError for embeddings that are no numbers.
    """
    names, splits = zip(*posts.items(), strict=True)
    sizes = [len(split) for split in splits]
    labels = np.concatenate([truth for _, truth in posts.truth.items()])
    vectors = np.concatenate([array for _, array in embeddings.items()])
    check_finite(vectors, "embeddings of the posts", "base_embeddings")
    texts = [text for split in splits for text in split["text"]]
    suspicion, likely, suspect = suspects(vectors, texts, labels, seed)
    pairs = near_copies(texts)

    def apart(array: np.ndarray) -> BySplit[np.ndarray]:
        return BySplit(*np.split(array, np.cumsum(sizes)[:-1]))

    place = [(name, row) for name, size in zip(names, sizes, strict=True) for row in range(size)]
    copies = []
    for one, other, shared in pairs[:SHOWN]:
        (split, row), (second, other_row) = place[one], place[other]
        copies.append(NearCopies((split, second), (row, other_row), shared))
    across = sum(place[one][0] != place[other][0] for one, other, _ in pairs)
    return DataChecks(
        apart(suspicion), apart(likely), apart(suspect), tuple(copies), len(pairs), across
    )


def suspects(
    embeddings: np.ndarray, texts: Sequence[str], labels: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How suspicious each label is (posts,), the class it looks like, and whether it is a suspect."""
    folds = min(FOLDS, int(np.bincount(labels)[np.unique(labels)].min()))
    splitter = StratifiedKFold(max(2, folds), shuffle=True, random_state=seed)
    # A wrong label is to be outvoted and not learnt, so C is below the probe's for the embeddings.
    views = [
        (embeddings, 3.0),
        *((words, 10.0) for words in weighted_words(texts, len(np.unique(labels)))),
    ]
    shares = np.zeros((len(labels), int(labels.max()) + 1), np.float32)
    for seen, unseen in splitter.split(embeddings, labels):
        (drawn,) = stratified_sample(labels[seen], (min(LEARNED, len(seen)),), seed)
        rows = seen[np.sort(drawn)]
        for view, c in views:
            model = LogisticRegression(C=c, max_iter=1000).fit(view[rows], labels[rows])
            found = model.predict_proba(view[unseen]) / len(views)
            shares[np.ix_(unseen, model.classes_)] += found
    return judge_labels(shares, labels)


def weighted_words(texts: Sequence[str], classes: int) -> list[csr_matrix]:
    """TF-IDF of the words that stand in two texts or more; none where there is no such word.

    Of many classes the most frequent words only, as in the baseline.
    """
    most = WEIGHTS // classes
    counter = TfidfVectorizer(analyzer=words_of, sublinear_tf=True, min_df=2, max_features=most)
    try:
        return [counter.fit_transform(texts)]
    except ValueError:
        return []


def judge_labels(
    shares: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same from probabilities (posts, classes) by a model that has not seen these posts.

    Suspicion is the normalised margin: 0 where all is on the given label, 1 where all is on another.
    """
    own = shares[np.arange(len(labels)), labels]
    thresholds = np.array([own[labels == j].mean() for j in range(shares.shape[1])])
    confident = np.where(shares >= thresholds, shares, -1.0)
    counted = confident.argmax(axis=1)
    suspect = (confident.max(axis=1) >= 0) & (counted != labels)
    others = shares.copy()
    others[np.arange(len(labels)), labels] = -1.0
    likely = np.where(suspect, counted, others.argmax(axis=1))
    return (1 + others.max(axis=1) - own) / 2, likely, suspect


def near_copies(texts: Sequence[str]) -> list[tuple[int, int, float]]:
    """Pairs of texts that share at least half of their runs of words, most alike first.

    Of many copies of one text each is paired with some fifty of them.
    """
    known, found = Known(runs=runs_in, alike=ALIKE), []
    for row, text in enumerate(texts):
        if len(runs_in(text)):
            found += [(one, row, shared) for one, shared in known.copies(text)]
        known.add(text)
    return sorted(found, key=lambda pair: (-pair[2], pair[:2]))


@lru_cache(maxsize=1)  # asked for twice in a row
def runs_in(text: str) -> np.ndarray:
    """The runs of words of a text, without case and marks; of a shorter text the whole."""
    return runs_of(words_of(text), RUN)


def words_of(text: str) -> list[str]:
    """The words of a text without case and marks."""
    return WORD.findall(text.casefold())
