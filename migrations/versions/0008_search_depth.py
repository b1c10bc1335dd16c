"""Keep how deep a search was ranked, so that it can be deepened."""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the column. Searches that are kept already were ranked as deep as possible."""
    op.execute("ALTER TABLE searches ADD COLUMN depth integer NOT NULL DEFAULT 1000")


def downgrade() -> None:
    """Drop the column. Searches that are not ranked to the end are forgotten."""
    op.execute("DELETE FROM searches WHERE depth < 1000")
    op.execute("ALTER TABLE searches DROP COLUMN depth")
