"""Harmless edits of a text, in any language: what changes how it looks and not what it is about.

An edit takes a text and `pick`, which gives a whole number from 0 to n - 1. Whoever gives `pick`
decides how it is drawn: at random for a rate, or by Hypothesis, which searches and shrinks
(`labkit.evaluation.search`). How strong an edit is, is drawn as well: the smaller the numbers, the
smaller the edit. One that finds nothing to change gives the text as it is.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping

Pick = Callable[[int], int]
Edit = Callable[[str, Pick], str]

KEYS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")  # rows of a keyboard
FEW = 8  # one word in so many is misspelt at most
CUT = 3  # one word in so many is cut off at most
NEUTRAL = (
    "Thanks in advance.",
    "I may be wrong about this.",
    "That is all I know.",
    "Please send me mail if you know more.",
    "My brother told me yesterday.",
    "I read it twice.",
)
OPENINGS = ("> ", "Hello,\n", "Somebody wrote last week:\n", "*** ", "> Any thoughts?\n\n")
CLOSINGS = ("\n-- \nA. N. Other", "\n\nSent from my phone", "\n> Yes.\n", " :-)", "\n-----\n")
SPACES = ("  ", "\n", "\t", "\u00a0", "\n\n", " \n ")
MARKS = (",", "!", "...", " -", ";", '"', "?")
LOOK_ALIKES = str.maketrans(
    "aeopcxyiHBMTK",
    "\u0430\u0435\u043e\u0440\u0441\u0445\u0443\u0456\u041d\u0412\u041c\u0422\u041a",
)
FORMS = str.maketrans({"'": "\u2019", '"': "\u201c", "-": "\u2011", "f": "\uff46", "o": "\uff4f"})


def neighbours(letter: str) -> str:
    """The keys beside a letter's."""
    for row in KEYS:
        if (at := row.find(letter.lower())) >= 0:
            return row[max(0, at - 1) : at] + row[at + 1 : at + 2]
    return ""


def chosen(count: int, most: int, pick: Pick) -> list[int]:
    """Places among `count`, in order: at least one, at most `most` of them."""
    left = list(range(count))
    how_many = 1 + pick(max(1, min(most, count)))
    return sorted(left.pop(pick(len(left))) for _ in range(min(how_many, count)))


