"""Listings of the library: sort keys, keyset positions, windows and pages."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

from domain.entities.text import is_printable
from domain.errors import InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from domain.entities.images import Image

MAX_PAGE_SIZE = 100

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

MAX_INTEGER = 2**63 - 1
"""The largest value of a 64-bit column."""

SortValue: TypeAlias = "str | int | None"
"""A value of a sort key: text, a number, or microseconds since 1970 in UTC. None sorts last."""


class SortField(StrEnum):
    """What a listing is sorted by."""

    CREATED_AT = "created_at"
    TAKEN_AT = "taken_at"
    FILENAME = "filename"
    BYTE_SIZE = "byte_size"


class SortType(StrEnum):
    """The type of a sort key's values."""

    TEXT = "text"
    INTEGER = "integer"
    INSTANT = "instant"


@dataclass(frozen=True, slots=True)
class SortKey:
    """Describes a sort field: where an image has its value, and which values are possible."""

    value_of: Callable[[Image], SortValue]
    type: SortType
    nullable: bool = False

    def check(self, value: object) -> SortValue:
        """Return a value that was read from a cursor. Raises ValueError or OverflowError."""
        match self.type, value:
            case _, None if self.nullable:
                return None
            case SortType.TEXT, str(text) if is_printable(text):
                return text
            case SortType.INTEGER, int(number) if 0 <= number <= MAX_INTEGER:
                return number
            case SortType.INSTANT, int(number):
                _ = EPOCH + timedelta(microseconds=number)
                return number
        raise ValueError(value)


def microseconds(instant: datetime) -> int:
    """Return the whole microseconds from 1970 in UTC to ``instant``, without rounding."""
    return (instant - EPOCH) // timedelta(microseconds=1)


def _taken_at(image: Image) -> int | None:
    return microseconds(image.exif.taken_at) if image.exif and image.exif.taken_at else None


SORT_KEYS = {
    SortField.CREATED_AT: SortKey(lambda image: microseconds(image.created_at), SortType.INSTANT),
    SortField.TAKEN_AT: SortKey(_taken_at, SortType.INSTANT, nullable=True),
    SortField.FILENAME: SortKey(lambda image: image.filename, SortType.TEXT),
    SortField.BYTE_SIZE: SortKey(lambda image: image.byte_size, SortType.INTEGER),
}


@dataclass(frozen=True, slots=True)
class Sort:
    """A sort order: by the field, ties by id in the same direction.

    Images without a value come last in both directions. Text is compared by code point.
    """

    field: SortField = SortField.CREATED_AT
    descending: bool = True

    @property
    def key(self) -> SortKey:
        """The description of the field."""
        return SORT_KEYS[self.field]


@dataclass(frozen=True, slots=True)
class Position:
    """A keyset position in a listing. It stays valid after its image is deleted."""

    value: SortValue
    id: UUID


def position_of(image: Image, sort: Sort) -> Position:
    """Return the position of ``image`` in the order ``sort``."""
    return Position(sort.key.value_of(image), image.id)


@dataclass(frozen=True, slots=True)
class Window:
    """At most ``size`` images between two positions, both excluded.

    With ``from_end`` they are the last ones before ``before``, still in the listing's order.
    """

    size: int
    after: Position | None = None
    before: Position | None = None
    from_end: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """The images of a window, and whether the listing goes on at either side."""

    images: tuple[Image, ...]
    has_next: bool
    has_previous: bool


def check_page_size(name: str, size: int) -> None:
    """Raise InvalidArgument for a page size out of range; ``name`` is the argument's name."""
    if not 0 <= size <= MAX_PAGE_SIZE:
        raise InvalidArgument((name,), f"{name} is {size}; it may be 0 to {MAX_PAGE_SIZE}.")
