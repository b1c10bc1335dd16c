"""Listings of the library: sort orders, keyset positions, windows and pages."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from domain.errors import InvalidArgument

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from domain.entities.images import Image


from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uuid import UUID

    from domain.entities.images import Image


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class SortField(StrEnum):
    """What a listing is sorted by."""

    CREATED_AT = "created_at"
    TAKEN_AT = "taken_at"
    FILENAME = "filename"
    BYTE_SIZE = "byte_size"


@dataclass(frozen=True, slots=True)
class Sort:
    """An order of images: by the field, then by id in the same direction.

    Images without a ``taken_at`` come last in both directions. File names are compared by code
    point.
    """

    field: SortField = SortField.CREATED_AT
    descending: bool = True


SortValue = str | int | None
"""A place's value of the sort field: text, bytes, or microseconds since 1970 in UTC."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where an image stands in an order; it stays meaningful after the image is deleted."""

    value: SortValue
    id: UUID


def position_of(image: Image, sort: Sort) -> Position:
    """Return where ``image`` stands in the order ``sort``."""
    value: SortValue
    if sort.field is SortField.FILENAME:
        value = image.filename
    elif sort.field is SortField.BYTE_SIZE:
        value = image.byte_size
    elif sort.field is SortField.CREATED_AT:
        value = microseconds(image.created_at)
    else:
        taken_at = image.exif.taken_at if image.exif else None
        value = microseconds(taken_at) if taken_at else None
    return Position(value, image.id)


def microseconds(instant: datetime) -> int:
    """Return the whole microseconds from 1970 in UTC to ``instant``, without rounding."""
    return (instant - EPOCH) // timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of a listing: at most ``size`` images between two places, neither included.

    Taken from the end of the stretch when ``from_end``, still in the order of the listing.
    """

    size: int
    after: Position | None = None
    before: Position | None = None
    from_end: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """A window of a listing, and whether there is more on either side of it."""

    images: tuple[Image, ...]
    has_next: bool
    has_previous: bool


MAX_PAGE = 100


def check_page_size(argument: str, size: int) -> None:
    """Raise InvalidArgument for a page that is too large or less than empty."""
    if not 0 <= size <= MAX_PAGE:
        raise InvalidArgument(argument, f"{argument} is {size}; it may be 0 to {MAX_PAGE}.")
