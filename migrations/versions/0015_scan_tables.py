"""Store the parameters of index scans that `pictograph tune` chooses."""

from __future__ import annotations

from alembic import op

revision = "0015"
down_revision = "0014"

UP = (
    """
    CREATE TABLE scan_tables (
        model_id integer PRIMARY KEY REFERENCES models ON DELETE CASCADE,
        tuned_at timestamptz NOT NULL,
        target_recall double precision NOT NULL,
        images integer NOT NULL,
        scans jsonb NOT NULL
    )
    """,
    """
    CREATE TRIGGER scan_tables_change AFTER INSERT OR UPDATE OR DELETE ON scan_tables
    FOR EACH STATEMENT EXECUTE FUNCTION tell('pictograph_scan_tables')
    """,
)


def upgrade() -> None:
    """Create the table, and tell servers of its changes."""
    for statement in UP:
        op.execute(statement)


def downgrade() -> None:
    """Drop the table: earlier versions use one set of parameters for all libraries."""
    op.execute("DROP TABLE scan_tables")
