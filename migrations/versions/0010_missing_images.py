"""Keep images whose files are all missing in the trash, apart from those that a user deleted."""

from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0009"

UP = (
    "ALTER TABLE images ADD COLUMN is_missing boolean NOT NULL DEFAULT false",
    # Emptying the trash passes over the missing images, of which there may be many.
    "DROP INDEX images_by_deleted_at",
    """
    CREATE INDEX images_by_deleted_at ON images (is_missing, deleted_at)
    WHERE deleted_at IS NOT NULL
    """,
)

DOWN = (
    # Embeddings as the trash moves them back: only of READY images, and of models that exist.
    """
    WITH moved AS (
        DELETE FROM deleted_embeddings
        WHERE image_id IN (SELECT id FROM images WHERE is_missing)
        RETURNING image_id, model_id, embedding
    )
    INSERT INTO embeddings (image_id, model_id, embedding)
    SELECT image_id, model_id, embedding FROM moved JOIN images ON images.id = image_id
    WHERE status = 'ready' AND to_regclass('embeddings_' || model_id) IS NOT NULL
    ON CONFLICT DO NOTHING
    """,
    # Images in the trash have no tasks: a READY one needs an embedding by each live model.
    """
    INSERT INTO work (model_id, image_id)
    SELECT models.id, images.id FROM models JOIN images ON
        (status = 'ready' AND state IN ('backfilling', 'ready', 'active'))
        OR (status = 'processing' AND state = 'active')
    WHERE is_missing AND NOT EXISTS (
        SELECT FROM embeddings WHERE image_id = images.id AND model_id = models.id
        AND status = 'ready'
    )
    ON CONFLICT DO NOTHING
    """,
    "UPDATE images SET deleted_at = NULL WHERE is_missing",
    "DROP INDEX images_by_deleted_at",
    "ALTER TABLE images DROP COLUMN is_missing",
    "CREATE INDEX images_by_deleted_at ON images (deleted_at) WHERE deleted_at IS NOT NULL",
)


def upgrade() -> None:
    """Add the column. Images that are missing now move into the trash with the next import."""
    for statement in UP:
        op.execute(statement)


def downgrade() -> None:
    """Move missing images out of the trash, as earlier versions show them, and drop the column."""
    for statement in DOWN:
        op.execute(statement)
