"""Note which imported images have no LARGE yet."""

from __future__ import annotations

from alembic import op

revision = "0014"
down_revision = "0013"

UP = (
    # Images of earlier imports have LARGE.
    "ALTER TABLE images ADD COLUMN lacks_large boolean NOT NULL DEFAULT false",
    "CREATE INDEX images_without_large ON images (id) WHERE lacks_large",
)

DOWN = (
    "DROP INDEX images_without_large",
    # `pictograph check --repair` renders what is missing.
    "ALTER TABLE images DROP COLUMN lacks_large",
)


def upgrade() -> None:
    """Add the column."""
    for statement in UP:
        op.execute(statement)


def downgrade() -> None:
    """Drop the column."""
    for statement in DOWN:
        op.execute(statement)
