"""The fields of an image, its filter, its sort orders and its changes."""

from datetime import datetime
from enum import Enum
from typing import Annotated, Any, Self, TypeAlias

import strawberry
from graphql import GRAPHQL_MAX_INT, GRAPHQL_MIN_INT

from domain.entities import filters, images, places
from domain.entities.filters import Orientation, SortField
from domain.entities.images import ImageStatus
from domain.entities.listing import Sort
from graph.schema.arguments import none_if_unset
from graph.schema.context import Info
from graph.schema.ids import global_id, uuids_of
from graph.schema.scalars import URL, LocalDateTime

strawberry.enum(
    ImageStatus, description="The progress of indexing. Searches find READY images only."
)
strawberry.enum(
    Orientation, description="The shape of an upright picture: its width compared with its height."
)
strawberry.enum(
    SortField, name="ImageSortField", description="The field that a listing is sorted by."
)


@strawberry.enum
class ImageVariant(Enum):
    """The stored forms of an image: the original and two WebP renditions."""

    ORIGINAL = strawberry.enum_value(
        images.Variant.ORIGINAL, description="The bytes as they were uploaded."
    )
    LARGE = strawberry.enum_value(
        images.Variant.LARGE,
        description="At most 1,600 pixels on the longest side, upright, without metadata.",
    )
    THUMBNAIL = strawberry.enum_value(
        images.Variant.THUMBNAIL,
        description="At most 320 pixels on the longest side, upright, without metadata.",
    )


Shown: TypeAlias = Annotated[
    ImageVariant, strawberry.argument(description="Which variant, ORIGINAL by default.")
]


@strawberry.type
class GeoPoint:
    """A place in WGS 84, in signed degrees: north and east are positive."""

    latitude: float
    """-90 to 90 degrees, north is positive."""
    longitude: float
    """-180 to 180 degrees, east is positive."""


@strawberry.type
class ExifTag:
    """An EXIF tag of a file."""

    name: str
    """The standard name, as FNumber."""
    value: str
    """The value as text."""


@strawberry.type
class Exif:
    """The EXIF metadata of a file, as far as it is readable."""

    taken_at: datetime | None
    """When the picture was taken. Null where the offset of the camera's clock is unknown: see
    takenAtLocal."""
    taken_at_local: LocalDateTime | None
    """The local time of the place, as the camera's clock showed it. Known for every picture with a
    time. Months, and the order by TAKEN_AT, go by it."""
    camera_make: str | None
    """The maker of the camera, as the camera wrote it."""
    camera_model: str | None
    """The model of the camera, as the camera wrote it."""
    lens: str | None
    """The model of the lens."""
    location: GeoPoint | None
    """Where the picture was taken. Null where the file does not say it."""
    iso: int | None
    """The sensitivity (ISO 12232)."""
    f_number: float | None
    """The focal length divided by the diameter of the aperture: 8 for f/8."""
    exposure_seconds: float | None
    """The exposure time in seconds."""
    focal_length_mm: float | None
    """The focal length in millimetres, not converted to another sensor size."""
    exif: strawberry.Private[images.Exif]

    @classmethod
    def of(cls, exif: images.Exif) -> "Exif":
        """Convert EXIF metadata of the domain."""
        place = exif.location
        return cls(
            taken_at=exif.taken_at,
            taken_at_local=LocalDateTime(exif.taken_at_local) if exif.taken_at_local else None,
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

    @strawberry.field
    def all(self) -> list[ExifTag]:
        """Every readable tag by its standard name, with its value as text."""
        return [ExifTag(name=name, value=value) for name, value in sorted(self.exif.all.items())]


@strawberry.type
class ImageFields:
    """The fields of an image that the catalog stores."""

    id: strawberry.ID
    """The global id, of this image for ever."""
    filename: str = strawberry.field(
        description="The file name of the upload. It need not be unique."
    )
    content_type: str = strawberry.field(
        description="The media type of the bytes, whatever the client declared."
    )
    byte_size: int
    """The size of the original in bytes."""
    sha256: str = strawberry.field(
        description=(
            "The SHA-256 of the original in hexadecimal. No two images have the same bytes."
        )
    )
    width: int | None = strawberry.field(
        description="In pixels, after EXIF orientation. Null until the image is READY."
    )
    height: int | None
    """In pixels, after EXIF orientation. Null until the image is READY."""
    placeholder: str | None = strawberry.field(
        description=(
            "A thumbhash in base64: a tiny blurred preview to paint until the thumbnail is loaded."
        )
    )
    status: ImageStatus
    """Whether the image is indexed."""
    failure_reason: str | None = strawberry.field(
        description="Why indexing failed. Null unless the status is FAILED."
    )
    alt_text: str | None
    """What the picture shows, for people who cannot see it. At most 2,000 characters, written by
    people."""
    rating: int | None = strawberry.field(description="The rating that people gave, 1 to 5.")
    tags: list[str] = strawberry.field(description="In alphabetical order.")
    exif: Exif | None = strawberry.field(description="Null when the file has no EXIF metadata.")
    created_at: datetime
    """When the image was added to the library."""
    updated_at: datetime
    """When the tags, the alternative text, the rating or the status last changed. Equal to
    `createdAt` where they have not changed since."""
    deleted_at: datetime | None = strawberry.field(
        description="When the image was moved into the trash. Null for an image of the library."
    )
    image: strawberry.Private[images.Image]

    @classmethod
    def of(cls, image: images.Image) -> Self:
        """Convert an image of the domain."""
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
            updated_at=image.updated_at or image.created_at,
            deleted_at=image.deleted_at,
            image=image,
        )

    @strawberry.field
    def url(self, info: Info, variant: Shown = ImageVariant.ORIGINAL) -> URL:
        """The URL of a variant. Its bytes never change, so it can be cached for ever.

        While the image is PROCESSING, the renditions answer 503 with `Retry-After`.
        """
        return URL(info.context.url_of(self.image.id, images.Variant[variant.name]))

    @strawberry.field
    def available_url(self, info: Info, variant: Shown = ImageVariant.ORIGINAL) -> URL | None:
        """The URL of a variant that is there; null for a rendition until the image is READY."""
        wanted = images.Variant[variant.name]
        if not self.image.offers(wanted):
            return None
        return URL(info.context.url_of(self.image.id, wanted))


