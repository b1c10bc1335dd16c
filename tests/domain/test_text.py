"""Text that people type."""

from __future__ import annotations

import pytest

from domain.entities.text import check_text, is_printable
from domain.errors import InvalidArgument


@pytest.mark.parametrize("text", ["", "a word", "ÅÖ", "東京", "नमस्\u200dते", "👨\u200d👩\u200d👧"])
def test_words_and_emoji_of_all_scripts_are_legible(text: str) -> None:
    assert is_printable(text)


@pytest.mark.parametrize("text", ["\n", "\0", "\x1b[31m", "\ud800", "\u202e", "\ufeff"])
def test_controls_and_what_turns_text_around_are_not_legible(text: str) -> None:
    assert not is_printable(f"a{text}b")


@pytest.mark.parametrize("text", ["", "two\nlines", "👨\u200d👩\u200d👧", "\U0010ffff"])
def test_what_a_database_keeps_passes(text: str) -> None:
    check_text(("alt_text",), "The alt text", text=text)


@pytest.mark.parametrize(
    ("text", "name"), [("a\0b", "U+0000"), ("\ud83d", "U+D83D"), ("a\udfff\0", "U+DFFF")]
)
def test_what_no_database_keeps_is_refused_by_name(text: str, name: str) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        check_text(("alt_text",), "The alt text", text=text)
    assert refusal.value.location == ("alt_text",)
    assert f"The alt text has the character {name} in it; leave that out." == refusal.value.message
