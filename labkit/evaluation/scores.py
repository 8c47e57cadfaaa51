"""The scores of the methods that a fine-tuned model is compared with."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ZeroShotScores:
    """Scores (posts, labels) of each method on the test posts; the highest is the prediction.

    Those of `untrained_nli` are (heads, posts, labels); `trained_nli` needs a trained checkpoint.
    """

    label_similarity: np.ndarray
    untrained_nli: np.ndarray
    trained_nli: np.ndarray | None = None


@dataclass(frozen=True)
class BaselineScores:
    """Scores (posts, classes) of each method on the test posts; the highest is the prediction."""

    majority: np.ndarray
    tfidf_logistic: np.ndarray
    embedding_logistic: np.ndarray
