"""Plain sentences about a topic, as many as its slots allow, and harmless changes to a sentence.

What CheckList calls templates (Ribeiro et al. 2020, https://arxiv.org/abs/2005.04118): easy cases
on which a model that knows the topic has no excuse. All are strategies that Hypothesis can draw
from and shrink, the plainest choice first.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from hypothesis import strategies as st

Texts = st.SearchStrategy[str]
Pairs = st.SearchStrategy[tuple[str, str]]

NAMES = (
    *("Ann Lee", "Bob Cole", "Maria Ortiz", "Kenji Mori", "Olu Adeyemi", "Priya Nair"),
    *("Ivan Petrov", "Sam O'Neil", "Lena Vogel", "Chen Wei", "Fatima Haddad", "Jo Smith"),
)
OPENINGS = ("{name} says that", "I heard from {name} that", "{name} wrote last week that")
NEUTRAL = (
    "Thanks in advance.",
    "I may be wrong about this.",
    "That is all I know.",
    "Please send me mail if you know more.",
    "My brother told me yesterday.",
    "I read it twice.",
)


@dataclass(frozen=True)
class Topic:
    """Parts that make a sentence on the topic in any combination."""

    subjects: tuple[str, ...]
    predicates: tuple[str, ...]
    endings: tuple[str, ...]

    def sentences(self) -> Texts:
        """A subject, a predicate, an ending."""
        parts = (self.subjects, self.predicates, self.endings)
        return st.tuples(*map(st.sampled_from, parts)).map(lambda words: " ".join(words) + ".")


TOPICS: Mapping[str, Topic] = {
    "rec.sport.baseball": Topic(
        (
            *("the pitcher", "our shortstop", "the catcher", "the rookie outfielder"),
            *("the second baseman", "their closer", "the designated hitter"),
        ),
        (
            *("hit a home run", "stole second base", "struck out twice", "dropped a fly ball"),
            *("threw to first base", "argued with the umpire", "grounded into a double play"),
            *("walked with the bases loaded", "batted in two runs"),
        ),
        (
            *("in the ninth inning", "against a left-handed reliever", "in front of the dugout"),
            *("in the World Series", "before the pitching change", "with two outs"),
            "and the team lost the game",
        ),
    ),
    "sci.space": Topic(
        (
            *("the shuttle", "the lunar probe", "the space station", "the crew of astronauts"),
            *("the weather satellite", "the Mars spacecraft", "the new telescope in orbit"),
        ),
        (
            *("entered a higher orbit", "sent pictures of Jupiter to Earth", "fired its thrusters"),
            *("was tracked by NASA", "lost contact with mission control", "passed near the Moon"),
            *("unfolded its solar panels", "measured the solar wind", "carried a heavy payload"),
        ),
        (
            *("after the rocket launch", "during the long space flight", "before re-entry"),
            *("on the way to another planet", "while the booster burned", "in zero gravity"),
            "and the mission was a success",
        ),
    ),
}


def reported(sentences: Texts) -> Pairs:
    """The same reported sentence with two names."""
    names = st.lists(st.sampled_from(NAMES), min_size=2, max_size=2, unique=True)

    def fill(parts: tuple[str, str, list[str]]) -> tuple[str, str]:
        opening, sentence, (one, other) = parts
        return f"{opening.format(name=one)} {sentence}", f"{opening.format(name=other)} {sentence}"

    return st.tuples(st.sampled_from(OPENINGS), sentences, names).map(fill)


def recased(sentences: Texts) -> Pairs:
    """A sentence and the same in capitals, in small letters, or like a title."""
    change = st.sampled_from((str.upper, str.title, str.capitalize, str.swapcase))
    return st.tuples(sentences, change).map(lambda pair: (pair[0], pair[1](pair[0])))


def respaced(sentences: Texts) -> Pairs:
    """Other white space between the words, and some around them."""
    space = st.sampled_from(("  ", "\n", "\t", " \n ", "\u00a0", "   "))
    return st.tuples(sentences, space, space).map(
        lambda parts: (parts[0], parts[2] + parts[1].join(parts[0].split()) + parts[2])
    )


def repunctuated(sentences: Texts) -> Pairs:
    """Other punctuation around the words."""
    marks = st.sampled_from(
        (("", ""), ("", "!"), ("", "..."), ('"', '."'), ("(", ".)"), ("> ", "."), ("- ", ";"))
    )
    return st.tuples(sentences, marks).map(
        lambda parts: (parts[0], parts[1][0] + parts[0].rstrip(".") + parts[1][1])
    )


@st.composite
def misspelt(draw: st.DrawFn, sentences: Texts) -> tuple[str, str]:
    """One slip of the keys: two letters swapped, one left out, or one typed twice."""
    text = draw(sentences)
    places = [i for i in range(len(text) - 1) if text[i : i + 2].isalpha()]
    at = draw(st.sampled_from(places))
    one, other = text[at], text[at + 1]
    slip = draw(st.sampled_from((other + one, one, one + one + other)))
    return text, text[:at] + slip + text[at + 2 :]


def lengthened(sentences: Texts) -> Pairs:
    """A sentence that says nothing about any topic, before or after."""
    extra, first = st.sampled_from(NEUTRAL), st.booleans()
    return st.tuples(sentences, extra, first).map(
        lambda parts: (parts[0], f"{parts[1]} {parts[0]}" if parts[2] else f"{parts[0]} {parts[1]}")
    )


CHANGES = {
    "case": recased,
    "white_space": respaced,
    "punctuation": repunctuated,
    "typos": misspelt,
    "names": reported,
    "neutral_sentence": lengthened,
}


def any_text() -> Texts:
    """Any text at all: Unicode of every kind, and what a careless caller sends."""
    extremes = (
        "",
        " \n\t",
        "7" * 300,
        "a" * 100_000,
        "\x00\x07\x1b",
        "👩‍🚀⚾🚀" * 40,
        "שלום مرحبا",
        "\u202e",
    )
    return st.one_of(st.sampled_from(extremes), st.text(max_size=200))
