"""Bytes as storage hands them out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from domain.entities.images import Variant

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from datetime import datetime


def parse_key(key: str) -> tuple[UUID, Variant]:
    """Take a key apart. Raises ValueError for what ``Variant.key_of`` never makes."""
    image_id, _, variant = key.partition("/")
    try:
        parts = UUID(image_id), Variant(variant)
    except ValueError:
        parts = None
    if parts is None or key != parts[1].key_of(parts[0]):
        message = f"{key!r} is no key of an image"
        raise ValueError(message)
    return parts


@dataclass(frozen=True, slots=True)
class ByteRange:
    """A stretch of bytes: from ``first`` to ``last``, both included; None is the end.

    A negative ``first`` counts from the end and goes without a ``last``.
    """

    first: int
    last: int | None = None

    def within(self, size: int) -> tuple[int, int]:
        """Return the first byte and the count in an object of ``size`` bytes.

        Raises ValueError where no byte of the object is meant.
        """
        first = max(0, size + self.first) if self.first < 0 else self.first
        last = size - 1 if self.last is None else min(self.last, size - 1)
        if first >= size or last < first:
            message = f"no byte of {size} lies in the range"
            raise ValueError(message)
        return first, last - first + 1


@dataclass(frozen=True, slots=True)
class Blob:
    """An object being read. Close ``chunks`` (``aclose``) unless they are read to the end."""

    size: int
    """Of the whole object, in bytes, whatever the range."""
    chunks: AsyncGenerator[bytes]


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object in storage."""

    key: str
    modified_at: datetime
