"""Store the local times in which pictures were taken, and instants only where the offset is known.

Before, a time without an offset was an instant in UTC. Both are derived from the stored tags.
"""

from __future__ import annotations

from alembic import op

revision = "0016"
down_revision = "0015"

UP = (
    "ALTER TABLE images ADD COLUMN taken_at_local timestamp",
    # The offset belongs to the tag that the time was read from, which was the first readable one.
    r"""
    UPDATE images SET
        taken_at_local = CASE WHEN isfinite(taken_at)
            THEN taken_at AT TIME ZONE 'UTC' + COALESCE(clock, interval '0')
            ELSE taken_at AT TIME ZONE 'UTC' END,
        taken_at = CASE WHEN clock IS NULL THEN NULL ELSE taken_at END
    FROM (
        SELECT id AS image_id, CASE
            WHEN written ~ '^\s*[+-](0\d|1\d|2[0-3]):?[0-5]\d\s*$'
            THEN (left(btrim(written), 1) || '1')::integer * make_interval(
                hours => substr(btrim(written), 2, 2)::integer,
                mins => right(btrim(written), 2)::integer
            ) END AS clock
        FROM (
            SELECT id, exif -> 'all' ->> CASE
                WHEN exif -> 'all' ->> 'DateTimeOriginal' ~ '^\d{4}\D(0[1-9]|1[0-2])\D'
                THEN 'OffsetTimeOriginal' ELSE 'OffsetTimeDigitized' END AS written
            FROM images WHERE taken_at IS NOT NULL
        ) AS offsets
    ) AS clocks
    WHERE id = image_id
    """,
    "DROP INDEX images_by_taken_at",
    "DROP INDEX images_by_taken_at_desc",
    """
    CREATE INDEX images_by_taken_at ON images
    (COALESCE(taken_at_local, 'infinity'::timestamp), id)
    """,
    """
    CREATE INDEX images_by_taken_at_desc ON images
    (COALESCE(taken_at_local, '-infinity'::timestamp), id)
    """,
)

DOWN = (
    "UPDATE images SET taken_at = taken_at_local AT TIME ZONE 'UTC' WHERE taken_at IS NULL",
    "DROP INDEX images_by_taken_at",
    "DROP INDEX images_by_taken_at_desc",
    "ALTER TABLE images DROP COLUMN taken_at_local",
    "CREATE INDEX images_by_taken_at ON images (COALESCE(taken_at, 'infinity'::timestamptz), id)",
    """
    CREATE INDEX images_by_taken_at_desc ON images
    (COALESCE(taken_at, '-infinity'::timestamptz), id)
    """,
)


def upgrade() -> None:
    """Add the column, fill it from the tags, and index it for listings in both directions."""
    for statement in UP:
        op.execute(statement)


def downgrade() -> None:
    """Read local times as UTC again, as earlier versions do."""
    for statement in DOWN:
        op.execute(statement)
