"""Every method of the lab on the same test posts, each number with its uncertainty."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from labkit.evaluation import intervals
from labkit.evaluation.intervals import Estimate

if TYPE_CHECKING:
    from labkit.data.posts import Posts
    from labkit.evaluation.scores import BaselineScores, ZeroShotScores
    from labkit.model.predictions import Predictions

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
    """One method on the test posts: class indices (posts,), which of them are right, and how sure.

    The intervals cover the draw of the test posts.
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
    def hit_rate(self) -> np.ndarray:
        """For each post (posts,) 1 where it is right, else 0."""
        return self.correct.astype(float)


@dataclass(frozen=True)
class Range:
    """The mean of several draws, between the ends of the middle 95 % of them."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Draws:
    """A method with a random part, drawn several times: class indices (draws, posts).

    `accuracy` and `macro_f1` range over the draws, on these very test posts. Where one draw must
    stand for all it is the first, `predicted` and `correct` (posts,).
    """

    method: str
    all_predicted: np.ndarray
    all_correct: np.ndarray
    accuracy: Range
    macro_f1: Range

    @property
    def name(self) -> str:
        """The method as tables and plots call it."""
        return METHODS[self.method]

    @property
    def predicted(self) -> np.ndarray:
        return self.all_predicted[0]

    @property
    def correct(self) -> np.ndarray:
        return self.all_correct[0]

    @property
    def accuracies(self) -> np.ndarray:
        """The accuracy of each draw (draws,)."""
        return self.all_correct.mean(axis=1)

    @property
    def hit_rate(self) -> np.ndarray:
        """For each post (posts,) the share of draws that got it right."""
        return self.all_correct.mean(axis=0)


Evaluations = Mapping[str, Evaluation | Draws]  # by method


def evaluate(method: str, scores: np.ndarray, truth: np.ndarray, seed: int) -> Evaluation:
    """Score a method from its scores (posts, classes), the highest of which is its prediction."""
    predicted = scores.argmax(axis=-1)
    correct = predicted == truth
    f1 = intervals.macro_f1(truth, predicted, scores.shape[-1], seed)
    return Evaluation(method, predicted, correct, intervals.accuracy(correct), f1)


def evaluate_draws(method: str, scores: np.ndarray, truth: np.ndarray) -> Draws:
    """Score a method that was drawn several times from its scores (draws, posts, classes)."""
    predicted = scores.argmax(axis=-1)
    correct = predicted == truth
    all_truth = np.broadcast_to(truth, predicted.shape)
    counts = intervals.confusion(all_truth, predicted, scores.shape[-1])
    accuracy, f1 = correct.mean(axis=1), intervals.macro_f1_of(counts)
    return Draws(method, predicted, correct, _range(accuracy), _range(f1))


def evaluate_untrained(
    posts: "Posts", seed: int, baselines: "BaselineScores", zero_shot: "ZeroShotScores"
) -> dict[str, Evaluation | Draws]:
    """The majority class and the zero-shot methods on the test posts; trains nothing."""
    truth = posts.truth.test
    scores = {
        "majority": baselines.majority,
        "label_similarity": zero_shot.label_similarity,
        "trained_nli": zero_shot.trained_nli,
    }
    found: dict[str, Evaluation | Draws] = {
        name: evaluate(name, array, truth, seed)
        for name, array in scores.items()
        if array is not None
    }
    return found | {
        "untrained_nli": evaluate_draws("untrained_nli", zero_shot.untrained_nli, truth)
    }


def evaluate_all(
    posts: "Posts",
    seed: int,
    baselines: "BaselineScores",
    zero_shot: "ZeroShotScores",
    predictions: "Predictions",
) -> dict[str, Evaluation | Draws]:
    """Every method on the test posts, by method."""
    trained = {
        "tfidf_logistic": baselines.tfidf_logistic,
        "embedding_logistic": baselines.embedding_logistic,
        "fine_tuned": predictions.logits.test,
    }
    truth = posts.truth.test
    return evaluate_untrained(posts, seed, baselines, zero_shot) | {
        name: evaluate(name, scores, truth, seed) for name, scores in trained.items()
    }


def best_zero_shot(evaluations: Evaluations) -> Evaluation | Draws:
    """The zero-shot method with the highest accuracy; an untrained head counts by its mean."""
    present = [evaluations[method] for method in ZERO_SHOT if method in evaluations]
    return max(present, key=lambda evaluation: evaluation.accuracy.value)


def _range(values: np.ndarray) -> Range:
    low, high = np.quantile(values, (0.025, 0.975))
    return Range(float(values.mean()), float(low), float(high))
