"""`labkit try`: what the model says of a sentence, from which words, beside which train posts.

A word matters as much as the answer's probability falls when the sentence is read without it
(leave one out). The nearest train posts are those whose embeddings, by the model itself, have the
highest cosine with the sentence's.
"""

import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from labkit.config import DataSource, LabConfig
from labkit.errors import LabError

MOST_WORDS = 100  # that are left out one by one
SHOWN_WORDS, SHOWN_POSTS, SHOWN_LENGTH = 5, 3, 68


@dataclass(frozen=True)
class Neighbour:
    """A train post with its label, and its cosine with what was read."""

    cosine: float
    label: str
    text: str


@dataclass(frozen=True)
class Reading:
    """What a model says of a text: the probability of every label, most probable first.

    `words` have the points that the first label loses without each, most important first.
    """

    probabilities: tuple[tuple[str, float], ...]
    words: tuple[tuple[str, float], ...]
    nearest: tuple[Neighbour, ...]


@dataclass(frozen=True)
class TrainPosts:
    """Texts and labels of the train posts, with their unit embeddings (posts, dim)."""

    texts: tuple[str, ...]
    labels: tuple[str, ...]
    embeddings: np.ndarray


class Reader:
    """A classifier that reads texts one by one, beside the train posts where they are known."""

    def __init__(self, folder: Path) -> None:
        from labkit.data.tokens import encode, load_tokenizer
        from labkit.model.checkpoints import load_classifier
        from labkit.model.encoding import classify

        model: Any = load_classifier(folder)
        tokenizer = load_tokenizer(folder)
        limit = min(tokenizer.model_max_length, model.config.max_position_embeddings)
        self.labels = tuple(model.config.id2label[i] for i in range(model.config.num_labels))
        self.classify = lambda texts: classify(model, encode(tokenizer, texts, limit))
        self.train: TrainPosts | None = None

    def learn_train_posts(self, texts: Iterable[str], labels: Iterable[str]) -> None:
        """Take in the train posts, to find the nearest among them."""
        kept = tuple(texts)
        self.train = TrainPosts(kept, tuple(labels), self.classify(kept).embeddings)

    def read(self, text: str) -> Reading:
        """What the model says of a text, and what that hangs on."""
        from labkit.model.predictions import probabilities

        words = text.split()[:MOST_WORDS]
        rest = text.split()[MOST_WORDS:]
        without = [" ".join([*words[:i], *words[i + 1 :], *rest]) for i in range(len(words))]
        found = self.classify([text, *without])
        sure = probabilities(found.logits)
        order = np.argsort(-sure[0], kind="stable")
        effects = 100 * (sure[0, order[0]] - sure[1:, order[0]])
        ranked = np.argsort(-abs(effects), kind="stable")
        return Reading(
            tuple((self.labels[i], float(sure[0, i])) for i in order),
            tuple((words[i], float(effects[i])) for i in ranked),
            self._nearest(found.embeddings[0]),
        )

    def _nearest(self, embedding: np.ndarray) -> tuple[Neighbour, ...]:
        if self.train is None:
            return ()
        cosines = self.train.embeddings @ embedding
        rows = np.argsort(-cosines, kind="stable")[:SHOWN_POSTS]
        return tuple(
            Neighbour(float(cosines[row]), self.train.labels[row], self.train.texts[row])
            for row in rows
        )


def train_posts(folder: Path, dataset: str | None, scratch: Path) -> tuple[list[str], list[str]]:
    """Texts and labels of the posts that the model in `folder` was trained on.

    Found by its `lineage.json`, at `dataset` where they lie elsewhere now. Raises LabError where
    they cannot be found.
    """
    from labkit.data.files import locate
    from labkit.data.posts import load_posts
    from labkit.plumbing import results
    from labkit.release.lineage import Lineage

    try:
        record = Lineage.load(folder)
        config = results.rebuild(LabConfig, record.config)
    except (OSError, ValueError, TypeError, KeyError):
        raise LabError(f"{folder} has no lineage.json that says which they are") from None
    labels = tuple(record.data["labels"])
    data = DataSource(dataset) if dataset else config.data
    posts = load_posts(locate(data), replace(config.selection, labels=labels), (), scratch)
    return list(posts.train["text"]), [labels[i] for i in posts.train["label"]]


def lines(reading: Reading) -> Iterator[str]:
    """A reading for the terminal."""
    yield "  " + ", ".join(f"{label} {100 * share:.1f} %" for label, share in reading.probabilities)
    shown = reading.words[:SHOWN_WORDS]
    if shown:
        words = ", ".join(f"{word} {effect:+.1f}" for word, effect in shown)
        yield f"  words that mattered (points the answer loses without each): {words}"
    if reading.nearest:
        yield "  nearest train posts (cosine, label):"
    for post in reading.nearest:
        text = " ".join(post.text.split())
        start = text if len(text) <= SHOWN_LENGTH else f"{text[:SHOWN_LENGTH]}…"
        yield f"    {post.cosine:.2f} {post.label}: {start}"


def converse(
    folder: Path, dataset: str | None, sentences: Iterable[str], say: Callable[[str], None]
) -> Iterator[str]:
    """Lines for the terminal, for each sentence until an empty one; `say` takes remarks."""
    reader = Reader(folder)
    with tempfile.TemporaryDirectory(prefix="labkit-try-") as scratch:
        try:
            texts, labels = train_posts(folder, dataset, Path(scratch))
        except LabError as error:
            say(f"without train posts: {error}")
        else:
            say(f"embedding {len(texts)} train posts ...")
            reader.learn_train_posts(texts, labels)
    for sentence in sentences:
        if not sentence.strip():
            return
        yield from lines(reader.read(sentence))


def typed_lines() -> Iterator[str]:
    """The lines of standard input as they come, after a prompt where somebody types."""
    while True:
        if sys.stdin.isatty():
            print("sentence (an empty line ends): ", end="", file=sys.stderr, flush=True)
        try:
            line = sys.stdin.readline()
        except UnicodeDecodeError:
            raise LabError("standard input: is not UTF-8") from None
        if not line:
            return
        yield line.rstrip("\r\n")
