"""Store when what people and workers change of an image was last changed."""

from __future__ import annotations

from alembic import op

revision = "0012"
down_revision = "0011"

UP = (
    # Null for an image that has not changed since it was added: no row is rewritten.
    "ALTER TABLE images ADD COLUMN updated_at timestamptz",
    """
    CREATE FUNCTION note_update() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        NEW.updated_at := now();
        RETURN NEW;
    END $$
    """,
    # A trigger, since many statements change the status. A change to the same value is no update.
    """
    CREATE TRIGGER images_update BEFORE UPDATE OF tags, alt_text, rating, status ON images
    FOR EACH ROW WHEN (
        (OLD.tags, OLD.alt_text, OLD.rating, OLD.status)
        IS DISTINCT FROM (NEW.tags, NEW.alt_text, NEW.rating, NEW.status)
    )
    EXECUTE FUNCTION note_update()
    """,
)

DOWN = (
    "DROP TRIGGER images_update ON images",
    "DROP FUNCTION note_update",
    "ALTER TABLE images DROP COLUMN updated_at",
)


def upgrade() -> None:
    """Add the column and its trigger."""
    for statement in UP:
        op.execute(statement)


def downgrade() -> None:
    """Drop the trigger and the column."""
    for statement in DOWN:
        op.execute(statement)
