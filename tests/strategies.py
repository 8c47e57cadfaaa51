"""What the property-based tests search in: posts, any text, labels, scores, records.

Every strategy shrinks towards the shortest and plainest example.
"""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from types import UnionType
from typing import Any, Union, cast, get_args, get_origin, get_type_hints

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from labkit.config import Setting, settings_of

WORDS = (
    *("the", "a", "it", "was", "they", "said", "again", "we", "on", "not"),
    *("pitcher", "inning", "shortstop", "bat", "umpire"),
    *("orbit", "rocket", "probe", "lunar", "shuttle"),
    *("catcher's", "re-entry", "1993", "o'clock", "e-mail", "naïve", "42,000"),
)
NOISE = (
    "> ",
    ">> ",
    "In article <1993Apr5.1@host.example> someone@host.example writes:\n",
    "\n-- \nA. Nonymous, somewhere\n",
    "------------\n",
    "*** ",
    " 12  34  .417\n",
    "\t",
    "...",
    " :-) ",
    "?!",
    "<b>",
    "&amp;",
    "  \n\n",
)


def any_text(max_size: int = 60) -> st.SearchStrategy[str]:
    """Any Unicode, with more than chance's share of what text processing gets wrong."""
    awkward = st.sampled_from(
        [
            "\x00",
            "\x07",
            "\u200f\u05d0",
            "\u202e",
            "e\u0301",
            "\ufeff",
            "👩‍🚀",
            "\U0001f3f4",
            "字",
            "İ",
            "[SEP]",
        ]
    )
    return st.one_of(
        st.text(max_size=max_size),
        st.lists(st.one_of(awkward, st.text(max_size=3)), max_size=max_size // 4).map("".join),
    )


def posts(max_size: int = 30) -> st.SearchStrategy[str]:
    """Words of both topics, punctuation, and the noise that newsgroup posts carry."""
    word = st.sampled_from(WORDS).map(lambda text: text + " ")
    return st.lists(st.one_of(word, word, st.sampled_from(NOISE)), max_size=max_size).map("".join)


@st.composite
def labels(draw: st.DrawFn, max_classes: int = 6, max_size: int = 80) -> np.ndarray:
    """Class indices (posts,), every class there at least once, in any balance and order."""
    classes = draw(st.integers(1, max_classes))
    more = draw(st.lists(st.integers(0, classes - 1), max_size=max_size - classes))
    return np.array(draw(st.permutations([*range(classes), *more])))


@st.composite
def labels_and_sizes(draw: st.DrawFn) -> tuple[np.ndarray, tuple[int, int]]:
    """Labels, and sizes of a train and a validation split that they are enough for."""
    truth = draw(labels())
    train = draw(st.integers(0, len(truth)))
    return truth, (train, draw(st.integers(0, len(truth) - train)))


@st.composite
def truth_and_predictions(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, int]:
    """True and predicted class indices (posts,) and the number of classes, some maybe unused."""
    classes = draw(st.integers(2, 6))
    size = draw(st.integers(1, 60))
    column = arrays.arrays(np.int64, size, elements=st.integers(0, classes - 1))
    return draw(column), draw(column), classes


def confusion_matrices(max_classes: int = 6) -> st.SearchStrategy[np.ndarray]:
    """Counts (classes, classes), true class by row, at least one post in all."""
    return (
        st.integers(2, max_classes)
        .flatmap(lambda k: arrays.arrays(np.int64, (k, k), elements=st.integers(0, 9)))
        .filter(lambda counts: counts.sum() > 0)
    )


@st.composite
def probability_rows(draw: st.DrawFn, max_size: int = 40) -> np.ndarray:
    """Rows (posts, classes) of probabilities: each sums to 1, some of them certain."""
    shape = draw(st.integers(1, max_size)), draw(st.integers(2, 5))
    weights = draw(arrays.arrays(np.float64, shape, elements=st.floats(0, 1, width=32)))
    weights[weights.sum(axis=1) == 0, 0] = 1.0
    return weights / weights.sum(axis=1, keepdims=True)


def vectors(rows: int, columns: int) -> st.SearchStrategy[np.ndarray]:
    """Finite real matrices (rows, columns) from tiny to huge."""
    reals = st.floats(-1e30, 1e30, allow_subnormal=False)
    return arrays.arrays(np.float64, (rows, columns), elements=reals)


def seeds() -> st.SearchStrategy[int]:
    """Seeds as numpy takes them."""
    return st.integers(0, 2**32 - 1)


JSON_VALUES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12)
)


@cache
def any_of(kind: Any) -> st.SearchStrategy[Any]:
    """Values of a type; of a dataclass instances in which every field varies, within its bounds.

    Numbers are finite, and `Any` is a value of JSON: what a record may hold.
    """
    if isinstance(kind, type) and is_dataclass(kind):
        hints, settings = get_type_hints(kind), dict(settings_of(kind).values())
        given = {
            one.name: _setting(hints[one.name], settings[one])
            if one in settings
            else any_of(hints[one.name])
            for one in fields(kind)
        }
        return st.builds(kind, **given)
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return st.one_of([any_of(part) for part in parts])
    if origin is tuple and parts[1:] != (...,):
        return st.tuples(*map(any_of, parts))
    if origin in (tuple, list):
        return st.lists(any_of(parts[0]), max_size=3).map(origin)
    if origin in (dict, Mapping):
        return st.dictionaries(*map(any_of, parts), max_size=3)
    return PLAIN[kind]


PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    str: st.text(max_size=12),
    int: st.integers(),
    float: st.floats(allow_nan=False, allow_infinity=False),
    bool: st.booleans(),
    type(None): st.none(),
    Any: JSON_VALUES,
}


def _setting(kind: Any, about: Setting) -> st.SearchStrategy[Any]:
    """Values of a type that a setting takes."""
    if get_origin(kind) is UnionType:
        return st.one_of([_setting(part, about) for part in get_args(kind)])
    if about.choices:
        return st.sampled_from(about.choices)
    if kind is str:
        return any_of(str).filter(str.strip)
    if kind is int:
        whole = cast("tuple[int | None, int | None]", (about.low, about.high))
        return st.integers(*whole)
    if kind is float:
        return st.floats(about.low, about.high, exclude_min=about.open, allow_infinity=False)
    return any_of(kind)


def parts_of(kind: Any) -> set[type]:
    """A dataclass, and every other that a value of it can hold."""
    inner: set[Any] = {kind} if is_dataclass(kind) else set()
    hints = get_type_hints(kind).values() if is_dataclass(kind) else get_args(kind)
    return inner.union(*map(parts_of, hints))
