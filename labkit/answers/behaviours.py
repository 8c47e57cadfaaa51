"""What exercise 5 says of the fine-tuned model's behaviour."""

import re
import unicodedata
from collections.abc import Sequence
from difflib import SequenceMatcher

from labkit.evaluation.outcomes import Flip, Outcome
from labkit.report.blocks import Listing, Table
from labkit.report.wording import percent_interval

RATED = {
    "minimum functionality": "minimum_functionality_high",
    "invariance": "invariance_high",
    "directional": "directional_high",
}
COUNTED = {"any text": "any_text_failures", "batch": "batch_failures"}
SHOWN_LENGTH = 600  # characters of a text
SHOWN_CHANGES = 3  # of an edit
NAMED = {"\n": "↵", "\t": "[tab]"}


def behaviour_values(outcomes: Sequence[Outcome]) -> dict[str, float]:
    """Every failure rate, and for each kind what its gate reads: the worst of its behaviours.

    A behaviour that only few posts have a case for has a wide interval, which says more of the data
    than of the model: a gate reads those that at least half as many posts have one for as for
    any other of the kind.
    """
    values = {f"{outcome.name}_failure_rate": outcome.rate.value for outcome in outcomes}
    for kind, gate in RATED.items():
        alike = [outcome for outcome in outcomes if outcome.kind == kind]
        most = max((outcome.cases for outcome in alike), default=0)
        if highs := [outcome.rate.high for outcome in alike if 2 * outcome.cases >= most]:
            values[gate] = max(highs)
    for kind, gate in COUNTED.items():
        values[gate] = sum(outcome.failures for outcome in outcomes if outcome.kind == kind)
    return values


def behaviour_table(outcomes: Sequence[Outcome]) -> Table:
    """Every behaviour with its claim, posts and failure rate."""
    return Table(
        "Behaviour of the fine-tuned model",
        ("kind", "claim", "posts", "failed (95 % interval)"),
        tuple(
            (outcome.kind, outcome.claim, str(outcome.cases), percent_interval(outcome.rate))
            for outcome in outcomes
        ),
        folded=True,
    )


def flip_table(outcomes: Sequence[Outcome], labels: Sequence[str]) -> list[Table]:
    """The smallest failure of each behaviour that failed; none for none."""
    rows = []
    for outcome in outcomes:
        if flip := outcome.flip:
            shown = difference(flip.before, flip.after) if flip.before else quoted(flip.after[:80])
            rows.append((outcome.name.replace("_", " "), shown, turn(flip, labels)))
    title = "Smallest changes that broke the model (searched for; not part of the failure rates)"
    header = ("behaviour", "what was changed", "answer")
    return [Table(title, header, tuple(rows), folded=True)] if rows else []


def flip_texts(outcomes: Sequence[Outcome], labels: Sequence[str]) -> list[Listing]:
    """The same with their texts in full, in one listing; none for none."""
    shown = []
    for outcome in outcomes:
        if flip := outcome.flip:
            lines = [f"{outcome.kind}: {outcome.claim}"]
            lines += [f"  before:  {flip.before[:SHOWN_LENGTH]!r}"] if flip.before else []
            lines += [f"  after:   {flip.after[:SHOWN_LENGTH]!r}"]
            lines += [f"  about:   {labels[flip.label]}"] if flip.label >= 0 else []
            lines += [f"  answer:  {turn(flip, labels)}"]
            shown.append("\n".join(lines))
    return [Listing("The texts of these failures", "\n\n".join(shown))] if shown else []


def turn(flip: Flip, labels: Sequence[str]) -> str:
    """The answer before and after: `space 81 % → baseball 64 %`."""
    said = [
        f"{labels[at]} {100 * share:.0f} %" if at >= 0 else "no number"
        for at, share in (flip.answer_before, flip.answer_after)
    ]
    return " → ".join(said if flip.before else said[1:])


def difference(before: str, after: str) -> str:
    """What changed from one text to the other, word by word: “launch” → “lunch”."""
    old, new = (re.findall(r"\w+(?:\u00ad\w+)*|\s+|[^\w\s]", text) for text in (before, after))
    found = [
        (old[a:b], new[c:d])
        for kind, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
        if kind != "equal"
    ]
    shown = []
    for gone, come in found[:SHOWN_CHANGES]:
        if gone and come:
            shown.append(f"{quoted(''.join(gone))} → {quoted(''.join(come))}")
        else:
            shown.append(f"{'removed:' if gone else 'added:'} {quoted(''.join(gone or come))}")
    more = len(found) - SHOWN_CHANGES
    return "; ".join(shown) + (f" and {more} more" if more > 0 else "")


def quoted(text: str) -> str:
    """A text for one line, cut in the middle, with names for the characters nobody would see."""
    if len(text) > 80:
        text = f"{text[:50]} … {text[-25:]}"
    shown = "".join(map(_seen, text))
    return f"“{shown if len(shown) <= 120 else f'{shown[:80]} … {shown[-25:]}'}”"


def _seen(letter: str) -> str:
    """A letter as a reader can see it: its number where it is hidden or looks like another."""
    if letter in NAMED:
        return NAMED[letter]
    if letter.isprintable() and not _disguised(letter):
        return letter
    return f"[U+{ord(letter):04X}]"


def _disguised(letter: str) -> bool:
    """A letter that may look like a Latin one and is none, or a mark upon another."""
    name = unicodedata.name(letter, "")
    return ord(letter) > 127 and name.startswith(("CYRILLIC", "GREEK", "FULLWIDTH", "COMBINING"))
