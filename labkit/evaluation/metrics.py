"""Every method of the lab on the same test posts, each number with its uncertainty."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from labkit.evaluation import intervals
from labkit.evaluation.finite import check_finite
from labkit.evaluation.intervals import Estimate

if TYPE_CHECKING:
    from labkit.data.posts import Posts
    from labkit.evaluation.scores import BaselineScores, ZeroShotScores
    from labkit.model.predictions import Predictions, Reseeded

METHODS = {
    "majority": "majority class",
    "tfidf_logistic": "TF-IDF + logistic regression",
    "untrained_nli": "zero-shot: NLI, untrained head",
    "label_similarity": "zero-shot: label similarity",
    "best_wording": "zero-shot: label similarity, best wording",
    "trained_nli": "zero-shot: NLI, trained head",
    "embedding_logistic": "frozen embeddings + logistic regression",
    "fine_tuned": "fine-tuned",
}
STAGES = {  # where the scores of a method come from
    "majority": "baselines",
    "tfidf_logistic": "baselines",
    "untrained_nli": "zero_shot",
    "label_similarity": "zero_shot",
    "best_wording": "zero_shot",
    "trained_nli": "zero_shot",
    "embedding_logistic": "baselines",
    "fine_tuned": "predictions",
}
ZERO_SHOT = ("label_similarity", "untrained_nli", "trained_nli")  # as they are, nothing chosen
PROBE = "embedding_logistic"


class Measured:
    """A method on test posts; `rows` are their row numbers where it was not asked about all."""

    method: str
    rows: np.ndarray | None
    others: np.ndarray | None

    @property
    def name(self) -> str:
        """The method as tables and plots call it."""
        return METHODS[self.method]

    def of(self, values: np.ndarray) -> np.ndarray:
        """Those of `values` (test posts, ...) that stand for the posts that it was asked about."""
        return values if self.rows is None else values[self.rows]

    @property
    def changes(self) -> np.ndarray:
        """Each training's accuracy less that of the first (trainings,), which is the one kept."""
        return np.array([0.0])


@dataclass(frozen=True)
class Evaluation(Measured):
    """One method on test posts: class indices (posts,), which of them are right, and how sure.

    `others` (trainings, posts) says which posts the same method gets right that was trained with
    other seeds. The intervals cover the draw of the test posts, for this very model; with `others`
    that of the training as well (`intervals.over_trainings`).
    """

    method: str
    predicted: np.ndarray
    correct: np.ndarray
    accuracy: Estimate
    macro_f1: Estimate
    rows: np.ndarray | None = None
    others: np.ndarray | None = None

    @property
    def hit_rate(self) -> np.ndarray:
        """For each post (posts,) 1 where it is right, else 0."""
        return self.correct.astype(float)

    @property
    def changes(self) -> np.ndarray:
        if self.others is None:
            return super().changes
        return np.array([0.0, *(self.others.mean(axis=1) - self.correct.mean())])


