"""When two texts are the same, or nearly: what leaks from one split into another."""

import pytest

from labkit.data.texts import Known, content_key, text_digest

POST = " ".join(f"word{i}" for i in range(60))


@pytest.mark.parametrize(
    "change",
    [
        str.upper,
        str.title,
        lambda text: f"{text}.",
        lambda text: f"> {text}!!",
        lambda text: text.replace(" ", "\n  "),
        lambda text: text.replace("word5", "ｗｏｒｄ5"),  # full width
        lambda text: text.replace("word1 ", "wo\u0301rd1 "),  # an accent apart
        lambda text: text.replace("word30", "otherwise"),
        lambda text: f"{text} and two more",
    ],
)
def test_a_changed_copy_is_known(change):
    assert change(POST) in Known([POST])
    assert POST in Known(["another text altogether", change(POST)])


@pytest.mark.parametrize(
    "other",
    [
        " ".join(f"word{i}" for i in range(30, 90)),  # half of it
        " ".join(reversed(POST.split())),  # its words in another order
        "word1 word2 word3",
        "",
    ],
)
def test_another_text_is_not(other):
    assert other not in Known([POST])


def test_short_texts_are_known_by_all_of_their_words():
    known = Known(["my card is lost"])
    assert "My card is LOST!" in known
    assert "my card is found" not in known


def test_a_text_without_letters_goes_by_its_characters():
    assert content_key(":-)") != content_key(":-(")
    assert content_key(":-)\n") == content_key(":-)")
    assert "🚀" not in Known(["⚾"])


def test_the_digest_that_orders_posts_knows_white_space_only():
    assert text_digest("a  b") == text_digest("a\nb") != text_digest("A b")
