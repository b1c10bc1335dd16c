"""Add embeddings of concepts, and to kept searches the parts of blends and relevances."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"

UP = (
    """
    CREATE TABLE concepts (
        model_id integer PRIMARY KEY REFERENCES models (id) ON DELETE CASCADE,
        sha256 text NOT NULL,
        embeddings bytea NOT NULL
    )
    """,
    # Searches are kept for at most an hour. Deleting them allows new columns without a default.
    "DELETE FROM searches",
    """
    ALTER TABLE searches
        ADD COLUMN part_embeddings real[] NOT NULL,
        ADD COLUMN part_kinds text[] NOT NULL,
        ADD COLUMN part_weights double precision[] NOT NULL,
        ADD COLUMN relevances double precision[],
        ADD COLUMN stand_for integer[] NOT NULL
    """,
)

DOWN = (
    """
    ALTER TABLE searches
        DROP COLUMN part_embeddings,
        DROP COLUMN part_kinds,
        DROP COLUMN part_weights,
        DROP COLUMN relevances,
        DROP COLUMN stand_for
    """,
    "DROP TABLE concepts",
)


def upgrade() -> None:
    """Add the table and the columns."""
    for statement in UP:
        op.execute(statement)


def downgrade() -> None:
    """Drop the table and the columns."""
    for statement in DOWN:
        op.execute(statement)
