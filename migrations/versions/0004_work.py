"""Add the work queue, external objects, upload targets, and notifications of changes."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"

UP = (
    """
    ALTER TABLE images
        ADD COLUMN source text,
        ADD COLUMN source_version text,
        ADD COLUMN ready_at timestamptz
    """,
    "UPDATE images SET ready_at = created_at WHERE status = 'ready'",
    "CREATE INDEX images_by_ready_at ON images (ready_at)",
    "ALTER TABLE models ADD COLUMN source text, ADD COLUMN activated_at timestamptz",
    # image_id has no foreign key: a task on an external object exists before its image. due_at is
    # the time from which a task can be leased: a lease postpones it, and a dead letter is due at
    # infinity. Leases are acquired along the index work_by_due.
    """
    CREATE TABLE work (
        model_id integer NOT NULL REFERENCES models (id) ON DELETE CASCADE,
        image_id uuid NOT NULL,
        due_at timestamptz NOT NULL DEFAULT now(),
        lease uuid,
        attempts smallint NOT NULL DEFAULT 0,
        error text,
        PRIMARY KEY (model_id, image_id)
    )
    """,
    "CREATE INDEX work_by_due ON work (model_id, due_at, image_id)",
    # External objects that were listed, indexed or not. Deleting an image keeps its object, so that
    # the next import does not add the image again.
    """
    CREATE TABLE objects (
        id uuid PRIMARY KEY,
        location text COLLATE "C" NOT NULL,
        version text NOT NULL,
        byte_size bigint NOT NULL,
        tags text[] NOT NULL,
        image_id uuid REFERENCES images (id) ON DELETE SET NULL,
        error text
    )
    """,
    "CREATE UNIQUE INDEX objects_by_location ON objects (location)",
    "CREATE INDEX objects_by_image ON objects (image_id) WHERE image_id IS NOT NULL",
    """
    CREATE TABLE upload_targets (
        id uuid PRIMARY KEY,
        filename text NOT NULL,
        content_type text NOT NULL,
        byte_size bigint NOT NULL,
        sha256 text,
        expires_at timestamptz NOT NULL,
        image_id uuid REFERENCES images (id) ON DELETE CASCADE,
        is_duplicate boolean NOT NULL DEFAULT false
    )
    """,
    "CREATE INDEX upload_targets_by_expiry ON upload_targets (expires_at)",
    "CREATE INDEX upload_targets_by_image ON upload_targets (image_id) WHERE image_id IS NOT NULL",
    # A transaction that changes the status of images sends their ids to all listeners when it
    # commits: 200 in a notification, whose payload is limited to 8,000 bytes.
    """
    CREATE FUNCTION tell_of_images() RETURNS trigger LANGUAGE plpgsql AS $$
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
    """
    CREATE TRIGGER images_come AFTER INSERT ON images REFERENCING NEW TABLE AS after
    FOR EACH STATEMENT EXECUTE FUNCTION tell_of_images()
    """,
    """
    CREATE TRIGGER images_change AFTER UPDATE ON images
    REFERENCING OLD TABLE AS before NEW TABLE AS after
    FOR EACH STATEMENT EXECUTE FUNCTION tell_of_images()
    """,
    """
    CREATE TRIGGER images_go AFTER DELETE ON images REFERENCING OLD TABLE AS after
    FOR EACH STATEMENT EXECUTE FUNCTION tell_of_images()
    """,
    """
    CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM pg_notify(TG_ARGV[0], '');
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER work_comes AFTER INSERT ON work
    FOR EACH STATEMENT EXECUTE FUNCTION tell('pictograph_work')
    """,
    """
    CREATE TRIGGER models_change AFTER INSERT OR UPDATE OR DELETE ON models
    FOR EACH STATEMENT EXECUTE FUNCTION tell('pictograph_models')
    """,
)

DOWN = (
    "DROP TRIGGER models_change ON models",
    "DROP TRIGGER images_come ON images",
    "DROP TRIGGER images_change ON images",
    "DROP TRIGGER images_go ON images",
    "DROP TABLE work, objects, upload_targets",
    "DROP FUNCTION tell, tell_of_images",
    "ALTER TABLE models DROP COLUMN source, DROP COLUMN activated_at",
    """
    ALTER TABLE images
        DROP COLUMN source,
        DROP COLUMN source_version,
        DROP COLUMN ready_at
    """,
)


def upgrade() -> None:
    """Create the tables, columns and triggers."""
    for statement in UP:
        op.execute(statement)


def downgrade() -> None:
    """Drop the tables, columns and triggers."""
    for statement in DOWN:
        op.execute(statement)
