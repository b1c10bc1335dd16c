"""What was found in places outside of the library, on PostgreSQL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from domain.entities.external_objects import KnownObject, ObjectState, RefusedObject
from domain.entities.images import Source

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

    from domain.entities.external_objects import KeyRange
    from domain.entities.work import FoundObject
    from infra.postgres.models.active import ActiveModel

# Work is looked up by its whole key, object by object: it has no index by image alone.
STATE = """
    CASE WHEN image_id IS NOT NULL THEN (
        SELECT CASE status WHEN 'failed' THEN 'refused' ELSE 'indexed' END
        FROM images WHERE images.id = objects.image_id
    ) WHEN error IS NOT NULL THEN 'refused' ELSE coalesce((
        SELECT CASE WHEN min(due_at) = 'infinity' THEN 'refused'
            WHEN min(due_at) IS NOT NULL THEN 'waiting' END
        FROM work WHERE model_id = ANY(ARRAY(SELECT id FROM models)) AND work.image_id = objects.id
    ), 'deleted') END AS state
"""
# All that is put into statements are the constants of this file.
KNOWN = text(f"""
    SELECT id, location, version, {STATE} FROM objects
    WHERE location >= :first AND location < :end AND location > :after
    ORDER BY location LIMIT :limit
""")  # noqa: S608
FIND = text(f"""
    SELECT id, location, version, {STATE} FROM objects
    WHERE location = ANY(CAST(:locations AS text[]))
""")  # noqa: S608
WRITE_DOWN = text("""
    WITH new AS (
        INSERT INTO objects (id, location, version, byte_size, tags)
        SELECT id, location, version, byte_size, CAST(:tags AS text[])
        FROM unnest(
            CAST(:ids AS uuid[]), CAST(:locations AS text[]), CAST(:versions AS text[]),
            CAST(:byte_sizes AS bigint[])
        ) AS found (id, location, version, byte_size)
        ORDER BY location
        ON CONFLICT (location) DO NOTHING RETURNING id
    )
    INSERT INTO work (model_id, image_id) SELECT :model, id FROM new
""")
# In this order everybody else waits for these rows, too: work, then images, then objects.
LAY_DOWN = text("""
    DELETE FROM work WHERE model_id = ANY(ARRAY(SELECT id FROM models))
    AND image_id = ANY(CAST(:ids AS uuid[]))
    AND NOT EXISTS (SELECT FROM images WHERE images.id = work.image_id)
""")
HOLD = text("""
    SELECT id FROM images WHERE id = ANY(ARRAY(
        SELECT image_id FROM objects WHERE id = ANY(CAST(:ids AS uuid[]))
    )) ORDER BY id FOR UPDATE
""")
FORGET = text("""
    DELETE FROM objects WHERE id = ANY(CAST(:ids AS uuid[])) RETURNING image_id, location
""")
INHERIT = text("""
    UPDATE images SET source = heir.location, source_version = heir.version
    FROM (
        SELECT DISTINCT ON (image_id) image_id, location, version FROM objects
        WHERE image_id = ANY(CAST(:ids AS uuid[])) ORDER BY image_id, location
    ) AS heir
    WHERE images.id = heir.image_id AND images.source = ANY(CAST(:locations AS text[]))
""")
DELETE = text("""
    DELETE FROM images WHERE id = ANY(CAST(:ids AS uuid[]))
    AND source = ANY(CAST(:locations AS text[])) RETURNING id
""")
# Whoever has a lease of another model on it then finishes it into nothing.
HAND_OVER = text("""
    UPDATE work SET model_id = :model, lease = NULL, due_at = now()
    FROM objects
    WHERE work.model_id = ANY(ARRAY(SELECT id FROM models WHERE id <> :model))
    AND work.image_id = objects.id AND work.due_at < 'infinity'
    AND location >= :first AND location < :end
    AND objects.image_id IS NULL AND objects.error IS NULL
""")
COUNT_WAITING = text("""
    SELECT count(*) FROM objects
    JOIN work ON work.image_id = objects.id
        AND work.model_id = ANY(ARRAY(SELECT id FROM models)) AND work.due_at < 'infinity'
    WHERE location >= :first AND location < :end
    AND objects.image_id IS NULL AND objects.error IS NULL
