"""Edits of any text, in any script, drawn in any way."""

import random
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.answers.behaviours import difference
from labkit.evaluation.edits import EDITS, compose, sentences_of
from labkit.evaluation.grammar import any_text
from tests.strategies import any_text as hostile_text
from tests.strategies import posts, seeds

TEXTS = st.one_of(posts(), hostile_text())
EVERY = pytest.mark.parametrize("name", EDITS)


def letters(text: str) -> str:
    """What is left of a text without case, marks, spaces and Unicode's ways to write the same."""
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKD", text))
    return "".join(letter for letter in plain.casefold() if letter.isalnum())


@EVERY
@given(text=TEXTS, seed=seeds())
def test_an_edit_gives_a_text_that_a_file_can_hold_and_the_same_again(name, text, seed):
    first, again = (EDITS[name](text, random.Random(seed).randrange) for _ in range(2))
    assert first == again
    assert first.encode().decode() == first


@EVERY
def test_an_edit_changes_a_post_in_english(name):
    text = "The shuttle left at 10 in the morning. Nobody here could see much of it! Why?"
    changed = {EDITS[name](text, random.Random(seed).randrange) for seed in range(20)}
    assert len(changed - {text}) >= 2


@pytest.mark.parametrize("name", ["white space", "punctuation", "quotation or signature", "case"])
@given(text=posts(), seed=seeds())
def test_what_keeps_the_words_keeps_their_letters(name, text, seed):
    changed = letters(EDITS[name](text, random.Random(seed).randrange))
    assert letters(text) in changed


@pytest.mark.parametrize(
    "text",
    [
        "今天的发射推迟了。火箭还在发射台上。大家都在等。",
        "Сегодня запуск отложили. Ракета всё ещё стоит на площадке.",
        "اليوم تأجل الإطلاق. الصاروخ ما زال على المنصة.",
    ],
    ids=["Chinese", "Russian", "Arabic"],
)
@pytest.mark.parametrize(
    "name", ["typos", "quotation or signature", "order of sentences", "the end cut off"]
)
def test_edits_find_something_to_change_in_other_scripts(name, text):
    assert EDITS[name](text, random.Random(1).randrange) != text


@given(text=posts(), seed=seeds())
def test_the_order_of_sentences_keeps_every_word(text, seed):
    changed = EDITS["order of sentences"](text, random.Random(seed).randrange)
    assert sorted(changed.split()) == sorted(text.split())


@given(text=posts(), seed=seeds())
def test_the_end_cut_off_is_less_than_half_of_the_text(text, seed):
    changed = EDITS["the end cut off"](text, random.Random(seed).randrange)
    assert text.startswith(changed)
    assert len(changed.split()) >= len(text.split()) / 2


def test_the_smallest_picks_make_a_small_edit():
    """Zeros, towards which Hypothesis shrinks, change one place."""
    text = "The shuttle left at 10 in the morning. Nobody here could see much of it!"
    for name in ("case", "typos", "white space", "numbers", "look-alike letters"):
        changed = EDITS[name](text, lambda count: 0)
        assert "; " not in difference(text, changed), name


@given(TEXTS, seeds())
def test_edits_compose(text, seed):
    changed = compose(text, random.Random(seed).randrange)
    assert changed.encode().decode() == changed


@given(seeds())
def test_any_text_can_be_written_to_a_file(seed):
    text = any_text(random.Random(seed).randrange)
    assert text.encode().decode() == text


def test_sentences_are_told_apart_by_their_marks():
    assert sentences_of("One. Two? 3.5 three!") == ["One.", " Two?", " 3.5 three!"]


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        ("the launch was late", "the lunch was late", "“launch” → “lunch”"),
        ("at night", "at\u00a0night", "“ ” → “[U+00A0]”"),
        ("the launch", "the l\u0430unch", "“launch” → “l[U+0430]unch”"),
        ("one two", "one", "removed: “ two”"),
        ("one", "one two", "added: “ two”"),
    ],
)
def test_a_difference_is_shown_word_by_word(before, after, shown):
    assert difference(before, after) == shown
