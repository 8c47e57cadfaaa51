"""The terms of the report, and a text with each marked where it first stands."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from markupsafe import Markup, escape


@dataclass(frozen=True)
class Term:
    """A term, its other spellings, and what it means."""

    name: str
    meaning: str
    also: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """Its place in the page."""
        return "term-" + re.sub(r"\W+", "-", self.name.lower())


@cache
def terms() -> tuple[Term, ...]:
    """All terms, by name."""
    table = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
    found = (Term(one["name"], one["meaning"], tuple(one.get("also", ()))) for one in table["term"])
    return tuple(sorted(found, key=lambda term: term.name.lower()))


@cache
def _spellings() -> tuple[re.Pattern[str], dict[str, Term]]:
    by_spelling = {
        spelling.lower(): term for term in terms() for spelling in (term.name, *term.also)
    }
    longest_first = sorted(by_spelling, key=len, reverse=True)
    words = "|".join(map(re.escape, longest_first))
    pattern = rf"(\(?)(?<![\w-])({words})(?![\w-]|\.\w)([).,:;]*)"  # not in tokenizer.json
    return re.compile(pattern, re.IGNORECASE), by_spelling


def marked(text: str, seen: set[str] | None = None) -> Markup:
    """The text escaped, with a button at the first place of each term that is not yet `seen`."""
    return Markup("").join(_parts(text, set() if seen is None else seen))


def _parts(text: str, seen: set[str]) -> Iterator[Markup]:
    pattern, by_spelling = _spellings()
    end = 0
    for found in pattern.finditer(text):
        before, word, after = found.groups()
        term = by_spelling[word.lower()]
        if term.name in seen:
            continue
        seen.add(term.name)
        yield escape(text[end : found.start()])
        # A browser would break the line between a button and the bracket or comma beside it.
        yield Markup(
            '<span class="whole">{}<button type="button" class="term" popovertarget="{}">{}</button>{}</span>'
        ).format(before, term.id, word, after)
        end = found.end()
    yield escape(text[end:])


def as_markdown() -> str:
    """The glossary as the page of the docs."""
    lines = ["# Glossary", "", "The words of the report. On the report's page they are underlined"]
    lines += ["with dots: click, tap or press Enter on one to read what it means.", ""]
    for term in terms():
        lines += [f"**{term.name}**: {term.meaning}", ""]
    return "\n".join(lines[:-1]) + "\n"
