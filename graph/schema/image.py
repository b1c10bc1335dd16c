"""An image and what belongs to it, as the API shows them."""

from datetime import datetime
from enum import Enum
from typing import Any, Self

import strawberry

from domain.entities import filters, images
from domain.entities.filters import Orientation, SortField
from domain.entities.images import ImageStatus
from domain.entities.listing import Sort
from graph.schema.context import Info
from graph.schema.fields import described, given
from graph.schema.ids import global_id, uuids_of
from graph.schema.scalars import URL

strawberry.enum(ImageStatus)
strawberry.enum(Orientation)
strawberry.enum(SortField, name="ImageSortField")


@strawberry.enum
class ImageVariant(Enum):
    """The renditions of an image."""

    ORIGINAL = strawberry.enum_value(
        images.Variant.ORIGINAL, description="The bytes that were uploaded."
    )
    LARGE = strawberry.enum_value(
        images.Variant.LARGE, description="Longest side 1600 px, upright, metadata stripped."
    )
    THUMBNAIL = strawberry.enum_value(
        images.Variant.THUMBNAIL, description="Longest side 320 px, upright, metadata stripped."
    )


@strawberry.type
class GeoPoint:
    """A place on WGS 84, in signed degrees."""

    latitude: float
    longitude: float


@strawberry.type
class ExifTag:
    """One tag of a file."""

    name: str
    value: str


@strawberry.type(description="What the camera wrote into the file.")
class Exif:
    """What the camera wrote into the file."""

    taken_at: datetime | None
    camera_make: str | None
    camera_model: str | None
    lens: str | None
    location: GeoPoint | None
    iso: int | None
    f_number: float | None
    exposure_seconds: float | None
    focal_length_mm: float | None
    exif: strawberry.Private[images.Exif]

    @classmethod
    def of(cls, exif: images.Exif) -> "Exif":
        """Return the domain's EXIF as the API shows it."""
        place = exif.location
        return cls(
            taken_at=exif.taken_at,
            camera_make=exif.camera_make,
            camera_model=exif.camera_model,
            lens=exif.lens,
            location=GeoPoint(latitude=place.latitude, longitude=place.longitude)
            if place
            else None,
            iso=exif.iso,
            f_number=exif.f_number,
            exposure_seconds=exif.exposure_seconds,
            focal_length_mm=exif.focal_length_mm,
            exif=exif,
        )

    @described("Every tag that could be read, by its standard name, values as text.")
    def all(self) -> list[ExifTag]:
        """List the tags by name."""
        return [ExifTag(name=name, value=value) for name, value in sorted(self.exif.all.items())]


@strawberry.type
class ImageFields:
    """The fields of an image that the catalog holds."""

    id: strawberry.ID
    filename: str = strawberry.field(
        description="Name given at upload. Not unique, not used as a key."
    )
    content_type: str = strawberry.field(
        description="Media type found in the bytes, not the one the client claimed."
    )
    byte_size: int
    sha256: str = strawberry.field(
        description="SHA-256 of the original, hex. The same bytes twice are one image."
    )
    width: int | None = strawberry.field(
        description="Pixels, after EXIF orientation. Null until READY."
    )
    height: int | None
    placeholder: str | None = strawberry.field(
        description=(
            "A tiny blurred preview to paint before the thumbnail arrives (thumbhash, base64)."
        )
    )
    status: ImageStatus
    failure_reason: str | None = strawberry.field(description="Why status is FAILED.")
    alt_text: str | None
    rating: int | None = strawberry.field(description="1 to 5, given by people.")
    tags: list[str] = strawberry.field(description="In alphabetical order.")
    exif: Exif | None = strawberry.field(description="Null when the file had none.")
    created_at: datetime
    image: strawberry.Private[images.Image]

    @classmethod
    def of(cls, image: images.Image) -> Self:
        """Return the domain's image as the API shows it."""
        return cls(
            id=global_id(image.id),
            filename=image.filename,
            content_type=image.content_type,
            byte_size=image.byte_size,
            sha256=image.sha256,
            width=image.width,
            height=image.height,
            placeholder=image.placeholder,
            status=image.status,
            failure_reason=image.failure_reason,
            alt_text=image.alt_text,
            rating=image.rating,
            tags=list(image.tags),
            exif=Exif.of(image.exif) if image.exif else None,
            created_at=image.created_at,
            image=image,
        )

    @described("A rendition's address; stable enough to cache.")
    def url(self, info: Info, variant: ImageVariant = ImageVariant.ORIGINAL) -> URL:
        """Name where the bytes are."""
        return URL(info.context.url_of(self.image.id, images.Variant[variant.name]))


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
    rating: IntRange | None = strawberry.UNSET
    status_in: list[ImageStatus] | None = strawberry.UNSET
    ids_not_in: list[strawberry.ID] | None = strawberry.UNSET

    def to_domain(self) -> filters.ImageFilter:
        """Return the conditions that are meant. Raises InvalidArgument."""
        conditions = {name: _condition(value) for name, value in vars(self).items()}
        if ids := given(self.ids_not_in):
            conditions["ids_not_in"] = tuple(
                uuids_of(ids, location=("filter", "ids_not_in"), most=filters.MAX_CONDITION_LENGTH)
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
class UpdateImageInput:
    """Which image, and what is said about it."""

    id: strawberry.ID
    alt_text: str | None = strawberry.field(
        default=strawberry.UNSET, description="Null removes it, leaving it out keeps it."
    )

    rating: int | None = strawberry.field(
        default=strawberry.UNSET,
        description="1 to 5. Null removes it, leaving it out keeps it.",
    )

    def changes(self) -> images.ImageChanges:
        """Return the changes that were sent. Raises InvalidArgument."""
        sent = {name: value for name, value in vars(self).items() if name != "id"}
        return images.ImageChanges(**{n: v for n, v in sent.items() if v is not strawberry.UNSET})
