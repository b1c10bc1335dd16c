"""Tags: short words that people put on images."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from domain.errors import InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_LENGTH = 64
MAX_TAGS = 50


def clean_tags(tags: Iterable[str], *, argument: str = "tags") -> tuple[str, ...]:
    """Return the tags trimmed, in Unicode's composed form, sorted and without duplicates.

    Raises InvalidArgument for an empty or overlong tag, and for too many.
    """
    cleaned = sorted({unicodedata.normalize("NFC", tag).strip() for tag in tags})
    if len(cleaned) > MAX_TAGS:
        raise InvalidArgument(
            argument, f"{len(cleaned)} tags are too many; send at most {MAX_TAGS}."
        )
    for tag in cleaned:
        if not tag:
            raise InvalidArgument(argument, "A tag is empty; leave it out or give it a word.")
        if len(tag) > MAX_LENGTH:
            raise InvalidArgument(
                argument,
                f"The tag “{tag[:20]}…” has {len(tag)} characters; at most {MAX_LENGTH} fit.",
            )
        if not tag.isprintable():
            raise InvalidArgument(argument, f"The tag {tag!r} has control characters in it.")
    return tuple(cleaned)
