"""Text that people type: what of it can be kept and shown."""

from __future__ import annotations

import re

from domain.errors import InvalidArgument

JOINERS = str.maketrans("", "", "\u200c\u200d")
"""Nothing to see, but Persian words and families of emoji hold together by them."""

ALIEN = re.compile("[\0\ud800-\udfff]")
"""What JSON can say and no database keeps: NUL, and halves of surrogate pairs."""


def is_legible(text: str) -> bool:
    """Whether there are no line breaks, controls or other invisible characters in it."""
    return text.translate(JOINERS).isprintable()


def check_text(argument: str, name: str, *, text: str) -> None:
    """Raise InvalidArgument for text that cannot be kept; ``name`` opens the sentence."""
    if alien := ALIEN.search(text):
        raise InvalidArgument(
            argument, f"{name} has the character U+{ord(alien[0]):04X} in it; leave that out."
        )