@strawberry.enum
class SortDirection(Enum):
    """Ascending or descending."""

    ASC = "asc"
    """The smallest, oldest or alphabetically first value first."""
    DESC = "desc"
    """The largest, newest or alphabetically last value first."""


@strawberry.input
class ImageSort:
    """A sort order. Images without a value come last in both directions."""

    field: SortField = SortField.CREATED_AT
    """The field to sort by."""
    direction: SortDirection = SortDirection.DESC
    """The direction, DESC by default."""

    def to_domain(self) -> Sort:
        """Convert to a sort order of the domain."""
        return Sort(self.field, descending=self.direction is SortDirection.DESC)


@strawberry.input
class DateTimeRange:
    """A half-open range of time: gte <= t < lt. A bound may be omitted."""

    gte: datetime | None = strawberry.UNSET
    """The first instant of the range."""
    lt: datetime | None = strawberry.UNSET
    """The first instant after the range."""

    def to_domain(self) -> filters.TimeRange:
        """Convert to a range of the domain. Raises InvalidArgument."""
        return filters.TimeRange(none_if_unset(self.gte), none_if_unset(self.lt))


@strawberry.input
class LocalDateTimeRange:
    """A half-open range of local times: gte <= t < lt. A bound may be omitted."""

    gte: LocalDateTime | None = strawberry.UNSET
    """The first time of the range."""
    lt: LocalDateTime | None = strawberry.UNSET
    """The first time after the range."""

    def to_domain(self) -> filters.LocalTimeRange:
        """Convert to a range of the domain."""
        return filters.LocalTimeRange(none_if_unset(self.gte), none_if_unset(self.lt))


@strawberry.input
class IntRange:
    """A closed range of integers: gte <= n <= lte. A bound may be omitted."""

    gte: int | None = strawberry.UNSET
    """The smallest number of the range."""
    lte: int | None = strawberry.UNSET
    """The largest number of the range."""

    def to_domain(self) -> filters.IntRange:
        """Convert to a range of the domain. No value is beyond 32 bits."""
        return filters.IntRange(_within_32_bits(self.gte), _within_32_bits(self.lte))


def _within_32_bits(bound: int | None) -> int | None:
    number = none_if_unset(bound)
    return None if number is None else max(GRAPHQL_MIN_INT, min(number, GRAPHQL_MAX_INT))


@strawberry.input
class GeoNear:
    """Within a great-circle distance of a place, in signed degrees and kilometres."""

    latitude: float
    """Of the place, -90 to 90 degrees, north is positive."""
    longitude: float
    """Of the place, -180 to 180 degrees, east is positive."""
    radius_km: float
    """The distance in kilometres, 0 to 20,100."""

    def to_domain(self) -> filters.GeoNear:
        """Convert to a condition of the domain. Raises InvalidArgument."""
        return filters.GeoNear(self.latitude, self.longitude, self.radius_km)


@strawberry.input
class GeoBox:
    """A part of a map, its edges included. It crosses the date line where east is less than west.

    Longitudes may be up to 540, as of a map that was dragged over the date line.
    """

    north: float
    """The latitude in degrees of the northern edge, -90 to 90."""
    south: float
    """The latitude in degrees of the southern edge, -90 to `north`."""
    east: float
    """The longitude in degrees of the eastern edge."""
    west: float
    """The longitude in degrees of the western edge."""

    def to_domain(self) -> places.GeoBox:
        """Convert to a box of the domain. Raises InvalidArgument."""
        return places.GeoBox(self.north, self.south, self.east, self.west)


