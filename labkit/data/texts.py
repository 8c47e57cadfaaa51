"""When two texts are the same, and when they nearly are."""

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache

import numpy as np

SHINGLE = 5  # words in a row
NEARLY = 0.7  # Jaccard index from which two texts are nearly the same
LEAST = 24  # runs of a text by which others like it are found
FAMILY = 50  # texts that a run points to
ODD, SHIFT = np.uint64(0xBF58476D1CE4E5B9), np.uint64(31)


def text_digest(text: str) -> bytes:
    """16 bytes that stand for a text, whatever its white space."""
    return _digest(" ".join(text.split()))


def content_key(text: str) -> bytes:
    """16 bytes that stand for a text, whatever its case, punctuation, white space and Unicode form.

    Letters and digits count, by NFKC and case folding, without accents; a text without any goes by
    its characters.
    """
    return _digest(" ".join(words(text)) or " ".join(text.split()))


def words(text: str) -> list[str]:
    """The runs of letters and digits of a text, folded as `content_key` folds them."""
    if text.isascii():
        return re.findall(r"[^\W_]+", text.casefold())
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    bare = "".join(character for character in plain if not unicodedata.combining(character))
    return re.findall(r"[^\W_]+", bare)


class Known:
    """Texts that were seen; `text in known` asks whether one is the same as one of them, or nearly.

    Two texts are nearly the same where their runs of words, as numbers, have a Jaccard index of
    `alike` or more. `runs` makes them of a text; by default, word 5-grams of what `content_key`
    counts: with an index of 0.7 some three words in a post of 100 may differ.

    Only texts that share some of their `LEAST` smallest runs are compared (bottom-k sketches, Broder
    1997, https://doi.org/10.1109/SEQUEN.1997.666900), so the work grows with the texts and not with
    their pairs. A pair just at the limit is missed once in 50,000 times, one above it less often.
    Where a run stands in more than `FAMILY` texts it points to the first of them only.
    """

    def __init__(
        self,
        texts: Iterable[str] = (),
        runs: Callable[[str], np.ndarray] | None = None,
        alike: float = NEARLY,
    ) -> None:
        self.runs, self.alike = runs or shingles, alike
        self.seen: list[np.ndarray] = []
        self.holders: dict[int, tuple[int, ...]] = {}  # texts by run
        for text in texts:
            self.add(text)

    def add(self, text: str) -> None:
        runs = self.runs(text)
        for run in runs[:LEAST].tolist():
            known = self.holders.get(run, ())
            if len(known) < FAMILY:
                self.holders[run] = (*known, len(self.seen))
        self.seen.append(runs)

    def __contains__(self, text: str) -> bool:
        return next(self.copies(text), None) is not None

    def copies(self, text: str) -> Iterator[tuple[int, float]]:
        """The seen texts that are nearly the same, by their number, with their Jaccard index."""
        runs = self.runs(text)
        sketch = runs[:LEAST].tolist()
        shared = Counter(known for run in sketch for known in self.holders.get(run, ()))
        enough = max(1, int(self.alike * len(sketch) / 4))  # far fewer than such texts share
        for known, both in shared.items():
            sizes = len(runs), len(self.seen[known])
            if both >= enough and min(sizes) >= self.alike * max(sizes):
                index = _jaccard(runs, self.seen[known])
                if index >= self.alike:
                    yield known, index


def _jaccard(runs: np.ndarray, others: np.ndarray) -> float:
    both = len(np.intersect1d(runs, others, assume_unique=True))
    return both / (len(runs) + len(others) - both)


@lru_cache(maxsize=1)  # a text that is asked about is often added next
def shingles(text: str) -> np.ndarray:
    """The word 5-grams of a text; one without letters and digits is a gram as a whole."""
    return runs_of(words(text) or [" ".join(text.split())], SHINGLE)


def runs_of(parts: Sequence[str], length: int) -> np.ndarray:
    """The runs of so many words as numbers (runs,), sorted, each once; fewer words are one run.

    The numbers are 64 bits that stand for the words, alike on every machine.
    """
    keys = np.fromiter(map(_word, parts), np.uint64, len(parts))
    width = min(length, len(keys))
    mixed = np.zeros(len(keys) - width + 1 if width else 0, np.uint64)
    for start in range(width):
        mixed = mixed * ODD + keys[start : start + len(mixed)]
    mixed ^= mixed >> SHIFT  # mixed once more, so that the smallest are any (splitmix64)
    mixed *= ODD
    mixed ^= mixed >> SHIFT
    return np.unique(mixed)


@lru_cache(maxsize=2**16)
def _word(word: str) -> int:
    return int.from_bytes(_digest(word)[:8])


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=16).digest()
