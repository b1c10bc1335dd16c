"""External objects on PostgreSQL: rows of the table ``objects``, with their tasks."""

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

# The table ``work`` has no index on image_id alone. All models are listed, so that PostgreSQL looks
# up the whole primary key for each object.
OBJECT_STATE = """
    CASE WHEN image_id IS NOT NULL THEN (
        SELECT CASE WHEN deleted_at IS NOT NULL THEN 'deleted' WHEN status = 'failed' THEN 'refused'
            ELSE 'indexed' END
        FROM images WHERE images.id = objects.image_id
    ) WHEN error IS NOT NULL THEN 'refused' ELSE coalesce((
        SELECT CASE WHEN min(due_at) = 'infinity' THEN 'refused'
            WHEN min(due_at) IS NOT NULL THEN 'waiting' END
        FROM work WHERE model_id = ANY(ARRAY(SELECT id FROM models)) AND work.image_id = objects.id
    ), 'deleted') END AS state
"""
# S608: only constants of this file are interpolated.
SELECT_KNOWN = text(f"""
    SELECT id, location, version, {OBJECT_STATE} FROM objects
    WHERE location >= :first AND location < :end AND location > :after
    ORDER BY location LIMIT :limit
""")  # noqa: S608
SELECT_BY_LOCATION = text(f"""
    SELECT id, location, version, {OBJECT_STATE} FROM objects
    WHERE location = ANY(CAST(:locations AS text[]))
""")  # noqa: S608
INSERT_OBJECTS_WITH_TASKS = text("""
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
# Every transaction locks in the order work, images, objects, so that none deadlocks with another.
DELETE_TASKS_OF_OBJECTS = text("""
    DELETE FROM work WHERE model_id = ANY(ARRAY(SELECT id FROM models))
    AND image_id = ANY(CAST(:ids AS uuid[]))
    AND NOT EXISTS (SELECT FROM images WHERE images.id = work.image_id)
""")
LOCK_IMAGES_OF_OBJECTS = text("""
    SELECT id FROM images WHERE id = ANY(ARRAY(
        SELECT image_id FROM objects WHERE id = ANY(CAST(:ids AS uuid[]))
    )) ORDER BY id FOR UPDATE
""")
DELETE_OBJECTS = text("""
    DELETE FROM objects WHERE id = ANY(CAST(:ids AS uuid[])) RETURNING image_id, location
""")
CHANGE_SOURCES = text("""
    UPDATE images SET source = other.location, source_version = other.version
    FROM (
        SELECT DISTINCT ON (image_id) image_id, location, version FROM objects
        WHERE image_id = ANY(CAST(:ids AS uuid[])) ORDER BY image_id, location
    ) AS other
    WHERE images.id = other.image_id AND images.source = ANY(CAST(:locations AS text[]))
""")
DELETE_IMAGES_BY_SOURCE = text("""
    DELETE FROM images WHERE id = ANY(CAST(:ids AS uuid[])) AND deleted_at IS NULL
    AND source = ANY(CAST(:locations AS text[])) RETURNING id
""")
# A worker of the other model that holds a lease loses it: its result is not stored.
REASSIGN_TASKS = text("""
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
SELECT_REFUSED = text("""
    SELECT location, coalesce(failure_reason, objects.error, work.error) FROM objects
    LEFT JOIN images ON images.id = objects.image_id AND images.status = 'failed'
        AND deleted_at IS NULL
    LEFT JOIN work ON work.image_id = objects.id AND work.due_at = 'infinity'
        AND work.model_id = ANY(ARRAY(SELECT id FROM models)) AND objects.error IS NULL
    WHERE location >= :first AND location < :end
    AND (objects.image_id IS NULL OR images.id IS NOT NULL)
    AND coalesce(failure_reason, objects.error, work.error) IS NOT NULL
    ORDER BY location
""")
COUNT_REFUSED = text(f"SELECT count(*) FROM ({SELECT_REFUSED.text}) AS refused")  # noqa: S608
SELECT_FIRST_REFUSED = text(f"{SELECT_REFUSED.text} LIMIT :limit")


@dataclass(frozen=True, slots=True)
class PostgresExternalObjects:
    """The objects of a library, and the tasks of one model on them."""

    engine: AsyncEngine
    model: ActiveModel

    async def list_known(
        self, key_range: KeyRange, *, after: str, limit: int
    ) -> Sequence[KnownObject]:
        where = {"first": key_range.first, "end": key_range.end, "after": after, "limit": limit}
        return [_known_object(row) for row in await self._read(SELECT_KNOWN, where)]

    async def find(self, locations: Sequence[str]) -> dict[str, KnownObject]:
        rows = await self._read(SELECT_BY_LOCATION, {"locations": list(locations)})
        return {row.location: _known_object(row) for row in rows}

    async def add(
        self, found: Sequence[FoundObject], *, replacing: Sequence[UUID] = ()
    ) -> Sequence[UUID]:
        deleted: Sequence[UUID] = []
        async with self.engine.begin() as connection:
            if replacing:
                deleted = await _delete(connection, replacing)
            # PostgreSQL's arrays are rectangular: objects are inserted by their tags.
            for tags in {each.tags for each in found}:
                tagged = [each for each in found if each.tags == tags]
                values = _columns(tagged) | {"tags": list(tags), "model": self.model.id}
                await connection.execute(INSERT_OBJECTS_WITH_TASKS, values)
        return deleted

    async def delete(self, ids: Sequence[UUID]) -> Sequence[UUID]:
        async with self.engine.begin() as connection:
            return await _delete(connection, ids)

    async def reassign(self, key_range: KeyRange) -> None:
        where = {"first": key_range.first, "end": key_range.end, "model": self.model.id}
        async with self.engine.begin() as connection:
            await connection.execute(REASSIGN_TASKS, where)

    async def count_waiting(self, key_range: KeyRange) -> int:
        [row] = await self._read(COUNT_WAITING, {"first": key_range.first, "end": key_range.end})
        return int(row[0])

    async def refused(
        self, key_range: KeyRange, *, limit: int
    ) -> tuple[int, Sequence[RefusedObject]]:
        where = {"first": key_range.first, "end": key_range.end}
        [[count]] = await self._read(COUNT_REFUSED, where)
        rows = await self._read(SELECT_FIRST_REFUSED, where | {"limit": limit})
        return count, [RefusedObject(location, reason) for location, reason in rows]

    async def _read(self, statement: Any, values: Mapping[str, object]) -> Sequence[Any]:  # noqa: ANN401 - rows
        async with self.engine.connect() as connection:
            return (await connection.execute(statement, values)).all()


async def _delete(connection: AsyncConnection, ids: Sequence[UUID]) -> Sequence[UUID]:
    objects = {"ids": list(ids)}
    await connection.execute(DELETE_TASKS_OF_OBJECTS, objects)
    await connection.execute(LOCK_IMAGES_OF_OBJECTS, objects)
    deleted = (await connection.execute(DELETE_OBJECTS, objects)).all()
    images = {
        "ids": list({row.image_id for row in deleted if row.image_id}),
        "locations": [row.location for row in deleted],
    }
    if not images["ids"]:
        return []
    # An image gets another of its objects as its source, and is deleted where it has none.
    await connection.execute(CHANGE_SOURCES, images)
    return (await connection.scalars(DELETE_IMAGES_BY_SOURCE, images)).all()


def _columns(found: Sequence[FoundObject]) -> dict[str, object]:
    return {
        "ids": [each.id for each in found],
        "locations": [each.source.location for each in found],
        "versions": [each.source.version for each in found],
        "byte_sizes": [each.byte_size for each in found],
    }


def _known_object(row: Any) -> KnownObject:  # noqa: ANN401 - a row
    return KnownObject(row.id, Source(row.location, row.version), ObjectState(row.state))
