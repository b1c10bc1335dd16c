"""The table of images: columns, conversion, filters and sort keys, each stated once."""

# No postponed annotations here: SQLModel reads them when a class is made.

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    Boolean,
    Column,
    Computed,
    Index,
    Row,
    SQLColumnExpression,
    Text,
    case,
    false,
    func,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import (
    ARRAY,
    BIGINT,
    BYTEA,
    DOUBLE_PRECISION,
    JSONB,
    SMALLINT,
    TIMESTAMP,
    TSVECTOR,
)
from sqlmodel import Field, SQLModel, col

from domain.entities.images import (
    MAX_TAGS_PER_IMAGE,
    Description,
    Exif,
    GeoPoint,
    Image,
    ImageStatus,
    Source,
)
from infra.postgres.parameters import array


class ImageRow(SQLModel, table=True):
    """An image. ``exif`` has the facts that no filter uses; it is null where the file has none."""

    __tablename__ = "images"

    id: UUID = Field(primary_key=True)
    sha256: str = Field(sa_type=Text, unique=True)
    filename: str = Field(sa_type=Text)
    content_type: str = Field(sa_type=Text)
    byte_size: int = Field(sa_type=BIGINT)
    created_at: datetime = Field(sa_type=TIMESTAMP(timezone=True))
    status: str = Field(sa_type=Text)
    failure_reason: str | None = Field(sa_type=Text)
    width: int | None
    height: int | None
    placeholder: str | None = Field(sa_type=Text)
    perceptual_hash: bytes | None = Field(sa_type=BYTEA)
    pixel_sha256: str | None = Field(sa_type=Text)
    alt_text: str | None = Field(sa_type=Text)
    rating: int | None = Field(sa_type=SMALLINT)
    tags: list[str] = Field(sa_type=ARRAY(Text))
    taken_at: datetime | None = Field(sa_type=TIMESTAMP(timezone=True))
    taken_at_local: datetime | None = Field(sa_type=TIMESTAMP)
    camera_make: str | None = Field(sa_type=Text)
    camera_model: str | None = Field(sa_type=Text)
    latitude: float | None = Field(sa_type=DOUBLE_PRECISION)
    longitude: float | None = Field(sa_type=DOUBLE_PRECISION)
    exif: dict[str, Any] | None = Field(sa_type=JSONB(none_as_null=True))
    source: str | None = Field(default=None, sa_type=Text)
    source_version: str | None = Field(default=None, sa_type=Text)
    ready_at: datetime | None = Field(default=None, sa_type=TIMESTAMP(timezone=True))
    deleted_at: datetime | None = Field(default=None, sa_type=TIMESTAMP(timezone=True))
    """Since when the image is in the trash."""
    updated_at: datetime | None = Field(default=None, sa_type=TIMESTAMP(timezone=True))
    """Set by a trigger when tags, alternative text, rating or status change."""
    is_missing: bool = Field(
        default=False, sa_column=Column(Boolean, server_default=false(), nullable=False)
    )
    """An import moved it into the trash, since all of its files are missing; no user deleted it."""
    lacks_large: bool = Field(
        default=False, sa_column=Column(Boolean, server_default=false(), nullable=False)
    )
    """LARGE is still to be rendered from the source."""
    original_read_at: datetime | None = Field(default=None, sa_type=TIMESTAMP(timezone=True))
    original_fault: str | None = Field(default=None, sa_type=Text)


IS_LIVE_IMAGE: Final = col(ImageRow.deleted_at).is_(None)
"""The image is not in the trash."""

RANGE_FILTERS: Final[Mapping[str, SQLColumnExpression[Any]]] = {
    "taken_at_local": col(ImageRow.taken_at_local),
    "created_at": col(ImageRow.created_at),
    "width": col(ImageRow.width),
    "height": col(ImageRow.height),
    "rating": col(ImageRow.rating),
}
"""The column of each range in ``ImageFilter`` but ``taken_at``, by the name of its field."""

VALUE_FILTERS: Final[Mapping[str, SQLColumnExpression[Any]]] = {
    "camera_make_in": col(ImageRow.camera_make),
    "camera_model_in": col(ImageRow.camera_model),
    "content_type_in": col(ImageRow.content_type),
    "status_in": col(ImageRow.status),
}
"""The column of each list of accepted values in ``ImageFilter``, by the name of its field."""

FILE_FACTS: Final = frozenset(
    {
        *("content_type", "status", "width", "height", "placeholder"),
        *("perceptual_hash", "pixel_sha256", "exif"),
        *("taken_at", "taken_at_local", "camera_make", "camera_model", "latitude", "longitude"),
    }
)
"""The columns that a worker writes for an image that exists. It never writes what people edit."""

EXIF_IN_JSON = ("lens", "iso", "f_number", "exposure_seconds", "focal_length_mm")
"""The facts of EXIF in the column ``exif``. The others have columns of their own for filters."""


