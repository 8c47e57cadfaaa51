"""How alike embeddings are: cosine similarity, within topics and between them."""

import numpy as np

from labkit import statistics


def cosine_similarity(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Cosine of the angle between every row of `a` (m, dim) and of `b` (n, dim): (m, n) in [-1, 1].

    A row of zeros has no direction; its similarities are 0.
    """
    return np.clip(_unit(a) @ _unit(b).T, -1.0, 1.0)


def pair_similarities(similarity: np.ndarray, topics: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Similarities of all pairs of different sentences with the same topic, and with two."""
    rows, columns = np.triu_indices(len(topics), k=1)
    same = topics[rows] == topics[columns]
    return similarity[rows, columns][same], similarity[rows, columns][~same]


def topic_gap(similarity: np.ndarray, topics: np.ndarray, seed: int) -> statistics.Estimate:
    """Mean same-topic minus mean different-topic similarity, bootstrapped over sentences.

    Pairs share sentences, so sentences are resampled and not pairs; a sentence drawn twice is
    not compared with itself. A draw that has pairs of one kind only says nothing and is left out.
    """
    same = np.equal.outer(topics, topics) & ~np.eye(len(topics), dtype=bool)
    different = np.not_equal.outer(topics, topics)

    def gaps(rows: np.ndarray) -> np.ndarray:
        draws = np.zeros((len(rows), len(topics)))  # how often each sentence was drawn
        np.add.at(draws, (np.arange(len(rows))[:, None], rows), 1.0)
        return _mean_over(draws, similarity, same) - _mean_over(draws, similarity, different)

    return statistics.bootstrap(gaps, len(topics), seed)


def nearest_topic_share(similarity: np.ndarray, topics: np.ndarray) -> float:
    """Share of sentences whose most similar other sentence has the same topic."""
    others = similarity - 3 * np.eye(len(topics))  # below any cosine
    return float(np.mean(topics[others.argmax(axis=1)] == topics))


def _mean_over(draws: np.ndarray, values: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Mean of `values` over `pairs` (n, n) for each row of `draws` (resamples, n); NaN for none."""
    total = np.einsum("ri,ij,rj->r", draws, np.where(pairs, values, 0.0), draws, optimize=True)
    count = np.einsum("ri,ij,rj->r", draws, pairs.astype(float), draws, optimize=True)
    return np.divide(total, count, out=np.full(len(draws), np.nan), where=count > 0)


def _unit(rows: np.ndarray) -> np.ndarray:
    rows = np.asarray(rows, dtype=np.float64)
    # Dividing by the largest entry first keeps the squares of tiny and huge rows in range.
    scale = np.abs(rows).max(axis=1, keepdims=True, initial=0.0)
    scaled = np.divide(rows, scale, out=np.zeros_like(rows), where=scale > 0)
    norms = np.linalg.norm(scaled, axis=1, keepdims=True)
    return np.divide(scaled, norms, out=np.zeros_like(rows), where=norms > 0)
