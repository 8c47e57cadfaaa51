"""Every method of the lab on the same test posts, each number with its uncertainty."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from labkit import statistics
from labkit.statistics import Estimate

METHODS = {
    "majority": "majority class",
    "tfidf_logistic": "TF-IDF + logistic regression",
    "untrained_nli": "zero-shot: NLI, untrained head",
    "label_similarity": "zero-shot: label similarity",
    "trained_nli": "zero-shot: NLI, trained head",
    "embedding_logistic": "frozen embeddings + logistic regression",
    "fine_tuned": "fine-tuned",
}
ZERO_SHOT = ("label_similarity", "untrained_nli", "trained_nli")


@dataclass(frozen=True)
class Evaluation:
    """One method on the test posts.

    `predicted` (draws, posts) holds class indices; a method without a random part has one draw.
    With several draws the estimates are their mean and the 95 % range over the draws.
    """

    method: str
    predicted: np.ndarray
    correct: np.ndarray
    accuracy: Estimate
    macro_f1: Estimate

    @property
    def name(self) -> str:
        """The method as tables and plots call it."""
        return METHODS[self.method]

    @property
    def draws(self) -> int:
        return len(self.predicted)

    @property
    def hit_rate(self) -> np.ndarray:
        """For each post (posts,) the share of draws that got it right."""
        return self.correct.mean(axis=0)


def evaluate(method: str, scores: np.ndarray, truth: np.ndarray, seed: int) -> Evaluation:
    """Score a method from its (posts, classes) or (draws, posts, classes) scores."""
    classes = scores.shape[-1]
    predicted = np.atleast_2d(scores.argmax(axis=-1))
    correct = predicted == truth
    if len(predicted) == 1:
        accuracy = statistics.accuracy(correct[0])
        f1 = statistics.macro_f1(truth, predicted[0], classes, seed)
    else:
        counts = statistics.confusion(np.broadcast_to(truth, predicted.shape), predicted, classes)
        accuracy = _over_draws(correct.mean(axis=1))
        f1 = _over_draws(statistics.macro_f1_of(counts))
    return Evaluation(method, predicted, correct, accuracy, f1)


def best_zero_shot(evaluations: Mapping[str, Evaluation]) -> Evaluation:
    """The zero-shot method with the highest accuracy; an untrained head counts by its mean."""
    present = [evaluations[method] for method in ZERO_SHOT if method in evaluations]
    return max(present, key=lambda evaluation: evaluation.accuracy.value)


def probabilities(logits: np.ndarray) -> np.ndarray:
    """Softmax over the last axis, in float64 so that the rows sum to 1."""
    shifted = logits.astype(np.float64)
    shifted -= shifted.max(axis=-1, keepdims=True)
    weights = np.exp(shifted)
    return weights / weights.sum(axis=-1, keepdims=True)


def _over_draws(values: np.ndarray) -> Estimate:
    low, high = np.quantile(values, (0.025, 0.975))
    return Estimate(float(values.mean()), float(low), float(high))
