"""Store ratings of images, and index them for listings in both directions."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"

UP = (
    "ALTER TABLE images ADD COLUMN rating smallint",
    # Unrated images come last in both directions, so each direction has an index of its own.
    "CREATE INDEX images_by_rating ON images (COALESCE(rating, 2147483647), id)",
    "CREATE INDEX images_by_rating_desc ON images (COALESCE(rating, -1), id)",
)


def upgrade() -> None:
    """Add the column and its indexes."""
    for statement in UP:
        op.execute(statement)


def downgrade() -> None:
    """Drop the column with its indexes."""
    op.execute("ALTER TABLE images DROP COLUMN rating")
