"""The scores of the methods that a fine-tuned model is compared with."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ZeroShotScores:
    """Scores of each method on the test posts; the highest is the prediction.

    Those of `label_similarity` are (wordings, posts, labels), one for each of `wordings`, in which
    every label has its sentence. The others read the first wording and the test posts with the
    row numbers `asked`: `untrained_nli` (heads, asked, labels), and `trained_nli` (asked, labels),
    which needs a trained checkpoint.
    """

    wordings: tuple[tuple[str, ...], ...]
    label_similarity: np.ndarray
    asked: np.ndarray
    untrained_nli: np.ndarray
    trained_nli: np.ndarray | None = None


@dataclass(frozen=True)
class BaselineScores:
    """Scores (posts, classes) of each method on the test posts; the highest is the prediction."""

    majority: np.ndarray
    tfidf_logistic: np.ndarray
    embedding_logistic: np.ndarray
