"""Filters as SQL conditions on the table of images. All values of users are bound parameters."""

from __future__ import annotations

import math
import re
from datetime import UTC
from typing import TYPE_CHECKING, Any

from sqlalchemy import Uuid, and_, func, or_
from sqlmodel import col

from domain.entities.filters import IntRange, LocalTimeRange, Orientation, TimeRange
from infra.postgres.images import IS_LIVE_IMAGE, RANGE_FILTERS, VALUE_FILTERS, WORDS, ImageRow
from infra.postgres.parameters import array, whole

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import ColumnElement, SQLColumnExpression

    from domain.entities.filters import GeoNear, ImageFilter
    from domain.entities.places import GeoBox

EARTH_RADIUS_KM = 6371.0088
KM_PER_DEGREE = math.radians(EARTH_RADIUS_KM)
MIN_RADIUS_KM = 1e-9  # a micrometre
ROUNDING_FACTOR = 1 + 1e-9
"""Widens the box, so that rounding excludes no place that the distance includes."""


def conditions(criteria: ImageFilter) -> Iterator[ColumnElement[bool]]:
    """Yield the conditions of a filter, among them that images are in the trash or are not."""
    yield from conditions_of_embedded(criteria)
    if not criteria.deleted:
        yield IS_LIVE_IMAGE


def conditions_of_embedded(criteria: ImageFilter) -> Iterator[ColumnElement[bool]]:
    """Yield the conditions of a filter for images with an embedding, none of which is in the trash.

    So no condition is left of a filter without conditions, and it needs no join.
    """
    if criteria.deleted:
        yield ~IS_LIVE_IMAGE
    for name, column in RANGE_FILTERS.items():
        yield from _within(column, getattr(criteria, name))
    if criteria.taken_at is not None:
        yield from _taken_within(criteria.taken_at)
    for name, column in VALUE_FILTERS.items():
        if (accepted := getattr(criteria, name)) is not None:
            yield column == func.any(array(accepted))
    if criteria.ids_not_in:
        yield col(ImageRow.id) != func.all(array(criteria.ids_not_in, Uuid()))
    if criteria.orientation is not None:
        yield _has_orientation(criteria.orientation)
    yield from _location_conditions(criteria)
    yield from _text_conditions(criteria)


def _text_conditions(criteria: ImageFilter) -> Iterator[ColumnElement[bool]]:
    tags = col(ImageRow.tags)
    if criteria.tags_all is not None:
        yield tags.op("@>", is_comparison=True)(array(criteria.tags_all))
    if criteria.tags_any is not None:
        yield tags.op("&&", is_comparison=True)(array(criteria.tags_any))
    if criteria.tags_none:
        yield ~tags.op("&&", is_comparison=True)(array(criteria.tags_none))
    if criteria.filename is not None:
        yield _is_named(criteria.filename)
    if criteria.keywords is not None:
        query = func.image_query(_split_words(criteria.keywords))
        yield WORDS.op("@@", is_comparison=True)(query)


def _location_conditions(criteria: ImageFilter) -> Iterator[ColumnElement[bool]]:
    if criteria.has_location is not None:
        located = col(ImageRow.latitude).is_not(None)
        yield located if criteria.has_location else ~located
    if criteria.near is not None:
        yield from _near(criteria.near)
    if criteria.within is not None:
        yield from _within_box(criteria.within)


def _taken_within(bounds: TimeRange) -> Iterator[ColumnElement[bool]]:
    """Yield conditions on the columns themselves, of which the planner has statistics."""
    as_utc = LocalTimeRange(
        *(each and each.astimezone(UTC).replace(tzinfo=None) for each in (bounds.gte, bounds.lt))
    )
    instant, local = col(ImageRow.taken_at), col(ImageRow.taken_at_local)
    if within := list(_within(instant, bounds)):
        yield or_(and_(*within), and_(instant.is_(None), *_within(local, as_utc)))


def _within(
    column: SQLColumnExpression[Any], bounds: TimeRange | LocalTimeRange | IntRange | None
) -> Iterator[ColumnElement[bool]]:
    if isinstance(bounds, TimeRange | LocalTimeRange):
        if bounds.gte is not None:
            yield column >= bounds.gte
        if bounds.lt is not None:
            yield column < bounds.lt
    elif bounds is not None:
        if bounds.gte is not None:
            yield column >= whole(bounds.gte)
        if bounds.lte is not None:
            yield column <= whole(bounds.lte)


def _near(near: GeoNear) -> Iterator[ColumnElement[bool]]:
    """Yield a bounding box, which an index and the planner's statistics support, then the distance.

    The distance is the haversine formula. The box is that of Bronshtein, 3.195: meridians touch the
    circle at asin(sin(radius) / cos(latitude)), unless the circle contains a pole.
    """
    latitude, longitude = col(ImageRow.latitude), col(ImageRow.longitude)
    radius = max(near.radius_km, MIN_RADIUS_KM)
    degrees = radius / KM_PER_DEGREE * ROUNDING_FACTOR
    south, north = near.latitude - degrees, near.latitude + degrees
    yield latitude.between(south, north)
    if south > -90 and north < 90:  # noqa: PLR2004 - the poles
        ratio = math.sin(math.radians(degrees)) / math.cos(math.radians(near.latitude))
        width = math.degrees(math.asin(min(1.0, ratio))) * ROUNDING_FACTOR
        # The map is repeated to both sides, since the circle may cross the date line.
        yield or_(
            *(
                longitude.between(near.longitude + turn - width, near.longitude + turn + width)
                for turn in (-360, 0, 360)
                if abs(near.longitude + turn) - width <= 180  # noqa: PLR2004 - the date line
            )
        )
    root = func.power(func.sin(_angle(latitude - near.latitude) / 2.0), 2) + (
        func.cos(_angle(latitude))
        * math.cos(math.radians(near.latitude))
        * func.power(func.sin(_angle(longitude - near.longitude) / 2.0), 2)
    )
    distance = 2 * EARTH_RADIUS_KM * func.asin(func.least(1.0, func.sqrt(root)))
    yield distance <= radius


def _within_box(box: GeoBox) -> Iterator[ColumnElement[bool]]:
    yield col(ImageRow.latitude).between(box.south, box.north)
    yield or_(*(col(ImageRow.longitude).between(*each) for each in box.longitudes))


def _angle(degrees: SQLColumnExpression[Any]) -> ColumnElement[float]:
    """Return radians without the sign. PostgreSQL raises an error where a float underflows."""
    return func.radians(func.greatest(func.abs(degrees), 1e-30))


def _has_orientation(orientation: Orientation) -> ColumnElement[bool]:
    width, height = col(ImageRow.width), col(ImageRow.height)
    if orientation is Orientation.SQUARE:
        return width == height
    return width > height if orientation is Orientation.LANDSCAPE else width < height


def _is_named(name: str) -> ColumnElement[bool]:
    # The collation of the index, in which a range of names has a common beginning.
    filename = col(ImageRow.filename).collate("C")
    if "*" not in name:
        return filename == name
    literal_parts = (re.sub(r"([\\%_])", r"\\\1", part) for part in name.split("*"))
    return filename.like("%".join(literal_parts), escape="\\")


def _split_words(keywords: str) -> str:
    """Split words at punctuation as ``image_words`` does, except at quotes and a leading minus."""
    return re.sub(r"(?!(?<!\S)-(?=[\w\"]))[^\w\s\"]|_", " ", keywords)
