"""What clients say of images they mean, turned into the domain's words."""

from datetime import datetime
from enum import Enum
from typing import Any, TypeVar

import strawberry

from domain import filters
from domain.filters import Orientation, Sort, SortField
from domain.images import ImageStatus
from domain.uploads import Upload
from graph.ids import uuids_of

T = TypeVar("T")

strawberry.enum(Orientation)
strawberry.enum(SortField, name="ImageSortField")


def given(value: T | None) -> T | None:
    """Return what was sent, and None for what was left out."""
    return None if value is strawberry.UNSET else value


@strawberry.enum
class SortDirection(Enum):
    """Which end comes first."""

    ASC = "asc"
    DESC = "desc"


@strawberry.input
class ImageSort:
    """An order of images."""

    field: SortField = SortField.CREATED_AT
    direction: SortDirection = SortDirection.DESC

    def to_domain(self) -> Sort:
        """Return the order that is meant."""
        return Sort(self.field, descending=self.direction is SortDirection.DESC)


@strawberry.input(description="gte <= t < lt")
class DateTimeRange:
    """A stretch of time."""

    gte: datetime | None = strawberry.UNSET
    lt: datetime | None = strawberry.UNSET

    def to_domain(self) -> filters.TimeRange:
        """Return the stretch that is meant."""
        return filters.TimeRange(given(self.gte), given(self.lt))


@strawberry.input
class IntRange:
    """A stretch of numbers."""

    gte: int | None = strawberry.UNSET
    lte: int | None = strawberry.UNSET

    def to_domain(self) -> filters.IntRange:
        """Return the stretch that is meant."""
        return filters.IntRange(given(self.gte), given(self.lte))


@strawberry.input
class GeoNear:
    """A circle on the globe."""

    latitude: float
    longitude: float
    radius_km: float

    def to_domain(self) -> filters.GeoNear:
        """Return the circle that is meant. Raises InvalidArgument."""
        return filters.GeoNear(self.latitude, self.longitude, self.radius_km)


@strawberry.input(description="All conditions that are given must hold.")
class ImageFilter:
    """Conditions; what is left out or null is none."""

    taken_at: DateTimeRange | None = strawberry.UNSET
    created_at: DateTimeRange | None = strawberry.UNSET
    camera_make_in: list[str] | None = strawberry.UNSET
    camera_model_in: list[str] | None = strawberry.UNSET
    near: GeoNear | None = strawberry.UNSET
    has_location: bool | None = strawberry.UNSET
    tags_all: list[str] | None = strawberry.UNSET
    tags_any: list[str] | None = strawberry.UNSET
    tags_none: list[str] | None = strawberry.UNSET
    keywords: str | None = strawberry.field(
        default=strawberry.UNSET,
        description=(
            "Words in file name, alt text and tags, as PostgreSQL's web search syntax reads them."
        ),
    )
    content_type_in: list[str] | None = strawberry.UNSET
    orientation: Orientation | None = strawberry.UNSET
    width: IntRange | None = strawberry.UNSET
    height: IntRange | None = strawberry.UNSET
    status_in: list[ImageStatus] | None = strawberry.UNSET
    ids_not_in: list[strawberry.ID] | None = strawberry.UNSET

    def to_domain(self) -> filters.ImageFilter:
        """Return the conditions that are meant. Raises InvalidArgument."""
        conditions = {name: _condition(value) for name, value in vars(self).items()}
        if ids := given(self.ids_not_in):
            conditions["ids_not_in"] = tuple(
                uuids_of(ids, argument="filter.idsNotIn", most=filters.MAX_CONDITION)
            )
        return filters.ImageFilter(**conditions)


# Any: the fields of both filters correspond by name, which the type checker cannot see.
def _condition(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, list):
        return tuple(value)
    return value.to_domain() if hasattr(value, "to_domain") else given(value)


def criteria_of(criteria: ImageFilter | None) -> filters.ImageFilter:
    """Return the conditions that are meant, none where none were sent."""
    return (given(criteria) or ImageFilter()).to_domain()


@strawberry.input
class UploadImagesInput:
    """Files, and tags for all of them."""

    files: list[Upload]
    tags: list[str] | None = strawberry.UNSET


@strawberry.input
class UpdateImageInput:
    """Which image, and what is said about it."""

    id: strawberry.ID
    alt_text: str | None = strawberry.field(
        default=strawberry.UNSET, description="Null removes it, leaving it out keeps it."
    )


@strawberry.input
class TagImagesInput:
    """Which images, and which tags."""

    image_ids: list[strawberry.ID]
    tags: list[str]


@strawberry.input
class DeleteImagesInput:
    """Which images."""

    ids: list[strawberry.ID]