def image_row(image: Image) -> ImageRow:
    """Return the row of an image."""
    exif = image.exif or Exif()
    return ImageRow(
        id=image.id,
        sha256=image.sha256,
        filename=image.filename,
        content_type=image.content_type,
        byte_size=image.byte_size,
        created_at=image.created_at,
        status=image.status,
        failure_reason=image.failure_reason,
        width=image.width,
        height=image.height,
        placeholder=image.placeholder,
        perceptual_hash=image.perceptual_hash,
        pixel_sha256=image.pixel_sha256,
        alt_text=image.alt_text,
        rating=image.rating,
        tags=list(image.tags),
        taken_at=exif.taken_at,
        taken_at_local=exif.taken_at_local,
        camera_make=exif.camera_make,
        camera_model=exif.camera_model,
        latitude=exif.location.latitude if exif.location else None,
        longitude=exif.location.longitude if exif.location else None,
        exif=None
        if image.exif is None
        else {name: getattr(exif, name) for name in EXIF_IN_JSON} | {"all": dict(exif.all)},
        source=image.source.location if image.source else None,
        source_version=image.source.version if image.source else None,
        deleted_at=image.deleted_at,
        lacks_large=image.lacks_large,
        updated_at=image.updated_at,
    )


def ready_values(image: Image, *, columns: Collection[str] | None = None) -> dict[str, Any]:
    """Return the values of these columns, or all, of an image that becomes READY now."""
    row = image_row(image).model_dump(include=set(columns) if columns else None)
    return row | {"ready_at": text("now()"), "failure_reason": None}


def description_values(description: Description) -> dict[str, Any]:
    """Return the values of an update that adds what a file says, and replaces no edit."""
    values: dict[str, Any] = {}
    if description.alt_text is not None:
        values["alt_text"] = func.coalesce(col(ImageRow.alt_text), description.alt_text)
    if description.rating is not None:
        values["rating"] = func.coalesce(col(ImageRow.rating), description.rating)
    if description.tags:
        both = func.array_cat(col(ImageRow.tags), array(description.tags))
        tag = func.unnest(both).column_valued("tag")
        merged = select(tag.collate("C")).distinct().order_by(tag.collate("C"))
        fits = func.cardinality(both) <= MAX_TAGS_PER_IMAGE
        values["tags"] = case(
            (fits, func.array(merged.scalar_subquery())), else_=col(ImageRow.tags)
        )
    return values


def image_of(row: ImageRow | Row[*tuple[Any, ...]]) -> Image:
    """Return the image of a row, by the names of its columns."""
    return Image(
        id=row.id,
        filename=row.filename,
        content_type=row.content_type,
        byte_size=row.byte_size,
        sha256=row.sha256,
        created_at=row.created_at,
        status=ImageStatus(row.status),
        width=row.width,
        height=row.height,
        placeholder=row.placeholder,
        perceptual_hash=row.perceptual_hash,
        pixel_sha256=row.pixel_sha256,
        failure_reason=row.failure_reason,
        alt_text=row.alt_text,
        rating=row.rating,
        tags=tuple(row.tags),
        exif=_exif_of(row),
        source=Source(row.source, row.source_version or "") if row.source else None,
        deleted_at=row.deleted_at,
        lacks_large=row.lacks_large,
        updated_at=row.updated_at,
    )


def _exif_of(row: ImageRow | Row[*tuple[Any, ...]]) -> Exif | None:
    if row.exif is None:
        return None
    location = None
    if row.latitude is not None and row.longitude is not None:
        location = GeoPoint(row.latitude, row.longitude)
    return Exif(
        taken_at=row.taken_at,
        taken_at_local=row.taken_at_local,
        camera_make=row.camera_make,
        camera_model=row.camera_model,
        location=location,
        **row.exif,
    )


_images = SQLModel.metadata.tables["images"]

WORDS: Column[Any] = Column(
    "words", TSVECTOR, Computed("image_words(filename, alt_text, tags)", persisted=True)
)
"""What keywords are searched in. It is a column of the table only, since no one reads it."""
_images.append_column(WORDS)

SORT_INDEXES = {
    "images_by_created_at": "created_at",
    "images_by_taken_at": "COALESCE(taken_at_local, 'infinity'::timestamp)",
    "images_by_taken_at_desc": "COALESCE(taken_at_local, '-infinity'::timestamp)",
    "images_by_byte_size": "byte_size",
    "images_by_rating": "COALESCE(rating, 2147483647)",
    "images_by_rating_desc": "COALESCE(rating, -1)",
}
"""Missing values come last in both directions, so a nullable key has an index for each."""
for _name, _expression in SORT_INDEXES.items():
    Index(_name, text(_expression), _images.c.id)
# By code point in the database (COLLATE "C"), which Alembic does not see when it compares.
Index("images_by_filename", _images.c.filename, _images.c.id)
Index("images_by_place", _images.c.latitude, _images.c.longitude)
Index("images_by_camera", _images.c.camera_make, _images.c.camera_model)
Index("images_by_tags", _images.c.tags, postgresql_using="gin")
Index("images_by_words", WORDS, postgresql_using="gin")
Index("images_by_pixel_sha256", _images.c.pixel_sha256)
Index("images_without_hash", _images.c.id, postgresql_where=text("perceptual_hash IS NULL"))
Index("images_without_large", _images.c.id, postgresql_where=text("lacks_large"))
Index("images_by_ready_at", _images.c.ready_at)
Index(
    "images_by_deleted_at",
    _images.c.is_missing,
    _images.c.deleted_at,
    postgresql_where=text("deleted_at IS NOT NULL"),
)
Index("images_by_read_at", text("COALESCE(original_read_at, created_at)"), _images.c.id)
Index(
    "images_by_original_fault",
    _images.c.id,
    postgresql_where=text("original_fault IS NOT NULL"),
)
