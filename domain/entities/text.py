"""Text from users: which characters can be stored and displayed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from domain.errors import InvalidArgument

if TYPE_CHECKING:
    from domain.errors import Location

JOINERS = str.maketrans("", "", "\u200c\u200d")
"""Zero-width joiners. They are invisible, but Persian words and family emoji need them."""

UNSTORABLE = re.compile("[\0\ud800-\udfff]")
"""Characters that JSON can carry and PostgreSQL cannot store: NUL and lone surrogates."""


def is_printable(text: str) -> bool:
    """Return whether a text has no line breaks, control characters or invisible characters."""
    return text.translate(JOINERS).isprintable()


def check_text(location: Location, name: str, *, text: str) -> None:
    """Raise InvalidArgument for text that cannot be stored. ``name`` begins the sentence."""
    if unstorable := UNSTORABLE.search(text):
        raise InvalidArgument(
            location,
            f"{name} has the character U+{ord(unstorable[0]):04X} in it; leave that out.",
        )
