"""Faults: what may be wrong with an image or its bytes, and how often originals are read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from domain.entities.images import Image

DEFAULT_SCRUB_LIFETIME = timedelta(days=90)
"""After this time an original is read again."""


class Fault(StrEnum):
    """What may be wrong with an image. The values are texts for people."""

    UNEMBEDDED = "no embedding, and no task to make one"
    NO_RENDITION = "LARGE or THUMBNAIL is missing"
    NO_ORIGINAL = "the original is missing"
    NO_SOURCE = "the source of the original is unreadable or has changed"
    DAMAGED = "the original is damaged: its checksum differs"
    UNREADABLE = "the original could not be read; the log says why"
    SAME_BYTES = "another image has the same bytes"
    WRONGLY_FINDABLE = "deleted or failed, and searches can still find it"
    UNBOUNDED = "its task is retried without an end"
    ORPHANED = "its bytes are stored, and there is no such image; a sweep removes them"


@dataclass(frozen=True, slots=True)
class DueOriginal:
    """An image whose original is to be read again, and its place among those that are."""

    image: Image
    last_read_at: datetime
    """When its original was last read to its end, or stored."""
