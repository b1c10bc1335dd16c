"""The tables beside that of images, as SQLModel declares them. Migrations create them."""

# No postponed annotations here: SQLModel reads them when a class is made.

from datetime import datetime
from typing import Any
from uuid import UUID

from pgvector.sqlalchemy import VECTOR
from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Text,
    false,
    text,
    true,
)
from sqlalchemy.dialects.postgresql import (
    ARRAY,
    BIGINT,
    DOUBLE_PRECISION,
    JSONB,
    REAL,
    SMALLINT,
    TIMESTAMP,
)
from sqlalchemy.dialects.postgresql import UUID as UUID_TYPE
from sqlmodel import Field, SQLModel

import infra.postgres.images  # noqa: F401 - declares the table that others refer to


class LibraryRow(SQLModel, table=True):
    """The identity of the library, in one row. The marker in the storage repeats the id."""

    __tablename__ = "library"

    is_only: bool = Field(
        default=True, sa_column=Column(Boolean, server_default=true(), primary_key=True)
    )
    id: UUID = Field(
        sa_column=Column(
            UUID_TYPE(as_uuid=True), server_default=text("gen_random_uuid()"), nullable=False
        )
    )


class ModelRow(SQLModel, table=True):
    """A model that has or had embeddings in the library. At most one is active."""

    __tablename__ = "models"

    id: int | None = Field(
        default=None, sa_column=Column(Integer, Identity(always=True), primary_key=True)
    )
    name: str = Field(sa_type=Text)
    dimensions: int
    state: str = Field(sa_type=Text)
    source: str | None = Field(default=None, sa_type=Text)
    """What it is loaded from: a folder, or a name on the hub."""
    activated_at: datetime | None = Field(default=None, sa_type=TIMESTAMP(timezone=True))


class EmbeddingRow(SQLModel, table=True):
    """An embedding of an image. Each model has a partition of its own, with its own HNSW index."""

    __tablename__ = "embeddings"
    __table_args__ = ({"postgresql_partition_by": "LIST (model_id)"},)

    image_id: UUID = Field(
        sa_column=Column(
            UUID_TYPE(as_uuid=True), ForeignKey("images.id", ondelete="CASCADE"), primary_key=True
        )
    )
    model_id: int = Field(foreign_key="models.id", primary_key=True)
    embedding: list[float] = Field(sa_type=VECTOR, nullable=False)


class DeletedEmbeddingRow(SQLModel, table=True):
    """An embedding of an image in the trash, where no search finds it."""

    __tablename__ = "deleted_embeddings"

    image_id: UUID = Field(foreign_key="images.id", ondelete="CASCADE", primary_key=True)
    model_id: int = Field(foreign_key="models.id", ondelete="CASCADE", primary_key=True)
    embedding: list[float] = Field(sa_type=VECTOR, nullable=False)


class LikenessRow(SQLModel, table=True):
    """A pair of near duplicates by hash and by a model. The pairs connect all images of a group.

    Distance and similarity are stored, so that narrower bounds need no new comparison.
    """

    __tablename__ = "likenesses"

    image_id: UUID = Field(foreign_key="images.id", ondelete="CASCADE", primary_key=True)
    other_id: UUID = Field(foreign_key="images.id", ondelete="CASCADE", primary_key=True)
    model_id: int = Field(primary_key=True)
    distance: int = Field(sa_type=SMALLINT)
    similarity: float = Field(sa_type=REAL)
    exact: bool


class ComparisonRow(SQLModel, table=True):
    """An image that was compared with all earlier ones, directly or through a duplicate of it."""

    __tablename__ = "comparisons"

    image_id: UUID = Field(foreign_key="images.id", ondelete="CASCADE", primary_key=True)
    model_id: int = Field(primary_key=True)
    through_id: UUID | None = Field(foreign_key="images.id", ondelete="CASCADE", nullable=True)
    copy_of_id: UUID | None = Field(foreign_key="images.id", ondelete="CASCADE", nullable=True)


class ConceptsRow(SQLModel, table=True):
    """The embeddings of the concept bank by a model, as 32-bit floats."""

    __tablename__ = "concepts"

    model_id: int = Field(
        sa_column=Column(Integer, ForeignKey("models.id", ondelete="CASCADE"), primary_key=True)
    )
    sha256: str = Field(sa_type=Text)
    """Of the concepts' texts."""
    embeddings: bytes


class ScanTableRow(SQLModel, table=True):
    """The parameters of index scans that were measured for one model."""

    __tablename__ = "scan_tables"

    model_id: int = Field(
        sa_column=Column(Integer, ForeignKey("models.id", ondelete="CASCADE"), primary_key=True)
    )
    tuned_at: datetime = Field(sa_type=TIMESTAMP(timezone=True))
    target_recall: float = Field(sa_type=DOUBLE_PRECISION)
    images: int
    """How many embeddings the model had."""
    scans: list[dict[str, Any]] = Field(sa_type=JSONB)
    """The rows, as ``ScanRow`` has them."""


