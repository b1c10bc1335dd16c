"""Add perceptual hashes, pairs of duplicates, and which images were compared."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"

UP = (
    """
    ALTER TABLE images
        ADD COLUMN perceptual_hash bytea,
        ADD COLUMN pixel_sha256 text,
        ADD CONSTRAINT perceptual_hash_of_256_bits CHECK (length(perceptual_hash) = 32)
    """,
    "CREATE INDEX images_by_pixel_sha256 ON images (pixel_sha256)",
    # Images that were indexed by an earlier version. The backfill of hashes empties this index.
    "CREATE INDEX images_without_hash ON images (id) WHERE perceptual_hash IS NULL",
    # model_id has no foreign key: rows of ``models`` are never deleted, and the check would slow
    # down the insert of each pair.
    """
    CREATE TABLE likenesses (
        image_id uuid NOT NULL REFERENCES images (id) ON DELETE CASCADE,
        other_id uuid NOT NULL REFERENCES images (id) ON DELETE CASCADE,
        model_id integer NOT NULL,
        distance smallint NOT NULL,
        similarity real NOT NULL,
        exact boolean NOT NULL,
        PRIMARY KEY (image_id, other_id, model_id)
    )
    """,
    "CREATE INDEX likenesses_by_other ON likenesses (other_id)",
    # through_id is the representative of an image, copy_of_id the first image of the same pixels.
    # Deleting either deletes the row, and the pairs with it, so that the image is compared again.
    """
    CREATE TABLE comparisons (
        image_id uuid NOT NULL REFERENCES images (id) ON DELETE CASCADE,
        model_id integer NOT NULL,
        through_id uuid REFERENCES images (id) ON DELETE CASCADE,
        copy_of_id uuid REFERENCES images (id) ON DELETE CASCADE,
        PRIMARY KEY (image_id, model_id)
    )
    """,
    """
    CREATE INDEX comparisons_by_through ON comparisons (through_id) WHERE through_id IS NOT NULL
    """,
    """
    CREATE INDEX comparisons_by_copy ON comparisons (copy_of_id) WHERE copy_of_id IS NOT NULL
    """,
)

DOWN = (
    "DROP TABLE comparisons, likenesses",
    "ALTER TABLE images DROP COLUMN perceptual_hash, DROP COLUMN pixel_sha256",
)


def upgrade() -> None:
    """Add the columns and tables. Existing images have no hash at first."""
    for statement in UP:
        op.execute(statement)


def downgrade() -> None:
    """Drop the columns and tables."""
    for statement in DOWN:
        op.execute(statement)