def change_some(
    text: str, pattern: str, most: int, change: Callable[[str, Pick], str], pick: Pick
) -> str:
    """The text with some of what matches the pattern changed, at most one in `most`."""
    found = list(re.finditer(pattern, text))
    if not found:
        return text
    for place in reversed(chosen(len(found), max(1, len(found) // most), pick)):
        start, end = found[place].span()
        text = text[:start] + change(text[start:end], pick) + text[end:]
    return text


def recase(text: str, pick: Pick) -> str:
    """Words in capitals, in small letters, like names, or with case swapped."""
    change = (str.upper, str.lower, str.capitalize, str.swapcase)[pick(4)]
    return change_some(text, r"[^\W\d_]+", 1, lambda word, _: change(word), pick)


def respace(text: str, pick: Pick) -> str:
    """Other white space between words."""
    space = SPACES[pick(len(SPACES))]
    return change_some(text, r"\s+", 1, lambda _, __: space, pick)


def misspell(text: str, pick: Pick) -> str:
    """Slips of the keys in words of four letters or more."""
    return change_some(text, r"[^\W\d_]{4,}", FEW, slip, pick)


def slip(word: str, pick: Pick) -> str:
    """One letter left out, typed twice, swapped with the next, or hit beside."""
    at = pick(len(word) - 1)
    kind = pick(4)
    beside = neighbours(word[at])
    if kind == 3 and beside:
        return word[:at] + beside[pick(len(beside))] + word[at + 1 :]
    return (
        word[:at]
        + ("", word[at] * 2, word[at + 1] + word[at])[kind % 3]
        + word[at + 1 + (kind == 2) :]
    )


def repunctuate(text: str, pick: Pick) -> str:
    """Marks behind words left out, or others there."""

    def other(mark: str, pick: Pick) -> str:
        choice = pick(len(MARKS) + 1)
        return (MARKS[choice - 1] if choice else "") + mark[1:]

    marked = re.search(r"[^\w\s](?=\s|$)", text)
    pattern = r"[^\w\s](?=\s|$)" if marked and pick(2) == 0 else r"(?<=\w)(?=\s|$)"
    return change_some(text, pattern, 2, other, pick)


def reform(text: str, pick: Pick) -> str:
    """The same text in other Unicode: decomposed, typographic, wide, or with soft hyphens."""
    kind = pick(3)
    if kind == 0:
        return change_some(text, r"[\"'fo-]", 1, lambda mark, _: mark.translate(FORMS), pick)
    if kind == 1:
        return unicodedata.normalize("NFD", text)
    return change_some(text, r"(?<=\w\w)(?=\w\w)", FEW, lambda _, __: "\u00ad", pick)


def disguise(text: str, pick: Pick) -> str:
    """Latin letters as the Cyrillic ones that look alike, one in a word."""

    def swap(word: str, pick: Pick) -> str:
        places = [at for at, letter in enumerate(word) if ord(letter) in LOOK_ALIKES]
        at = places[pick(len(places))]
        return word[:at] + word[at].translate(LOOK_ALIKES) + word[at + 1 :]

    return change_some(text, r"[A-Za-z]*[aeopcxyiHBMTK][A-Za-z]*", FEW, swap, pick)


def frame(text: str, pick: Pick) -> str:
    """A line of a quotation in front, or a signature behind."""
    choice = pick(len(OPENINGS) + len(CLOSINGS))
    if choice < len(CLOSINGS):
        return text + CLOSINGS[choice]
    return OPENINGS[choice - len(CLOSINGS)] + text


def sentences_of(text: str) -> list[str]:
    """The sentences of a text, each with the space behind it."""
    return [part for part in re.split(r"(?<=[.!?])(?=\s)|(?<=[。！？])", text) if part.strip()]


def lengthen(text: str, pick: Pick) -> str:
    """A sentence that says nothing about any topic, at the end, in front, or between."""
    parts = sentences_of(text)
    at = (len(parts), *range(len(parts)))[pick(len(parts) + 1)]
    before, sentence, after = "".join(parts[:at]), NEUTRAL[pick(len(NEUTRAL))], "".join(parts[at:])
    gap = "" if after[:1].isspace() else " "
    return f"{before} {sentence}{gap}{after}".strip()


def renumber(text: str, pick: Pick) -> str:
    """Other digits in numbers, as many as before."""

    def other(number: str, pick: Pick) -> str:
        return "".join(str((int(digit) + 1 + pick(9)) % 10) for digit in number)

    return change_some(text, r"[0-9]+", 1, other, pick)


def reorder(text: str, pick: Pick) -> str:
    """Two sentences in each other's place."""
    parts = [part.strip() for part in sentences_of(text)]
    if len(parts) < 2:
        return text
    one = pick(len(parts) - 1)
    other = one + 1 + pick(len(parts) - 1 - one)
    parts[one], parts[other] = parts[other], parts[one]
    return " ".join(parts)


def cut(text: str, pick: Pick) -> str:
    """The last words left out, or characters where no spaces part words."""
    ends = [match.end() for match in re.finditer(r"\S+", text)]
    if len(ends) < CUT:
        ends = list(range(1, len(text) + 1))
    most = len(ends) // CUT
    return text[: ends[-2 - pick(most)]] if most else text


EDITS: Mapping[str, Edit] = {
    "case": recase,
    "white space": respace,
    "typos": misspell,
    "punctuation": repunctuate,
    "Unicode forms": reform,
    "look-alike letters": disguise,
    "quotation or signature": frame,
    "a neutral sentence": lengthen,
    "numbers": renumber,
    "order of sentences": reorder,
    "the end cut off": cut,
}


def compose(text: str, pick: Pick) -> str:
    """Two or three different edits, one after the other."""
    left = list(EDITS.values())
    for _ in range(2 + pick(2)):
        text = left.pop(pick(len(left)))(text, pick)
    return text