class SearchRow(SQLModel, table=True):
    """A kept search. The table is unlogged: a crash of the database may empty it."""

    __tablename__ = "searches"
    __table_args__ = ({"prefixes": ["UNLOGGED"]},)

    id: UUID = Field(primary_key=True)
    created_at: datetime = Field(sa_type=TIMESTAMP(timezone=True))
    model: str = Field(sa_type=Text)
    kind: str = Field(sa_type=Text)
    embedding: list[float] = Field(sa_type=ARRAY(DOUBLE_PRECISION))
    question: str = Field(sa_type=Text)
    conditions: str = Field(sa_type=Text)
    image_ids: list[UUID] = Field(sa_type=ARRAY(UUID_TYPE(as_uuid=True)))
    scores: list[float] = Field(sa_type=ARRAY(DOUBLE_PRECISION))
    exact: bool
    part_embeddings: list[list[float]] = Field(sa_type=ARRAY(REAL, dimensions=2))
    part_kinds: list[str] = Field(sa_type=ARRAY(Text))
    part_weights: list[float] = Field(sa_type=ARRAY(DOUBLE_PRECISION))
    relevances: list[float | None] | None = Field(sa_type=ARRAY(DOUBLE_PRECISION))
    stand_for: list[int] = Field(sa_type=ARRAY(Integer))
    depth: int = Field(sa_column=Column(Integer, server_default=text("1000"), nullable=False))
    ranked_depth: int = Field(
        sa_column=Column(Integer, server_default=text("1000"), nullable=False)
    )


class WorkRow(SQLModel, table=True):
    """A task: an image that a model has not embedded, or an object that becomes one with this id.

    It can be leased from ``due_at`` on. A lease postpones that. Infinity marks a dead letter.
    """

    __tablename__ = "work"

    model_id: int = Field(
        sa_column=Column(Integer, ForeignKey("models.id", ondelete="CASCADE"), primary_key=True)
    )
    image_id: UUID = Field(primary_key=True)
    due_at: datetime = Field(
        sa_column=Column(TIMESTAMP(timezone=True), server_default=text("now()"), nullable=False)
    )
    lease: UUID | None
    attempts: int = Field(sa_column=Column(SMALLINT, server_default=text("0"), nullable=False))
    error: str | None = Field(sa_type=Text)


class ObjectRow(SQLModel, table=True):
    """An external picture. Without an image and an error it waits, or its image was deleted.

    ``missing_since`` is null where the last import found it, and infinity where its folder could
    not be listed. The digests are those of its image, and remain when a user deletes that.
    """

    __tablename__ = "objects"

    id: UUID = Field(primary_key=True)
    location: str = Field(sa_type=Text)
    version: str = Field(sa_type=Text)
    byte_size: int = Field(sa_type=BIGINT)
    tags: list[str] = Field(sa_type=ARRAY(Text))
    image_id: UUID | None = Field(foreign_key="images.id", ondelete="SET NULL", nullable=True)
    error: str | None = Field(sa_type=Text)
    missing_since: datetime | None = Field(default=None, sa_type=TIMESTAMP(timezone=True))
    sha256: str | None = Field(default=None, sa_type=Text)
    pixel_sha256: str | None = Field(default=None, sa_type=Text)


class UploadTargetRow(SQLModel, table=True):
    """A target of a direct upload, with its image once it has one."""

    __tablename__ = "upload_targets"

    id: UUID = Field(primary_key=True)
    filename: str = Field(sa_type=Text)
    content_type: str = Field(sa_type=Text)
    byte_size: int = Field(sa_type=BIGINT)
    sha256: str | None = Field(sa_type=Text)
    expires_at: datetime = Field(sa_type=TIMESTAMP(timezone=True))
    image_id: UUID | None = Field(foreign_key="images.id", ondelete="CASCADE", nullable=True)
    is_duplicate: bool = Field(sa_column=Column(Boolean, server_default=false(), nullable=False))


class ApiKeyRow(SQLModel, table=True):
    """An API key: its digest, never the key itself."""

    __tablename__ = "api_keys"

    id: UUID = Field(primary_key=True)
    name: str = Field(sa_type=Text)
    sha256: str = Field(sa_type=Text, unique=True)
    scopes: list[str] = Field(sa_type=ARRAY(Text))
    created_at: datetime = Field(sa_type=TIMESTAMP(timezone=True))
    revoked_at: datetime | None = Field(sa_type=TIMESTAMP(timezone=True))


metadata = SQLModel.metadata
Index("likenesses_by_other", metadata.tables["likenesses"].c.other_id)
Index(
    "comparisons_by_through",
    metadata.tables["comparisons"].c.through_id,
    postgresql_where=text("through_id IS NOT NULL"),
)
Index(
    "comparisons_by_copy",
    metadata.tables["comparisons"].c.copy_of_id,
    postgresql_where=text("copy_of_id IS NOT NULL"),
)
_work = metadata.tables["work"]
Index("work_by_due", _work.c.model_id, _work.c.due_at, _work.c.image_id)
_objects = metadata.tables["objects"]
Index(
    "objects_by_location",
    _objects.c.location,
    _objects.c.missing_since.desc(),
    unique=True,
    postgresql_nulls_not_distinct=True,
)
Index("objects_missing", _objects.c.location, postgresql_where=text("missing_since IS NOT NULL"))
Index(
    "objects_deleted",
    _objects.c.sha256,
    postgresql_where=text("image_id IS NULL AND sha256 IS NOT NULL"),
)
Index(
    "objects_deleted_by_pixels",
    _objects.c.pixel_sha256,
    postgresql_where=text("image_id IS NULL AND pixel_sha256 IS NOT NULL"),
)
Index("objects_by_image", _objects.c.image_id, postgresql_where=text("image_id IS NOT NULL"))
_targets = metadata.tables["upload_targets"]
Index("upload_targets_by_expiry", _targets.c.expires_at)
Index("upload_targets_by_image", _targets.c.image_id, postgresql_where=text("image_id IS NOT NULL"))
Index("searches_by_created_at", metadata.tables["searches"].c.created_at)
_models = metadata.tables["models"]
Index("models_by_name", _models.c.name, _models.c.dimensions, unique=True)
Index("models_one_active", _models.c.state, unique=True, postgresql_where=text("state = 'active'"))
