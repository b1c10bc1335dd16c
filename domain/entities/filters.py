"""Filters and sort keys: which images, and in which order."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

from domain.entities.text import check_text, is_printable
from domain.errors import InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from domain.entities.images import Image, ImageStatus
    from domain.entities.places import GeoBox

MAX_CONDITION_LENGTH = 1_001
"""Entries of a list, or characters of a text.

It is a thousand, and the image itself that a search for similar images leaves out.
"""

MAX_RADIUS_KM = 20_100
"""More than half the circumference of the Earth, so that a circle can cover all of it."""


class Orientation(StrEnum):
    """The shape of an upright picture: its width compared with its height."""

    LANDSCAPE = "landscape"
    """Wider than high."""
    PORTRAIT = "portrait"
    """Higher than wide."""
    SQUARE = "square"
    """As wide as high."""


@dataclass(frozen=True, slots=True)
class TimeRange:
    """Half open: ``gte <= t < lt``. A bound of None is no bound."""

    gte: datetime | None = None
    lt: datetime | None = None

    def __post_init__(self) -> None:
        """Raise InvalidArgument for an instant without an offset, or outside the calendar."""
        for bound in (self.gte, self.lt):
            if bound is None:
                continue
            if bound.tzinfo is None:
                raise InvalidArgument(("filter",), f"{bound} has no offset; append Z or +01:00.")
            try:
                bound.astimezone(UTC)
            except OverflowError:
                raise InvalidArgument(
                    ("filter",),
                    f"{bound} is outside the years 1 to 9999 in UTC; leave the bound out.",
                ) from None


@dataclass(frozen=True, slots=True)
class LocalTimeRange:
    """Half open: ``gte <= t < lt``, in times of clocks. A bound of None is no bound."""

    gte: datetime | None = None
    lt: datetime | None = None

    def __post_init__(self) -> None:
        """Raise InvalidArgument for a bound with an offset."""
        for bound in (self.gte, self.lt):
            if bound is not None and bound.tzinfo is not None:
                raise InvalidArgument(
                    ("filter",), f"{bound} has an offset; leave it out, or filter by instants."
                )


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

    def __post_init__(self) -> None:
        """Raise InvalidArgument for coordinates or a radius out of range."""
        for field, name, value, least, most in (
            ("latitude", "The latitude", self.latitude, -90, 90),
            ("longitude", "The longitude", self.longitude, -180, 180),
            ("radius_km", "The radius in km", self.radius_km, 0, MAX_RADIUS_KM),
        ):
            if not (math.isfinite(value) and least <= value <= most):
                raise InvalidArgument(
                    ("filter", "near", field),
                    f"{name} is {value:g}; it may be {least} to {most:,}.",
                )


@dataclass(frozen=True, slots=True)
class ImageFilter:
    """All given conditions must hold. None is no condition; an empty ``any`` list matches nothing.

    ``keywords`` uses the syntax of PostgreSQL's web search over file name, alt text and tags.
    """

    taken_at: TimeRange | None = None
    """Compares instants. A local time whose offset is unknown counts as UTC."""
    taken_at_local: LocalTimeRange | None = None
    created_at: TimeRange | None = None
    camera_make_in: tuple[str, ...] | None = None
    camera_model_in: tuple[str, ...] | None = None
    near: GeoNear | None = None
    within: GeoBox | None = None
    has_location: bool | None = None
    rating: IntRange | None = None
    tags_all: tuple[str, ...] | None = None
    tags_any: tuple[str, ...] | None = None
    tags_none: tuple[str, ...] | None = None
    keywords: str | None = None
    filename: str | None = None
    """The whole name, by code point. ``*`` stands for any characters."""
    content_type_in: tuple[str, ...] | None = None
    orientation: Orientation | None = None
    width: IntRange | None = None
    height: IntRange | None = None
    status_in: tuple[ImageStatus, ...] | None = None
    ids_not_in: tuple[UUID, ...] | None = None
    deleted: bool | None = None
    """True: only images in the trash. Otherwise only images that are not in it."""

    def __post_init__(self) -> None:
        """Raise InvalidArgument for an overlong list or text, and for text that is unstorable."""
        for field in fields(self):
            value = getattr(self, field.name)
            location = ("filter", field.name)
            name = f"The condition “{field.name.replace('_', ' ')}”"
            if isinstance(value, tuple | str) and len(value) > MAX_CONDITION_LENGTH:
                raise InvalidArgument(
                    location,
                    f"{name} has a length of {len(value):,}; at most {MAX_CONDITION_LENGTH:,} is "
                    "read.",
                )
            for part in value if isinstance(value, tuple) else (value,):
                if isinstance(part, str):
                    check_text(location, name, text=part)


EVERYTHING = ImageFilter()
"""No condition: all images match that are not in the trash."""

DELETED = ImageFilter(deleted=True)
"""All images in the trash."""


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

MAX_INTEGER = 2**63 - 1
"""The largest value of a 64-bit column."""

SortValue: TypeAlias = "str | int | None"
"""A value of a sort key: text, a number, or microseconds since 1970. None sorts last."""


class SortField(StrEnum):
    """What a listing is sorted by."""

    CREATED_AT = "created_at"
    """When the image was added to the library."""
    TAKEN_AT = "taken_at"
    """When the picture was taken."""
    FILENAME = "filename"
    """The file name, by code point."""
    BYTE_SIZE = "byte_size"
    """The size of the original in bytes."""
    RATING = "rating"
    """The rating that people gave."""


class SortType(StrEnum):
    """The type of a sort key's values."""

    TEXT = "text"
    INTEGER = "integer"
    INSTANT = "instant"
    LOCAL_TIME = "local_time"


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
            case SortType.INSTANT | SortType.LOCAL_TIME, int(number):
                _ = EPOCH + timedelta(microseconds=number)
                return number
        raise ValueError(value)


def microseconds(instant: datetime) -> int:
    """Return the whole microseconds from 1970 in UTC to ``instant``, without rounding."""
    return (instant - EPOCH) // timedelta(microseconds=1)


def _taken_at_local(image: Image) -> int | None:
    local = image.exif and image.exif.taken_at_local
    return microseconds(local.replace(tzinfo=UTC)) if local else None


SORT_KEYS = {
    SortField.CREATED_AT: SortKey(lambda image: microseconds(image.created_at), SortType.INSTANT),
    SortField.TAKEN_AT: SortKey(_taken_at_local, SortType.LOCAL_TIME, nullable=True),
    SortField.FILENAME: SortKey(lambda image: image.filename, SortType.TEXT),
    SortField.BYTE_SIZE: SortKey(lambda image: image.byte_size, SortType.INTEGER),
    SortField.RATING: SortKey(lambda image: image.rating, SortType.INTEGER, nullable=True),
}
