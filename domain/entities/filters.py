"""Which images are meant: conditions over their facts, and orders to list them in."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from domain.entities.text import check_text
from domain.errors import InvalidArgument

if TYPE_CHECKING:
    from uuid import UUID

    from domain.entities.images import ImageStatus

MAX_CONDITION = 1_001
"""Entries of a list, characters of a text: a thousand, and the image that likeness leaves out."""


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

    def __post_init__(self) -> None:
        """Raise InvalidArgument for an instant without an offset, or outside the calendar."""
        for bound in (self.gte, self.lt):
            if bound is None:
                continue
            if bound.tzinfo is None:
                raise InvalidArgument("filter", f"{bound} has no offset; append Z or +01:00.")
            try:
                bound.astimezone(UTC)
            except OverflowError:
                raise InvalidArgument(
                    "filter",
                    f"{bound} lies outside the years 1 to 9999 in UTC; leave the bound out.",
                ) from None


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
        """Raise InvalidArgument for what lies on no globe."""
        for name, value, least, most in (
            ("latitude", self.latitude, -90, 90),
            ("longitude", self.longitude, -180, 180),
            ("radiusKm", self.radius_km, 0, 20_100),
        ):
            if not (math.isfinite(value) and least <= value <= most):
                raise InvalidArgument(
                    f"filter.near.{name}", f"{name} is {value:g}; it may be {least} to {most:,}."
                )


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

    def __post_init__(self) -> None:
        """Raise InvalidArgument for a list or a text beyond any use, or that cannot be kept."""
        for field in fields(self):
            value = getattr(self, field.name)
            parts = value if isinstance(value, tuple) else (value,)
            name = _camel_case(field.name)
            if isinstance(value, tuple | str) and len(value) > MAX_CONDITION:
                raise InvalidArgument(
                    f"filter.{name}",
                    f"{name} has a length of {len(value):,}; at most {MAX_CONDITION:,} is read.",
                )
            for part in parts:
                if isinstance(part, str):
                    check_text(f"filter.{name}", name, text=part)


def _camel_case(name: str) -> str:
    """Return a field's name as the API spells it."""
    first, *rest = name.split("_")
    return first + "".join(word.title() for word in rest)


EVERYTHING = ImageFilter()
"""No condition."""
