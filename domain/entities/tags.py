"""Tags: short words that people put on images."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from domain.entities.text import is_legible
from domain.errors import InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Iterable

    from domain.entities.images import Image

MAX_LENGTH = 64
MAX_TAGS = 50
"""Of one call."""

MAX_TAGS_OF_IMAGE = 200


def clean_tags(tags: Iterable[str], *, argument: str = "tags") -> tuple[str, ...]:
    """Return the tags in Unicode's composed form, sorted and without duplicates.

    White space is trimmed, and within a tag becomes one space. Raises InvalidArgument for an
    empty or overlong tag, for control characters, and for too many.
    """
    cleaned = sorted({" ".join(unicodedata.normalize("NFC", tag).split()) for tag in tags})
    if len(cleaned) > MAX_TAGS:
        raise InvalidArgument(
            argument, f"{len(cleaned)} tags are too many; send at most {MAX_TAGS}."
        )
    for tag in cleaned:
        if not tag:
            raise InvalidArgument(argument, "A tag is empty; leave it out or give it a word.")
        if not is_legible(tag):
            raise InvalidArgument(
                argument, f"The tag {tag[:20]!r} has control characters in it; leave them out."
            )
        if len(tag) > MAX_LENGTH:
            raise InvalidArgument(
                argument,
                f"The tag “{tag[:20]}…” has {len(tag)} characters; at most {MAX_LENGTH} fit.",
            )
    return tuple(cleaned)


def check_tags_fit(images: Iterable[Image], tags: Iterable[str], *, argument: str) -> None:
    """Raise InvalidArgument where an image would have more tags than it may."""
    for image in images:
        count = len({*image.tags, *tags})
        if count > MAX_TAGS_OF_IMAGE:
            raise InvalidArgument(
                argument,
                f"“{image.filename}” would have {count} tags; at most {MAX_TAGS_OF_IMAGE} fit. "
                "Take some off first.",
            )
