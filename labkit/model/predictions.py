"""What a classifier says of posts."""

from dataclasses import dataclass

import numpy as np
from scipy.special import softmax

from labkit.data.posts import BySplit


@dataclass(frozen=True)
class Classified:
    """Logits (posts, classes) and unit embeddings (posts, dim), float32."""

    logits: np.ndarray
    embeddings: np.ndarray


@dataclass(frozen=True)
class Predictions:
    """The same of every split."""

    logits: BySplit[np.ndarray]
    embeddings: BySplit[np.ndarray]


@dataclass(frozen=True)
class Reseeded:
    """The same fine-tune with other `seeds`: what is left to luck in it.

    `logits` (seeds, posts, classes) are those on the test posts; `validation_accuracy` (seeds,)
    is that of the epoch that each kept.
    """

    seeds: tuple[int, ...]
    logits: np.ndarray
    validation_accuracy: np.ndarray


def probabilities(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Softmax of logits (..., classes) at a temperature, in float64, so that each row sums to 1."""
    found: np.ndarray = softmax(logits.astype(np.float64) / temperature, axis=-1)
    return found