@strawberry.input
class ImageFilter:
    """Conditions that must all hold. An omitted condition and null are no condition."""

    taken_at: DateTimeRange | None = strawberry.UNSET
    """When the picture was taken: compares instants. A local time whose offset is unknown counts as
    UTC. Images without a time do not match."""
    taken_at_local: LocalDateTimeRange | None = strawberry.UNSET
    """When the picture was taken, in local time. Images without a time do not match."""
    created_at: DateTimeRange | None = strawberry.UNSET
    """When the image was added to the library."""
    camera_make_in: list[str] | None = strawberry.UNSET
    """One of these makers, as the cameras wrote them. At most 1,000."""
    camera_model_in: list[str] | None = strawberry.UNSET
    """One of these models, as the cameras wrote them. At most 1,000."""
    near: GeoNear | None = strawberry.UNSET
    """Taken near a place. Images without a place do not match."""
    within: GeoBox | None = strawberry.UNSET
    """Taken inside a part of a map. Images without a place do not match."""
    has_location: bool | None = strawberry.UNSET
    """True for images with a place, false for those without."""
    tags_all: list[str] | None = strawberry.UNSET
    """The image has all of these tags. At most 1,000."""
    tags_any: list[str] | None = strawberry.UNSET
    """The image has one of these tags at least. An empty list matches nothing. At most 1,000."""
    tags_none: list[str] | None = strawberry.UNSET
    """The image has none of these tags. At most 1,000."""
    filename: str | None = strawberry.UNSET
    """The whole file name, with the same capitals. `*` stands for any characters, as in
    IMG_*.HEIC."""
    keywords: str | None = strawberry.field(
        default=strawberry.UNSET,
        description=(
            "Words in the file name, alt text and tags, in the syntax of PostgreSQL's web search."
        ),
    )
    content_type_in: list[str] | None = strawberry.UNSET
    """One of these media types, as image/jpeg. At most 1,000."""
    orientation: Orientation | None = strawberry.UNSET
    """The shape. Only READY images have one."""
    width: IntRange | None = strawberry.UNSET
    """The width in pixels, after EXIF orientation."""
    height: IntRange | None = strawberry.UNSET
    """The height in pixels, after EXIF orientation."""
    rating: IntRange | None = strawberry.UNSET
    """The rating, 1 to 5. Images without a rating do not match."""
    status_in: list[ImageStatus] | None = strawberry.UNSET
    """One of these states."""
    ids_not_in: list[strawberry.ID] | None = strawberry.UNSET
    """Images to leave out. At most 1,000."""
    deleted: bool | None = strawberry.field(
        default=strawberry.UNSET,
        description=(
            "True lists the images in the trash instead of the library. It needs a key with the "
            "scope WRITE, and searches refuse it."
        ),
    )

    def to_domain(self) -> filters.ImageFilter:
        """Convert to a filter of the domain. Raises InvalidArgument."""
        conditions = {name: _condition(value) for name, value in vars(self).items()}
        if ids := none_if_unset(self.ids_not_in):
            conditions["ids_not_in"] = tuple(
                uuids_of(ids, location=("filter", "ids_not_in"), most=filters.MAX_CONDITION_LENGTH)
            )
        return filters.ImageFilter(**conditions)


# Any: the fields of both filters correspond by name, which the type checker cannot see.
def _condition(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, list):
        return tuple(value)
    return value.to_domain() if hasattr(value, "to_domain") else none_if_unset(value)


Filter: TypeAlias = Annotated[
    ImageFilter | None,
    strawberry.argument(name="filter", description="Conditions that the images must meet."),
]


def criteria_of(criteria: ImageFilter | None) -> filters.ImageFilter:
    """Return the filter of the domain; an omitted one matches every image."""
    return (none_if_unset(criteria) or ImageFilter()).to_domain()


@strawberry.input
class UpdateImageInput:
    """An image and the new values of its fields. An omitted field keeps its value."""

    id: strawberry.ID
    """The id of the image."""
    alt_text: str | None = strawberry.field(
        default=strawberry.UNSET, description="Null removes the alt text."
    )
    rating: int | None = strawberry.field(
        default=strawberry.UNSET, description="1 to 5. Null removes the rating."
    )

    def changes(self) -> images.ImageChanges:
        """Convert to changes of the domain. Raises InvalidArgument."""
        sent = {name: value for name, value in vars(self).items() if name != "id"}
        return images.ImageChanges(**{n: v for n, v in sent.items() if v is not strawberry.UNSET})