""")
REFUSED = text("""
    SELECT location, coalesce(failure_reason, objects.error, work.error) FROM objects
    LEFT JOIN images ON images.id = objects.image_id AND images.status = 'failed'
    LEFT JOIN work ON work.image_id = objects.id AND work.due_at = 'infinity'
        AND work.model_id = ANY(ARRAY(SELECT id FROM models)) AND objects.error IS NULL
    WHERE location >= :first AND location < :end
    AND (objects.image_id IS NULL OR images.id IS NOT NULL)
    AND coalesce(failure_reason, objects.error, work.error) IS NOT NULL
    ORDER BY location
""")
COUNT_REFUSED = text(f"SELECT count(*) FROM ({REFUSED.text}) AS refused")  # noqa: S608
NAME_REFUSED = text(f"{REFUSED.text} LIMIT :limit")


@dataclass(frozen=True, slots=True)
class PostgresExternalObjects:
    """Found objects, written down with their work by one statement for a thousand of them."""

    engine: AsyncEngine
    model: ActiveModel

    async def list_known(
        self, key_range: KeyRange, *, after: str, limit: int
    ) -> Sequence[KnownObject]:
        """Return the first objects of a stretch behind ``after``, by code point of the location."""
        where = {"first": key_range.first, "end": key_range.end, "after": after, "limit": limit}
        return [_known(row) for row in await self._read(KNOWN, where)]

    async def find(self, locations: Sequence[str]) -> dict[str, KnownObject]:
        """Return those of the objects that are known, by location."""
        rows = await self._read(FIND, {"locations": list(locations)})
        return {row.location: _known(row) for row in rows}

    async def add(
        self, found: Sequence[FoundObject], *, replacing: Sequence[UUID] = ()
    ) -> Sequence[UUID]:
        """Keep objects with the work on them, in place of what they were, all or none."""
        deleted: Sequence[UUID] = []
        async with self.engine.begin() as connection:
            if replacing:
                deleted = await _forget(connection, replacing)
            for tags in {each.tags for each in found}:
                some = [each for each in found if each.tags == tags]
                values = _columns(some) | {"tags": list(tags), "model": self.model.id}
                await connection.execute(WRITE_DOWN, values)
        return deleted

    async def delete(self, ids: Sequence[UUID]) -> Sequence[UUID]:
        """Forget objects and work, and return the ids of the images deleted with them."""
        async with self.engine.begin() as connection:
            return await _forget(connection, ids)

    async def reassign(self, key_range: KeyRange) -> None:
        """Let the model do what work there is by others on objects that wait."""
        where = {"first": key_range.first, "end": key_range.end, "model": self.model.id}
        async with self.engine.begin() as connection:
            await connection.execute(HAND_OVER, where)

    async def count_waiting(self, key_range: KeyRange) -> int:
        """Return how many objects are still to be indexed."""
        [row] = await self._read(COUNT_WAITING, {"first": key_range.first, "end": key_range.end})
        return int(row[0])

    async def refused(
        self, key_range: KeyRange, *, limit: int
    ) -> tuple[int, Sequence[RefusedObject]]:
        """Return how many objects are refused, and the first of them."""
        where = {"first": key_range.first, "end": key_range.end}
        [[count]] = await self._read(COUNT_REFUSED, where)
        named = await self._read(NAME_REFUSED, where | {"limit": limit})
        return count, [RefusedObject(location, reason) for location, reason in named]

    async def _read(self, statement: Any, values: Mapping[str, object]) -> Sequence[Any]:  # noqa: ANN401 - rows
        async with self.engine.connect() as connection:
            return (await connection.execute(statement, values)).all()


async def _forget(connection: AsyncConnection, ids: Sequence[UUID]) -> Sequence[UUID]:
    wanted = {"ids": list(ids)}
    await connection.execute(LAY_DOWN, wanted)
    await connection.execute(HOLD, wanted)
    gone = (await connection.execute(FORGET, wanted)).all()
    bereft = {
        "ids": list({row.image_id for row in gone if row.image_id}),
        "locations": [row.location for row in gone],
    }
    if not bereft["ids"]:
        return []
    await connection.execute(INHERIT, bereft)
    return (await connection.scalars(DELETE, bereft)).all()


def _columns(found: Sequence[FoundObject]) -> dict[str, object]:
    return {
        "ids": [each.id for each in found],
        "locations": [each.source.location for each in found],
        "versions": [each.source.version for each in found],
        "byte_sizes": [each.byte_size for each in found],
    }


def _known(row: Any) -> KnownObject:  # noqa: ANN401 - a row
    return KnownObject(row.id, Source(row.location, row.version), ObjectState(row.state))
