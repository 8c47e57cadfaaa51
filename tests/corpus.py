"""What the lab's own corpus (`labkit/data/corpus`) promises, as checks that list every broken promise.

A check takes the posts of all splits and returns findings, one line each; none means that the
promise holds. Thresholds stand in the checks' own constants and nowhere else.
"""

import json
import re
import string
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path

import numpy as np

from labkit.data.files import CORPUS
from labkit.plumbing.digests import fingerprint

LABELS = ("rec.sport.baseball", "sci.space")
SLICES = ("plain", "jargon", "crossover", "short", "noisy")
LEAST = {"train": 480, "validation": 120, "test": 300}  # posts
SLICE_SHARE = 0.10  # of every split, at least
SHINGLE, JACCARD = 5, 0.30  # words in a row; two posts stay below
GIVE_AWAY = 0.15  # of all posts, settled by one token
RULE_ACCURACY = 0.60  # of the best single threshold
SLICE_RULE_ACCURACY = 0.64  # in one slice, where the best rule on shuffled labels reaches 0.63
LENGTH_GAP = 0.10  # between the classes' mean lengths
OUTSIDER_WORDS = {  # what somebody who knows neither topic would look for
    "rec.sport.baseball": "baseball game ball pitcher bat batter team player league season inning "
    "hit hitter field stadium umpire",
    "sci.space": "space orbit launch rocket satellite nasa moon planet mars shuttle astronaut "
    "spacecraft mission earth star telescope station solar",
}


@dataclass(frozen=True)
class Post:
    """One line of one split's file."""

    split: str
    text: str
    label: int
    label_text: str
    slice: str
    id: str


Check = Callable[[Sequence[Post]], list[str]]


def read_posts(folder: Path = CORPUS) -> list[Post]:
    """The posts of all splits; raises UnicodeDecodeError where a file is not valid UTF-8."""
    return [
        Post(split, **json.loads(line))
        for split in LEAST
        for line in (folder / f"{split}.jsonl").read_text(encoding="utf-8").rstrip("\n").split("\n")
    ]


def digest(posts: Sequence[Post]) -> str:
    """What the posts are, in 16 hex digits: numbers measured on them name it."""
    return fingerprint([asdict(post) for post in posts])[:16]


def findings(posts: Sequence[Post]) -> list[str]:
    """Every broken promise, with the check that found it."""
    return [f"{name}: {line}" for name, check in CHECKS.items() for line in check(posts)]


def declared(posts: Sequence[Post]) -> list[str]:
    """Labels and slices come from the declared sets, and `label` numbers `label_text`."""
    return [
        f"{post.id}: label {post.label} {post.label_text!r}, slice {post.slice!r}"
        for post in posts
        if post.slice not in SLICES
        or post.label_text not in LABELS
        or post.label != LABELS.index(post.label_text)
    ]


def unique_ids(posts: Sequence[Post]) -> list[str]:
    """No id stands twice."""
    return [f"{id} x {n}" for id, n in Counter(post.id for post in posts).items() if n > 1]


def clean_text(posts: Sequence[Post]) -> list[str]:
    """No post is blank, ends in blank lines, or holds a character that is no text."""
    return [
        f"{post.id}: {post.text[:40]!r}"
        for post in posts
        if not post.text.strip() or post.text != post.text.rstrip() or _odd_characters(post.text)
    ]


def _odd_characters(text: str) -> set[str]:
    """Control characters, surrogates, and code points that mean nothing; line breaks are fine."""
    return {c for c in text if c != "\n" and unicodedata.category(c) in {"Cc", "Cs", "Cn", "Co"}}


def near_duplicates(posts: Sequence[Post]) -> list[str]:
    """The Jaccard index of any two posts' word 5-grams lies below 0.3, in and across splits.

    Only pairs that share a 5-gram are looked at; all others have index 0. A post of fewer words
    than that is one gram as a whole.
    """
    grams = [_shingles(post.text) for post in posts]
    holders: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for row, own in enumerate(grams):
        for gram in own:
            holders[gram].append(row)
    shared = Counter(pair for rows in holders.values() for pair in combinations(rows, 2))
    return [
        f"{posts[a].id} and {posts[b].id}: {index:.2f}"
        for (a, b), both in shared.items()
        if (index := both / (len(grams[a]) + len(grams[b]) - both)) >= JACCARD
    ]


def _shingles(text: str) -> set[tuple[str, ...]]:
    words = tokens(text)
    return {tuple(words[i : i + SHINGLE]) for i in range(max(1, len(words) - SHINGLE + 1))}


def tokens(text: str) -> list[str]:
    """Words and numbers, case folded."""
    return re.findall(r"[^\W_]+(?:'[^\W_]+)*", text.casefold())


def give_away(posts: Sequence[Post]) -> list[str]:
    """No token settles more than 15 % of all posts.

    Guessing one class where a token stands is right for that class's posts and wrong for the
    other's: it settles the difference of the two numbers.
    """
    balance: Counter[str] = Counter()
    for post in posts:
        for token in set(tokens(post.text)):
            balance[token] += 1 if post.label else -1
    return [
        f"{token!r} settles {abs(lead) / len(posts):.1%} for {LABELS[int(lead > 0)]}"
        for token, lead in balance.items()
        if abs(lead) / len(posts) > GIVE_AWAY
    ]


