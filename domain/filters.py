"""Which images are meant: conditions over their facts, and orders to list them in."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uuid import UUID

    from domain.images import Image, ImageStatus

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Orientation(StrEnum):
    """How an upright picture lies: by its width against its height."""

    LANDSCAPE = "landscape"
    PORTRAIT = "portrait"
    SQUARE = "square"


@dataclass(frozen=True, slots=True)
class TimeRange:
    """Half open: ``gte <= t < lt``. A bound of None is no bound."""

    gte: datetime | None = None
    lt: datetime | None = None


@dataclass(frozen=True, slots=True)
class IntRange:
    """Closed: ``gte <= n <= lte``. A bound of None is no bound."""

    gte: int | None = None
    lte: int | None = None


@dataclass(frozen=True, slots=True)
class GeoNear:
    """Within a great-circle distance of a place, on a sphere of radius 6,371.0088 km."""

    latitude: float
    longitude: float
    radius_km: float


@dataclass(frozen=True, slots=True)
class ImageFilter:
    """All conditions that are given must hold; None is no condition, an empty ``any`` matches none.

    ``keywords`` is PostgreSQL's web search syntax over file name, alt text and tags.
    """

    taken_at: TimeRange | None = None
    created_at: TimeRange | None = None
    camera_make_in: tuple[str, ...] | None = None
    camera_model_in: tuple[str, ...] | None = None
    near: GeoNear | None = None
    has_location: bool | None = None
    tags_all: tuple[str, ...] | None = None
    tags_any: tuple[str, ...] | None = None
    tags_none: tuple[str, ...] | None = None
    keywords: str | None = None
    content_type_in: tuple[str, ...] | None = None
    orientation: Orientation | None = None
    width: IntRange | None = None
    height: IntRange | None = None
    status_in: tuple[ImageStatus, ...] | None = None
    ids_not_in: tuple[UUID, ...] | None = None

    @property
    def is_empty(self) -> bool:
        """Whether every image matches."""
        return all(getattr(self, field.name) is None for field in fields(self))


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
class Place:
    """Where an image stands in an order; it stays meaningful after the image is deleted."""

    value: SortValue
    id: UUID


def place_of(image: Image, sort: Sort) -> Place:
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
    return Place(value, image.id)


def microseconds(instant: datetime) -> int:
    """Return the whole microseconds from 1970 in UTC to ``instant``, without rounding."""
    return (instant - EPOCH) // timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of a listing: at most ``size`` images between two places, neither included.

    Taken from the end of the stretch when ``from_end``, still in the order of the listing.
    """

    size: int
    after: Place | None = None
    before: Place | None = None
    from_end: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """A window of a listing, and whether there is more on either side of it."""

    images: tuple[Image, ...]
    has_next: bool
    has_previous: bool
