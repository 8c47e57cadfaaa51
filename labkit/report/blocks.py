"""The blocks of the report: plots, tables, mistakes, texts.

Plain data, so that it travels from a pytest-xdist worker to the controller. Text in blocks is raw;
whoever renders it escapes it.
"""

from dataclasses import dataclass

from cattrs.strategies import configure_tagged_union

from labkit.plumbing.results import converter

MOST_NAMED = 21  # classes with a mark of their own in the planes; more are told apart by pointing


@dataclass(frozen=True)
class Figure:
    """A plot: SVG for the page, the same in words, and a sentence on how to read it.

    One that is `folded` stands with the other details of its answer, as a table does.
    """

    title: str
    alt: str
    svg: str
    how: str = ""
    folded: bool = False


@dataclass(frozen=True)
class Panels:
    """Plots that are compared with each other: side by side where there is room for it."""

    title: str
    figures: tuple[Figure, ...]


@dataclass(frozen=True)
class Table:
    """Rows of text under a header; `best` is the row to mark, and `mark` the word for it.

    One that is `folded` stands with the other details of its answer, to be opened.
    """

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    best: int | None = None
    mark: str = "best"
    how: str = ""
    folded: bool = False


@dataclass(frozen=True)
class Matrix:
    """Posts by true class (row) and predicted class (column)."""

    title: str
    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    how: str = ""


@dataclass(frozen=True)
class Point:
    """A post in the planes: its text, true and predicted label, how sure the model is, its slice.

    `places` are its coordinates in each plane, from 0 to 1.
    """

    text: str
    truth: int
    predicted: int
    confidence: float
    slice: str
    places: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Planes:
    """The same posts in several planes, such as t-SNE before and after; `titles` name the planes."""

    title: str
    titles: tuple[str, ...]
    alt: str
    how: str
    labels: tuple[str, ...]
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Mistake:
    """A post that was got wrong: true and predicted label, and how sure the method was.

    `closeness` is shown in place of the confidence, of a method that has no probabilities.
    """

    text: str
    truth: str
    predicted: str
    confidence: float
    closeness: str = ""


@dataclass(frozen=True)
class Mistakes:
    """The most confident mistakes of a method."""

    title: str
    rows: tuple[Mistake, ...]


@dataclass(frozen=True)
class Tokenized:
    """A post as text, and what the model gets of it: tokens and their ids, one for one."""

    title: str
    text: str
    tokens: tuple[str, ...]
    ids: tuple[int, ...]


@dataclass(frozen=True)
class Listing:
    """Text to be shown as it is, in fixed width, once it is opened."""

    title: str
    text: str


Block = Figure | Panels | Table | Matrix | Planes | Mistakes | Tokenized | Listing
configure_tagged_union(Block, converter(), tag_name="kind")
