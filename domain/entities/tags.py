"""Tags: short labels that people give to images."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from domain.entities.images import MAX_TAGS_PER_IMAGE
from domain.entities.text import is_printable
from domain.errors import InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Iterable

    from domain.entities.images import Image

MAX_TAG_CHARACTERS = 64
MAX_TAGS_PER_CALL = 50

LOCATION = ("tags",)


def clean_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """Return tags normalised to NFC, sorted, without duplicates.

    White space is trimmed, and runs of it inside a tag become one space. Raises InvalidArgument
    for an empty or overlong tag, for control characters, and for too many tags.
    """
    cleaned = sorted({_normalised(tag) for tag in tags})
    if len(cleaned) > MAX_TAGS_PER_CALL:
        raise InvalidArgument(
            LOCATION, f"{len(cleaned)} tags are too many; send at most {MAX_TAGS_PER_CALL}."
        )
    for tag in cleaned:
        if not tag:
            raise InvalidArgument(LOCATION, "A tag is empty; leave it out or give it a word.")
        if not is_printable(tag):
            raise InvalidArgument(
                LOCATION, f"The tag {tag[:20]!r} has control characters in it; leave them out."
            )
        if len(tag) > MAX_TAG_CHARACTERS:
            raise InvalidArgument(
                LOCATION,
                f"The tag “{tag[:20]}…” has {len(tag)} characters; at most {MAX_TAG_CHARACTERS} "
                "fit.",
            )
    return tuple(cleaned)


def readable_tags(keywords: Iterable[str]) -> tuple[str, ...]:
    """Return the keywords of a file that can be tags, at most MAX_TAGS_PER_CALL."""
    tags = (_normalised(keyword) for keyword in keywords)
    usable = {tag for tag in tags if tag and is_printable(tag) and len(tag) <= MAX_TAG_CHARACTERS}
    return tuple(sorted(usable)[:MAX_TAGS_PER_CALL])


def _normalised(tag: str) -> str:
    return " ".join(unicodedata.normalize("NFC", tag).split())


def check_tags_fit(images: Iterable[Image], tags: Iterable[str]) -> None:
    """Raise InvalidArgument where an image would have more tags than the limit."""
    for image in images:
        count = len({*image.tags, *tags})
        if count > MAX_TAGS_PER_IMAGE:
            raise InvalidArgument(
                LOCATION,
                f"“{image.filename}” would have {count} tags; at most {MAX_TAGS_PER_IMAGE} fit. "
                "Take some off first.",
            )
