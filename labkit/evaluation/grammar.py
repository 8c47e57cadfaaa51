"""Plain sentences about a topic, as many as its slots allow, and any text at all.

What CheckList calls templates (Ribeiro et al. 2020, https://arxiv.org/abs/2005.04118): easy cases
on which a model that knows the topic has no excuse. All are drawn by `pick`, as edits are
(`labkit.evaluation.edits`), the plainest choice first.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from labkit.evaluation.edits import Pick

EXTREMES = (
    *("", " \n\t", "7" * 300, "a" * 100_000, "\x00\x07\x1b"),
    *(
        "\U0001f469\u200d\U0001f680\u26be\U0001f680" * 40,
        "\u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627",
        "\u202e",
    ),
)
LONGEST = 200  # characters of a drawn text
BLOCK = 256  # code points that its characters lie within
BLOCKS = 0x3000 // BLOCK  # most alphabets; the other planes are reached by one in three


@dataclass(frozen=True)
class Topic:
    """Parts that make a sentence on the topic in any combination."""

    subjects: tuple[str, ...]
    predicates: tuple[str, ...]
    endings: tuple[str, ...]

    def sentence(self, pick: Pick) -> str:
        """A subject, a predicate, an ending."""
        parts = (self.subjects, self.predicates, self.endings)
        return " ".join(part[pick(len(part))] for part in parts) + "."


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


def any_text(pick: Pick) -> str:
    """Any text at all: Unicode of every kind, and what a careless caller sends."""
    kind = pick(3)
    if kind == 0:
        return EXTREMES[pick(len(EXTREMES))]
    start = BLOCK * pick(BLOCKS if kind == 1 else 0x110000 // BLOCK)
    letters = (chr(start + pick(BLOCK)) for _ in range(pick(LONGEST + 1)))
    return "".join(letters).encode("utf-8", "replace").decode("utf-8")