@dataclass(frozen=True)
class Range:
    """The mean of several draws, between the ends of the middle 95 % of them."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Draws(Measured):
    """A method with a random part, drawn several times: class indices (draws, posts).

    `accuracy` and `macro_f1` range over the draws, on these very test posts. Where one draw must
    stand for all it is the first, `predicted` and `correct` (posts,).
    """

    method: str
    all_predicted: np.ndarray
    all_correct: np.ndarray
    accuracy: Range
    macro_f1: Range
    rows: np.ndarray | None = None
    others = None

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


Method = Evaluation | Draws
Evaluations = Mapping[str, Method]  # by method


def evaluate(
    method: str,
    scores: np.ndarray,
    truth: np.ndarray,
    seed: int,
    rows: np.ndarray | None = None,
    others: np.ndarray | None = None,
) -> Evaluation:
    """Score a method from its scores (posts, classes), the highest of which is its prediction.

    `truth` are the class indices of the same posts, `others` (trainings, posts, classes) the scores
    with other seeds. Raises LabError for scores that are no numbers.
    """
    check_finite(scores, METHODS[method], STAGES[method])
    predicted, classes = scores.argmax(axis=-1), scores.shape[-1]
    correct = predicted == truth
    accuracy = intervals.accuracy(correct)
    f1 = intervals.macro_f1(truth, predicted, classes, seed)
    if others is None:
        return Evaluation(method, predicted, correct, accuracy, f1, rows)
    check_finite(others, f"{METHODS[method]}, other seeds", "reseeded")
    again = others.argmax(axis=-1)
    hits = again == truth
    f1s = intervals.macro_f1_of(
        intervals.confusion(np.broadcast_to(truth, again.shape), again, classes)
    )
    accuracy = intervals.over_trainings(accuracy, np.array([accuracy.value, *hits.mean(axis=1)]))
    f1 = intervals.over_trainings(f1, np.array([f1.value, *f1s]))
    return Evaluation(method, predicted, correct, accuracy, f1, rows, hits)


def evaluate_draws(
    method: str, scores: np.ndarray, truth: np.ndarray, rows: np.ndarray | None = None
) -> Draws:
    """Score a method that was drawn several times from its scores (draws, posts, classes).

    Raises LabError for scores that are no numbers.
    """
    check_finite(scores, METHODS[method], STAGES[method])
    predicted = scores.argmax(axis=-1)
    correct = predicted == truth
    all_truth = np.broadcast_to(truth, predicted.shape)
    counts = intervals.confusion(all_truth, predicted, scores.shape[-1])
    accuracy, f1 = correct.mean(axis=1), intervals.macro_f1_of(counts)
    return Draws(method, predicted, correct, _range(accuracy), _range(f1), rows)


def wording_accuracies(zero_shot: "ZeroShotScores", truth: np.ndarray) -> np.ndarray:
    """The accuracy of label similarity in each wording (wordings,); raises LabError for NaN."""
    scores = zero_shot.label_similarity
    check_finite(scores, METHODS["label_similarity"], STAGES["label_similarity"])
    return np.asarray((scores.argmax(axis=-1) == truth).mean(axis=1))


def evaluate_untrained(
    posts: "Posts", seed: int, baselines: "BaselineScores", zero_shot: "ZeroShotScores"
) -> dict[str, Method]:
    """The majority class and the zero-shot methods on the test posts; trains nothing.

    `best_wording` is the one of all wordings that gets most of these very test posts right, so what
    is compared with it is compared with more than anybody could know beforehand.
    """
    truth, asked = posts.truth.test, zero_shot.asked
    best = int(wording_accuracies(zero_shot, truth).argmax())
    rows = None if len(asked) == len(truth) else asked
    found: dict[str, Method] = {
        "majority": evaluate("majority", baselines.majority, truth, seed),
        "label_similarity": evaluate(
            "label_similarity", zero_shot.label_similarity[0], truth, seed
        ),
        "best_wording": evaluate("best_wording", zero_shot.label_similarity[best], truth, seed),
        "untrained_nli": evaluate_draws(
            "untrained_nli", zero_shot.untrained_nli, truth[asked], rows
        ),
    }
    if zero_shot.trained_nli is not None:
        found["trained_nli"] = evaluate(
            "trained_nli", zero_shot.trained_nli, truth[asked], seed, rows
        )
    return found


def evaluate_all(
    posts: "Posts",
    seed: int,
    baselines: "BaselineScores",
    zero_shot: "ZeroShotScores",
    predictions: "Predictions",
    reseeded: "Reseeded | None" = None,
) -> dict[str, Method]:
    """Every method on the test posts, by method."""
    trained = {
        "tfidf_logistic": baselines.tfidf_logistic,
        "embedding_logistic": baselines.embedding_logistic,
    }
    truth, others = posts.truth.test, reseeded.logits if reseeded else None
    tuned = evaluate("fine_tuned", predictions.logits.test, truth, seed, others=others)
    return evaluate_untrained(posts, seed, baselines, zero_shot) | {
        **{name: evaluate(name, scores, truth, seed) for name, scores in trained.items()},
        "fine_tuned": tuned,
    }


def best_zero_shot(evaluations: Evaluations) -> Method:
    """The zero-shot method with the highest accuracy; an untrained head counts by its mean."""
    return _best(evaluations, ZERO_SHOT)


def best_without_examples(evaluations: Evaluations) -> Method:
    """The best of all that read no labelled post, the best wording and the majority class too.

    The majority class is there for zero-shot that is worse than it, as with label texts in the
    wrong order: to beat that shows nothing.
    """
    return _best(evaluations, (*ZERO_SHOT, "best_wording", "majority"))


def _best(evaluations: Evaluations, methods: Sequence[str]) -> Method:
    present = [evaluations[method] for method in methods if method in evaluations]
    return max(present, key=lambda evaluation: evaluation.accuracy.value)


def _range(values: np.ndarray) -> Range:
    low, high = np.quantile(values, (0.025, 0.975))
    return Range(float(values.mean()), float(low), float(high))
