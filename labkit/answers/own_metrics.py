"""A project's own metrics of the fine-tuned model's predictions, as part of an answer."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from labkit.evaluation.intervals import Estimate, bootstrap
from labkit.model.predictions import probabilities
from labkit.report.blocks import Table
from labkit.report.wording import paragraphs, with_interval

if TYPE_CHECKING:
    from labkit.plumbing.runner import Run
    from labkit.report.answer import Answer
    from labkit.runs.history import Metric

STAGES = ("posts", "predictions")


def added_to(answer: "Answer", metrics: "Sequence[Metric]", lab: "Run") -> "Answer":
    """The answer with each metric on the test posts: a value with its interval, a row, a sentence."""
    truth, logits = lab.posts.truth.test, lab.predictions.logits.test
    given = probabilities(logits)
    values, rows, sentences = dict(answer.values), [], list[str]()
    for metric in metrics:
        assert metric.of is not None
        estimate = measure(metric.of, truth, given, lab.settings["seed"])
        shown = f"{estimate.value:.3g} ({estimate.low:.3g} to {estimate.high:.3g})"
        values |= with_interval(metric.name, estimate)
        rows.append((metric.name, metric.title, shown))
        sentences.append(f"{metric.title or metric.name}: {shown}.")
    header = ("metric", "meaning", "measured (95 % interval)")
    table = Table("The project's own metrics of the fine-tuned model", header, tuple(rows))
    return replace(
        answer,
        sentence=paragraphs(answer.sentence, " ".join(sentences)),
        values=values,
        blocks=(*answer.blocks, table),
    )


def measure(
    of: Callable[[np.ndarray, np.ndarray], float],
    truth: np.ndarray,
    probabilities: np.ndarray,
    seed: int,
) -> Estimate:
    """A metric of class indices (posts,) and probabilities (posts, classes), by the bootstrap."""

    def statistic(resamples: np.ndarray) -> np.ndarray:
        return np.array([of(truth[rows], probabilities[rows]) for rows in resamples], dtype=float)

    return bootstrap(statistic, len(truth), seed)
