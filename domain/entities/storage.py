"""Stored objects: their keys, ranges of bytes, and objects that are being read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from domain.entities.images import Variant

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from datetime import datetime


def parse_key(key: str) -> tuple[UUID, Variant]:
    """Return the parts of a key. Raises ValueError for a key not made by ``Variant.key_of``."""
    image_id, _, variant = key.partition("/")
    try:
        parts = UUID(image_id), Variant(variant)
    except ValueError:
        parts = None
    if parts is None or key != parts[1].key_of(parts[0]):
        message = f"{key!r} is not a key of an image"
        raise ValueError(message)
    return parts


@dataclass(frozen=True, slots=True)
class ByteRange:
    """A range of bytes: ``first`` and ``last`` are included, and None means the end.

    A negative ``first`` counts from the end. It has no ``last``.
    """

    first: int
    last: int | None = None

    def within(self, size: int) -> tuple[int, int]:
        """Return the offset and the number of bytes in an object of ``size`` bytes.

        Raises ValueError where the range contains no byte of the object.
        """
        first = max(0, size + self.first) if self.first < 0 else self.first
        last = size - 1 if self.last is None else min(self.last, size - 1)
        if first >= size or last < first:
            message = f"the range contains none of {size} bytes"
            raise ValueError(message)
        return first, last - first + 1


@dataclass(frozen=True, slots=True)
class Blob:
    """An object that is being read. ``chunks`` must be read to the end or closed."""

    size: int
    """In bytes, of the whole object, also where only a range is read."""
    chunks: AsyncGenerator[bytes]


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object in storage."""

    key: str
    modified_at: datetime
