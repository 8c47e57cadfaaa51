"""How alike embeddings are: cosine similarity, within topics and between them."""

import numpy as np
from sklearn.metrics import pairwise

from labkit.evaluation import intervals


def cosine_similarity(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Cosine of the angle between every row of `a` (m, dim) and of `b` (n, dim): (m, n) in [-1, 1].

    A row of zeros has no direction; its similarities are 0.
    """
    similarity = pairwise.cosine_similarity(a.astype(np.float64), b.astype(np.float64))
    return np.clip(similarity, -1.0, 1.0)  # rounding can leave it outside


def every_pair(sentences: int) -> np.ndarray:
    """Which pairs (sentences, sentences) are compared: all of two different ones."""
    return ~np.eye(sentences, dtype=bool)


def but_paraphrases(sentences: int) -> np.ndarray:
    """The same without the 1st and 2nd, the 3rd and 4th, and so on, which say the same."""
    partner = np.arange(sentences) // 2
    return np.not_equal.outer(partner, partner)


def pair_similarities(
    similarity: np.ndarray, topics: np.ndarray, compared: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Similarities of all compared pairs of sentences with the same topic, and with two."""
    compared = every_pair(len(topics)) if compared is None else compared
    rows, columns = np.nonzero(np.triu(compared, k=1))
    same = topics[rows] == topics[columns]
    return similarity[rows, columns][same], similarity[rows, columns][~same]


def topic_gap(
    similarity: np.ndarray, topics: np.ndarray, seed: int, compared: np.ndarray | None = None
) -> intervals.Estimate:
    """Mean same-topic minus mean different-topic similarity, bootstrapped over sentences.

    Pairs share sentences, so sentences are resampled and not pairs; a sentence drawn twice is
    not compared with itself. A draw that has pairs of one kind only says nothing and is left out.
    """
    compared = every_pair(len(topics)) if compared is None else compared
    same = np.equal.outer(topics, topics) & compared
    different = np.not_equal.outer(topics, topics) & compared

    def gaps(rows: np.ndarray) -> np.ndarray:
        draws = np.zeros((len(rows), len(topics)))  # how often each sentence was drawn
        np.add.at(draws, (np.arange(len(rows))[:, None], rows), 1.0)
        return _mean_over(draws, similarity, same) - _mean_over(draws, similarity, different)

    return intervals.bootstrap(gaps, len(topics), seed)


def nearest_topic_share(
    similarity: np.ndarray, topics: np.ndarray, compared: np.ndarray | None = None
) -> float:
    """Share of sentences whose most similar one of those compared has the same topic."""
    compared = every_pair(len(topics)) if compared is None else compared
    others = np.where(compared, similarity, -3.0)  # below any cosine
    return float(np.mean(topics[others.argmax(axis=1)] == topics))


def _mean_over(draws: np.ndarray, values: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Mean of `values` over `pairs` (n, n) for each row of `draws` (resamples, n); NaN for none."""
    total = np.einsum("ri,ij,rj->r", draws, np.where(pairs, values, 0.0), draws, optimize=True)
    count = np.einsum("ri,ij,rj->r", draws, pairs.astype(float), draws, optimize=True)
    return np.divide(total, count, out=np.full(len(draws), np.nan), where=count > 0)
