"""Keep the limit of a search's last ranking, which its plan shows."""

from __future__ import annotations

from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add the column. Searches that are kept already show the deepest ranking for their hour."""
    op.execute("ALTER TABLE searches ADD COLUMN ranked_depth integer NOT NULL DEFAULT 1000")


def downgrade() -> None:
    """Drop the column."""
    op.execute("ALTER TABLE searches DROP COLUMN ranked_depth")
