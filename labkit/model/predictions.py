"""What a classifier says of posts."""

from dataclasses import dataclass

import numpy as np

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
