"""The wordings in which label similarity reads the labels: what it finds depends on them.

Every label has one text or more, and every text goes into every template. The first wording is the
one that transformers' `zero-shot-classification` pipeline has, with each label's first text.
"""

import math
import re
from collections.abc import Mapping, Sequence
from itertools import product

from labkit.errors import LabError

TEMPLATES = (
    "This example is about {}.",
    "This text is about {}.",
    "A post about {}.",
    "The topic is {}.",
    "{}",
)
BETWEEN = "|"  # the texts of one label
MOST = 60  # combinations of the labels' texts; beyond it one label at a time leaves its first


def wordings(labels: Sequence[str], given: Mapping[str, str]) -> tuple[tuple[str, ...], ...]:
    """Every wording of the labels: one sentence for each label, the pipeline's own first.

    `given` has the texts of a label, `|` between them. Raises LabError where two labels are worded
    alike.
    """
    return tuple(
        tuple(template.format(text) for text in texts)
        for template in TEMPLATES
        for texts in label_texts(labels, given)
    )


def label_texts(labels: Sequence[str], given: Mapping[str, str]) -> list[tuple[str, ...]]:
    """Every choice of one text for each label, the first text of each first."""
    names = [readable(label) for label in labels]
    if len(set(names)) < len(names):  # as of "+1" and "-1"
        names = list(labels)
    choices = [
        [text.strip() for text in given.get(label, name).split(BETWEEN) if text.strip()] or [name]
        for label, name in zip(labels, names, strict=True)
    ]
    first = tuple(texts[0] for texts in choices)
    if math.prod(map(len, choices)) <= MOST:
        chosen = list(product(*choices))
    else:
        chosen = [first] + [
            (*first[:i], text, *first[i + 1 :])
            for i, texts in enumerate(choices)
            for text in texts[1:]
        ]
    different = [texts for texts in chosen if len(set(map(str.casefold, texts))) == len(texts)]
    if first not in different:
        folded = [text.casefold() for text in first]
        alike = next(text for text in first if folded.count(text.casefold()) > 1)
        raise LabError(
            f"--lab-label-text: two labels are worded {alike!r}, and no method can tell them "
            "apart; word one of them otherwise"
        )
    return different


def readable(label: str) -> str:
    """A label's name as words: `sci.space` becomes `sci space`, `creditCard` `credit Card`."""
    return " ".join(re.sub(r"[\W_]+|(?<=[a-z])(?=[A-Z])", " ", label).split()) or label
