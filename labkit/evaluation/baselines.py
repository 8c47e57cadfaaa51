"""The methods that a fine-tuned model must be compared with, none of which trains a network."""

from collections.abc import Sequence

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from labkit.data.posts import BySplit, Posts
from labkit.evaluation.finite import check_finite
from labkit.evaluation.scores import BaselineScores

WEIGHTS = 2_000_000


def score(posts: Posts, embeddings: BySplit[np.ndarray]) -> BaselineScores:
    """Every method; `embeddings` (posts, dim) are those of the base model.

    Raises LabError for embeddings that are no numbers.
    """
    for split, rows in embeddings.items():
        check_finite(rows, f"embeddings of the {split} posts", "base_embeddings")
    labels = posts.truth.train
    return BaselineScores(
        majority(labels, len(posts.test), len(posts.labels)),
        tfidf_logistic(list(posts.train["text"]), labels, list(posts.test["text"])),
        embedding_logistic(embeddings.train, labels, embeddings.test),
    )


def majority(train_labels: np.ndarray, posts: int, classes: int) -> np.ndarray:
    """Scores (posts, classes) that always favour the most frequent class of the train split."""
    counts = np.bincount(train_labels, minlength=classes)
    return np.tile(counts / counts.sum(), (posts, 1))


def tfidf_logistic(
    train_texts: Sequence[str], train_labels: np.ndarray, texts: Sequence[str]
) -> np.ndarray:
    """Probabilities (posts, classes) of logistic regression on TF-IDF of words and word pairs.

    Of many classes the most frequent of them only, so that there are at most `WEIGHTS` weights, of
    which the solver keeps some twenty-five copies.
    """
    words = TfidfVectorizer(
        sublinear_tf=True,
        ngram_range=(1, 2),
        strip_accents="unicode",
        max_features=WEIGHTS // len(np.unique(train_labels)),
    )
    if not any(map(words.build_analyzer(), train_texts)):  # it has nothing to go by then
        return majority(train_labels, len(texts), int(train_labels.max()) + 1)
    model = make_pipeline(words, LogisticRegression(C=10.0, max_iter=1000))
    found = model.fit(train_texts, train_labels).predict_proba(texts)
    return by_class(found, model.classes_)


def embedding_logistic(
    train_embeddings: np.ndarray, train_labels: np.ndarray, embeddings: np.ndarray
) -> np.ndarray:
    """Probabilities (posts, classes) of logistic regression on frozen embeddings: a linear probe.

    Embeddings have unit length, so C is above scikit-learn's default of 1.
    """
    model = LogisticRegression(C=10.0, max_iter=1000)
    found = model.fit(train_embeddings, train_labels).predict_proba(embeddings)
    return by_class(found, model.classes_)


def by_class(found: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Scores (posts, classes) with a column for every class up to the last that was learned."""
    scores = np.zeros((len(found), int(classes.max()) + 1))
    scores[:, classes] = found
    return scores
