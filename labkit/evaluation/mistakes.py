"""Why a post is got wrong: the shortest text that still is, and the train posts that it is near to.

The text is shortened by delta debugging (Zeller and Hildebrandt 2002,
https://doi.org/10.1109/32.988498) over its words: parts of it, and what is left without them, are
asked of the model all at once, and the search goes on with the first that gets the same wrong answer.
"""

import re
from collections.abc import Callable

import numpy as np

from labkit.data.posts import Posts
from labkit.evaluation.findings import Explained, Mistaken, Neighbour
from labkit.evaluation.weak_slices import find_weak_slices
from labkit.model.predictions import Predictions, probabilities

Model = Callable[[list[str]], np.ndarray]  # texts to logits (texts, classes), in one go
EXPLAINED = 5  # mistakes, the most confident ones
LOOKS = 80  # texts that the model is asked about for each of them


def explain(posts: Posts, predictions: Predictions, model: Model, seed: int) -> Mistaken:
    """The most confident mistakes among the test posts, and the slices with most mistakes."""
    correct = predictions.logits.test.argmax(axis=1) == posts.truth.test
    texts = list(posts.test["text"])
    weak = find_weak_slices(texts, predictions.embeddings.test, correct, seed)
    return Mistaken(explain_surest(posts, predictions, model), weak)


def explain_surest(posts: Posts, predictions: Predictions, model: Model) -> tuple[Explained, ...]:
    """The most confident mistakes among the test posts."""
    logits, truth = predictions.logits.test, posts.truth.test
    sure = probabilities(logits).max(axis=1)
    wrong = np.flatnonzero(logits.argmax(axis=1) != truth)
    rows = wrong[np.argsort(-sure[wrong], kind="stable")][:EXPLAINED]
    found = []
    for row in map(int, rows):
        answer = int(logits[row].argmax())
        text, whole = shorten(posts.test[row]["text"], answer, model)
        vector = predictions.embeddings.test[row]
        alike, against = (
            nearest(vector, predictions.embeddings.train, posts.truth.train == label)
            for label in (truth[row], answer)
        )
        found.append(Explained(row, answer, float(sure[row]), text, whole, alike, against))
    return tuple(found)


def nearest(vector: np.ndarray, others: np.ndarray, among: np.ndarray) -> Neighbour | None:
    """The nearest of the unit embeddings (posts, dim) that are `among` (posts,); None for none."""
    rows = np.flatnonzero(among)
    if not len(rows):
        return None
    likeness = others[rows] @ vector
    best = int(likeness.argmax())
    return Neighbour(int(rows[best]), float(likeness[best]))


def shorten(text: str, answer: int, model: Model, looks: int = LOOKS) -> tuple[str, bool]:
    """The shortest text found that is given the same answer, and whether no word of it can go.

    Asks the model about at most `looks` texts.
    """
    units = re.findall(r"\S+", text)
    if len(units) < 2:  # where no spaces part words, by character
        units, glue = list(text), ""
    else:
        glue = " "
    parts = 2
    while len(units) > 1 and looks > 0:
        cuts = np.array_split(np.arange(len(units)), min(parts, len(units)))
        smaller = [[units[i] for i in cut] for cut in cuts] if len(cuts) > 1 else []
        without = [[u for i, u in enumerate(units) if i not in set(cut)] for cut in cuts]
        every = [*smaller, *without]
        tried = every[:looks]
        looks -= len(tried)
        given = model([glue.join(candidate) for candidate in tried]).argmax(axis=1)
        same = np.flatnonzero(given == answer)
        if len(same):
            shortest = min(same, key=lambda at: len(tried[at]))
            parts = 2 if shortest < len(smaller) else max(2, len(cuts) - 1)
            units = tried[shortest]
        elif len(cuts) == len(units):
            return glue.join(units), len(tried) == len(every)
        else:
            parts = min(2 * len(cuts), len(units))
    return glue.join(units), len(units) <= 1
