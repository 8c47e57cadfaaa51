"""When two texts are the same, and when they nearly are."""

import hashlib
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable

SHINGLE = 5  # words in a row
NEARLY = 0.7  # Jaccard index from which two texts are nearly the same


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
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    bare = "".join(character for character in plain if not unicodedata.combining(character))
    return re.findall(r"[^\W_]+", bare)


class Known:
    """Texts that were seen; `text in known` asks whether one is the same as one of them, or nearly.

    The same by `content_key`, or with a Jaccard index of their word 5-grams of 0.7 or more: in a
    post of 100 words some three may differ. Only texts that share a 5-gram are compared.
    """

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self.sizes: list[int] = []
        self.holders: dict[int, list[int]] = defaultdict(list)  # texts by 5-gram
        for text in texts:
            self.add(text)

    def add(self, text: str) -> None:
        grams = _shingles(text)
        for gram in grams:
            self.holders[gram].append(len(self.sizes))
        self.sizes.append(len(grams))

    def __contains__(self, text: str) -> bool:
        grams = _shingles(text)
        shared = Counter(known for gram in grams for known in self.holders.get(gram, ()))
        return any(
            both >= NEARLY * (len(grams) + self.sizes[known] - both)
            for known, both in shared.items()
        )


def _shingles(text: str) -> set[int]:
    """The word 5-grams as numbers; a shorter text is one gram as a whole."""
    parts = words(text)
    if len(parts) <= SHINGLE:
        return {int.from_bytes(content_key(text)[:8])}
    return {
        int.from_bytes(_digest(" ".join(parts[i : i + SHINGLE]))[:8])
        for i in range(len(parts) - SHINGLE + 1)
    }


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=16).digest()
