"""Keep missing objects and the digests of objects, so that images survive moved files."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"

UP = (
    # missing_since is null for objects that the last import found. Infinity marks objects of
    # folders that could not be listed: their grace period has not begun. The digests are those of
    # the image; they stay when a user deletes it, so that no file brings it back.
    """
    ALTER TABLE objects
        ADD COLUMN missing_since timestamptz,
        ADD COLUMN sha256 text,
        ADD COLUMN pixel_sha256 text
    """,
    """
    UPDATE objects SET sha256 = images.sha256, pixel_sha256 = images.pixel_sha256
    FROM images WHERE images.id = objects.image_id
    """,
    "DROP INDEX objects_by_location",
    """
    CREATE UNIQUE INDEX objects_by_location ON objects (location, missing_since DESC)
    NULLS NOT DISTINCT
    """,
    "CREATE INDEX objects_missing ON objects (location) WHERE missing_since IS NOT NULL",
    """
    CREATE INDEX objects_deleted ON objects (sha256)
    WHERE image_id IS NULL AND sha256 IS NOT NULL
    """,
    """
    CREATE INDEX objects_deleted_by_pixels ON objects (pixel_sha256)
    WHERE image_id IS NULL AND pixel_sha256 IS NOT NULL
    """,
)

DOWN = (
    "DELETE FROM objects WHERE missing_since IS NOT NULL",
    "DROP INDEX objects_by_location, objects_deleted, objects_deleted_by_pixels",
    """
    ALTER TABLE objects
        DROP COLUMN missing_since,
        DROP COLUMN sha256,
        DROP COLUMN pixel_sha256
    """,
    "CREATE UNIQUE INDEX objects_by_location ON objects (location)",
)


def upgrade() -> None:
    """Add the columns and indexes."""
    for statement in UP:
        op.execute(statement)


def downgrade() -> None:
    """Drop the columns and indexes. Missing objects are forgotten; their images stay."""
    for statement in DOWN:
        op.execute(statement)
