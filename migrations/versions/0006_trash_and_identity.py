"""Give the library an id, keep deleted images in a trash, and note when originals were read."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"

UP = (
    # One row: the identity that the marker in the storage repeats.
    """
    CREATE TABLE library (
        is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
        id uuid NOT NULL DEFAULT gen_random_uuid()
    )
    """,
    "INSERT INTO library DEFAULT VALUES",
    """
    ALTER TABLE images
        ADD COLUMN deleted_at timestamptz,
        ADD COLUMN original_read_at timestamptz,
        ADD COLUMN original_fault text
    """,
    "CREATE INDEX images_by_deleted_at ON images (deleted_at) WHERE deleted_at IS NOT NULL",
    # An original that was never read is as old as its image: it was hashed when it was stored.
    "CREATE INDEX images_by_read_at ON images (COALESCE(original_read_at, created_at), id)",
    "CREATE INDEX images_by_original_fault ON images (id) WHERE original_fault IS NOT NULL",
    # Embeddings of deleted images wait here: no search of the table `embeddings` can find them, and
    # its indexes need no filter.
    """
    CREATE TABLE deleted_embeddings (
        image_id uuid NOT NULL REFERENCES images (id) ON DELETE CASCADE,
        model_id integer NOT NULL REFERENCES models (id) ON DELETE CASCADE,
        embedding vector NOT NULL,
        PRIMARY KEY (image_id, model_id)
    )
    """,
    # A deletion and a restoration are told as a change of the status is.
    """
    CREATE OR REPLACE FUNCTION tell_of_images() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'UPDATE' THEN
            PERFORM pg_notify('pictograph_images', string_agg(id::text, ','))
            FROM (
                SELECT id, (row_number() OVER () - 1) / 200 AS portion
                FROM after JOIN before USING (id) WHERE after.status <> before.status
                OR (after.deleted_at IS NULL) <> (before.deleted_at IS NULL)
            ) AS told GROUP BY portion;
        ELSE
            PERFORM pg_notify('pictograph_images', string_agg(id::text, ','))
            FROM (SELECT id, (row_number() OVER () - 1) / 200 AS portion FROM after) AS told
            GROUP BY portion;
        END IF;
        RETURN NULL;
    END $$
    """,
)

DOWN = (
    """
    CREATE OR REPLACE FUNCTION tell_of_images() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'UPDATE' THEN
            PERFORM pg_notify('pictograph_images', string_agg(id::text, ','))
            FROM (
                SELECT id, (row_number() OVER () - 1) / 200 AS portion
                FROM after JOIN before USING (id) WHERE after.status <> before.status
            ) AS told GROUP BY portion;
        ELSE
            PERFORM pg_notify('pictograph_images', string_agg(id::text, ','))
            FROM (SELECT id, (row_number() OVER () - 1) / 200 AS portion FROM after) AS told
            GROUP BY portion;
        END IF;
        RETURN NULL;
    END $$
    """,
    # Earlier versions have no trash: what was deleted must not come back.
    "DELETE FROM images WHERE deleted_at IS NOT NULL",
    "DROP TABLE deleted_embeddings, library",
    """
    ALTER TABLE images
        DROP COLUMN deleted_at,
        DROP COLUMN original_read_at,
        DROP COLUMN original_fault
    """,
)


def upgrade() -> None:
    """Create the tables, columns and indexes."""
    for statement in UP:
        op.execute(statement)


def downgrade() -> None:
    """Delete the images in the trash, and drop the tables, columns and indexes."""
    for statement in DOWN:
        op.execute(statement)
