"""Keep encoded concepts, and of searches what they were blended from and how relevant hits are."""

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
    # Kept for an hour at most, and all of them new ones from here on.
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
    """Make room for them."""
    for statement in UP:
        op.execute(statement)


def downgrade() -> None:
    """Drop them."""
    for statement in DOWN:
        op.execute(statement)