def surface_rules(posts: Sequence[Post]) -> list[str]:
    """No threshold on a length, or on how often a kind of character stands there, beats 60 %."""
    labels = np.array([post.label for post in posts])
    return [
        f"{name} tells the class of {accuracy:.1%}"
        for name, values in surface_features([post.text for post in posts]).items()
        if (accuracy := best_threshold_accuracy(values, labels)) > RULE_ACCURACY
    ]


def surface_rules_by_slice(posts: Sequence[Post]) -> list[str]:
    """The same in each slice for itself, where few posts let the best of many rules reach more."""
    found = []
    for slice in SLICES:
        own = [post for post in posts if post.slice == slice]
        labels = np.array([post.label for post in own])
        for name, values in surface_features([post.text for post in own]).items():
            accuracy = best_threshold_accuracy(values, labels)
            if accuracy > SLICE_RULE_ACCURACY:
                found.append(f"{slice}: {name} tells the class of {accuracy:.1%}")
    return found


def surface_features(texts: Sequence[str]) -> dict[str, np.ndarray]:
    """Numbers (posts,) that say nothing of what a post is about."""
    counts: dict[str, Iterable[float]] = {
        "characters": map(len, texts),
        "words": (len(text.split()) for text in texts),
        "mean word length": (
            len("".join(text.split())) / max(1, len(text.split())) for text in texts
        ),
        "lines": (len(text.splitlines()) for text in texts),
        "digits": (sum(map(str.isdigit, text)) for text in texts),
        "capitals": (sum(map(str.isupper, text)) for text in texts),
        "blanks": (text.count("  ") for text in texts),
        **{f"count of {mark}": [text.count(mark) for text in texts] for mark in string.punctuation},
        "punctuation": (sum(c in string.punctuation for c in text) for text in texts),
        "beyond ASCII": (sum(not c.isascii() for c in text) for text in texts),
    }
    return {name: np.fromiter(values, float, len(texts)) for name, values in counts.items()}


def best_threshold_accuracy(values: np.ndarray, labels: np.ndarray) -> float:
    """Accuracy of the best rule "class 1 above t" or "class 1 below t", over all t.

    `values` and `labels` have shape (posts,); labels are 0 or 1.
    """
    order = np.argsort(values, kind="stable")
    signs = np.where(labels[order] == 1, 1, -1)
    ends = np.append(np.flatnonzero(np.diff(values[order])), len(values) - 1)
    leads = np.cumsum(signs)[ends]  # class 1 less class 0 among the lowest, at each cut
    right_below = leads + np.sum(labels == 0)
    return float(max(right_below.max(), len(labels) - right_below.min()) / len(labels))


def balance(posts: Sequence[Post]) -> list[str]:
    """Both classes have the same number of posts in every slice of every split."""
    counts = Counter((post.split, post.slice, post.label_text) for post in posts)
    return [
        f"{split}/{slice}: {both}"
        for split in LEAST
        for slice in SLICES
        if len(set(both := [counts[split, slice, label] for label in LABELS])) > 1
    ]


def sizes(posts: Sequence[Post]) -> list[str]:
    """Every split is as large as promised, and every slice a tenth of it or more."""
    in_split = Counter(post.split for post in posts)
    in_slice = Counter((post.split, post.slice) for post in posts)
    return [f"{split}: {in_split[split]}" for split in LEAST if in_split[split] < LEAST[split]] + [
        f"{split}/{slice}: {in_slice[split, slice]} of {in_split[split]}"
        for split in LEAST
        for slice in SLICES
        if in_slice[split, slice] < SLICE_SHARE * in_split[split]
    ]


def mean_length(posts: Sequence[Post]) -> list[str]:
    """The classes' mean numbers of words differ by at most 10 % of the smaller."""
    means = [
        float(np.mean([len(post.text.split()) for post in posts if post.label_text == label]))
        for label in LABELS
    ]
    apart = max(means) / min(means) - 1
    return [f"{means[0]:.1f} and {means[1]:.1f} words"] if apart > LENGTH_GAP else []


def jargon(posts: Sequence[Post]) -> list[str]:
    """Posts of the slice `jargon` have none of their topic's words that an outsider looks for."""
    banned = {
        label: {form for word in words.split() for form in (word, f"{word}s", f"{word}es")}
        for label, words in OUTSIDER_WORDS.items()
    }
    return [
        f"{post.id}: {', '.join(sorted(found))}"
        for post in posts
        if post.slice == "jargon" and (found := banned[post.label_text] & set(tokens(post.text)))
    ]


CHECKS: dict[str, Check] = {
    check.__name__: check
    for check in (
        declared,
        unique_ids,
        clean_text,
        near_duplicates,
        give_away,
        surface_rules,
        surface_rules_by_slice,
        balance,
        sizes,
        mean_length,
        jargon,
    )
}
