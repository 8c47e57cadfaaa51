"""Disjoint samples of posts in which every class keeps its share."""

import numpy as np


def stratified_sample(
    labels: np.ndarray, sizes: tuple[int, ...], seed: int
) -> tuple[np.ndarray, ...]:
    """Disjoint index arrays of the given sizes, each with the class shares of `labels` within one.

    Every class is shuffled once and gives each part its exact share rounded down; the posts that
    are then missing come from the classes that were rounded down most (largest remainder). A class
    so rare that a part would go without gives it one post where it has enough of them.
    """
    rng = np.random.default_rng(seed)
    classes, counts = np.unique(labels, return_counts=True)
    shuffled = [rng.permutation(np.flatnonzero(labels == label)) for label in classes]
    taken = np.zeros_like(counts)
    parts = []
    for size in sizes:
        share, remainder = np.divmod(size * counts, max(len(labels), 1))
        spare = taken + share < counts
        first = np.lexsort((-remainder, ~spare))[: size - share.sum()]
        share[first] += 1
        rows = [
            posts[start : start + n] for posts, start, n in zip(shuffled, taken, share, strict=True)
        ]
        parts.append(np.concatenate([np.arange(0), *rows]))  # also of no posts
        taken += share
    left = [posts[start:] for posts, start in zip(shuffled, taken, strict=True)]
    _fill_gaps(parts, np.concatenate([np.arange(0), *left]), labels)
    return tuple(parts)


def _fill_gaps(parts: list[np.ndarray], left: np.ndarray, labels: np.ndarray) -> None:
    """Swap posts, in place, until every part has every class that can spare one for it.

    The post comes from those `left` over, else from the part that has most of its class; it goes
    against one of the class that the part has most above its share.
    """
    classes, members = np.unique(labels, return_inverse=True)
    totals = np.bincount(members)
    for part in parts:
        for rare in np.flatnonzero(np.bincount(members[part], minlength=len(classes)) == 0):
            counts = np.bincount(members[part], minlength=len(classes))
            common = (counts - len(part) * totals / len(labels)).argmax()
            most = max(parts, key=lambda other: int(np.sum(members[other] == rare)))
            donor = left if rare in members[left] else most
            enough = 1 if donor is left else 2
            if counts[common] > 1 and np.sum(members[donor] == rare) >= enough:
                here = np.flatnonzero(members[part] == common)[-1]
                there = np.flatnonzero(members[donor] == rare)[-1]
                part[here], donor[there] = donor[there], part[here]
