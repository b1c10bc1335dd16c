"""An image and what belongs to it, as the API shows them."""

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated, TypeAlias

import strawberry

from domain import images
from domain.images import ImageStatus
from domain.keys import Scope
from domain.label import Candidates
from graph.context import Context
from graph.cursors import search_at
from graph.facets import LabelScore
from graph.fields import described
from graph.ids import global_id
from graph.inputs import ImageFilter, criteria_of, given
from graph.scalars import URL

if TYPE_CHECKING:
    from graph.search_connection import ImageSearchConnection

Info: TypeAlias = strawberry.Info[Context, None]

strawberry.enum(ImageStatus)


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


@strawberry.interface
class Node:
    """Whatever can be fetched again by its id."""

    id: strawberry.ID


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
class Image(Node):
    """A picture of the library."""

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
    tags: list[str] = strawberry.field(description="In alphabetical order.")
    exif: Exif | None = strawberry.field(description="Null when the file had none.")
    created_at: datetime
    image: strawberry.Private[images.Image]

    @classmethod
    def of(cls, image: images.Image) -> "Image":
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
            tags=list(image.tags),
            exif=Exif.of(image.exif) if image.exif else None,
            created_at=image.created_at,
            image=image,
        )

    @described("A rendition's address; stable enough to cache.")
    def url(self, info: Info, variant: ImageVariant = ImageVariant.ORIGINAL) -> URL:
        """Name where the bytes are."""
        return URL(info.context.url_of(self.image.id, images.Variant[variant.name]))

    @described("Images that look like this one, closest first, never itself.")
    async def similar_images(
        self,
        info: Info,
        first: int = 20,
        after: str | None = strawberry.UNSET,
        criteria: Annotated[
            ImageFilter | None, strawberry.argument(name="filter")
        ] = strawberry.UNSET,
    ) -> Annotated["ImageSearchConnection", strawberry.lazy("graph.search_connection")]:
        """Search by this image."""
        # A connection holds images and an image leads to one: the import waits until both exist.
        from graph.search_connection import ImageSearchConnection  # noqa: PLC0415

        use_cases = info.context.may(Scope.READ)
        info.context.count_searches()
        cursor = given(after)
        page = await use_cases.similar(
            self.image.id,
            criteria=criteria_of(criteria),
            first=first,
            after=None if cursor is None else search_at(cursor, argument="after"),
        )
        return ImageSearchConnection.of(page, info)

    @described(
        "Zero-shot classification: how well each label describes the image; the shares add up to "
        "1, best first."
    )
    async def labels(self, info: Info, candidates: list[str]) -> list[LabelScore]:
        """Hold labels against the image. One that is not READY gets none."""
        info.context.may(Scope.READ)
        scores = await info.context.labels.load((self.image.id, Candidates.of(candidates)))
        return [LabelScore(label=score.label, share=score.share) for score in scores]
