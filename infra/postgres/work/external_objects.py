"""External objects on PostgreSQL: rows of the table ``objects``, with their tasks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from domain.entities.external_objects import KnownObject, ObjectState, RefusedObject
from domain.entities.images import Source
from infra.postgres.work.identity import settle_sources

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from sqlalchemy import TextClause
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

    from domain.entities.external_objects import KeyRange
    from domain.entities.work import FoundObject
    from infra.postgres.models.active import ActiveModel

# The table ``work`` has no index on image_id alone. All models are listed, so that PostgreSQL looks
# up the whole primary key for each object.
OBJECT_STATE = """
    CASE WHEN image_id IS NOT NULL THEN (
        SELECT CASE WHEN deleted_at IS NOT NULL AND NOT images.is_missing THEN 'deleted'
            WHEN status = 'failed' THEN 'refused' ELSE 'indexed' END
        FROM images WHERE images.id = objects.image_id
    ) WHEN error IS NOT NULL THEN 'refused' WHEN sha256 IS NOT NULL THEN 'deleted' ELSE coalesce((
        SELECT CASE WHEN min(due_at) = 'infinity' THEN 'refused'
            WHEN min(due_at) IS NOT NULL THEN 'waiting' END
        FROM work WHERE model_id = ANY(ARRAY(SELECT id FROM models)) AND work.image_id = objects.id
    ), 'deleted') END AS state
"""
KNOWN_COLUMNS = f"id, location, version, missing_since IS NOT NULL AS is_missing, {OBJECT_STATE}"
# Of a location, the object that is present comes first, then the one that went missing last.
# S608: only constants of this file are interpolated.
SELECT_KNOWN = text(f"""
    SELECT DISTINCT ON (location) {KNOWN_COLUMNS} FROM objects
    WHERE location >= :first AND location < :end AND location > :after
    ORDER BY location, missing_since DESC LIMIT :limit
""")  # noqa: S608
SELECT_BY_LOCATION = text(f"""
    SELECT DISTINCT ON (location) {KNOWN_COLUMNS} FROM objects
    WHERE location = ANY(CAST(:locations AS text[])) ORDER BY location, missing_since DESC
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
        ON CONFLICT (location, missing_since) DO NOTHING RETURNING id
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
DELETE_OBJECTS_WITHOUT_RESULT = text("""
    DELETE FROM objects WHERE id = ANY(CAST(:ids AS uuid[])) AND image_id IS NULL AND sha256 IS NULL
""")
# At infinity, the grace period has not begun.
MARK_MISSING = text("""
    UPDATE objects SET missing_since = least(missing_since, now())
    WHERE id = ANY(CAST(:ids AS uuid[])) AND coalesce(missing_since, 'infinity') = 'infinity'
    RETURNING image_id
""")
# Of a location, only the object that was there last may be at infinity. An older one has been
# replaced, so its grace period begins. It began before that of an object which is replaced now.
SELECT_UNLISTED = text("""
    SELECT id FROM objects
    WHERE location = ANY(CAST(:locations AS text[])) AND missing_since = 'infinity'
""")
SELECT_UNLISTED_BESIDE = text("""
    SELECT id FROM objects
    WHERE missing_since = 'infinity' AND id <> ALL(CAST(:ids AS uuid[])) AND location IN (
        SELECT location FROM objects WHERE id = ANY(CAST(:ids AS uuid[]))
    )
""")
MARK_REPLACED = text("""
    UPDATE objects SET missing_since = now() - interval '1 microsecond'
    WHERE id = ANY(CAST(:replaced AS uuid[])) AND missing_since = 'infinity'
    RETURNING image_id
""")
MARK_UNLISTED = text("""
    UPDATE objects SET missing_since = 'infinity'
    WHERE id = ANY(CAST(:ids AS uuid[])) AND coalesce(missing_since, now()) < 'infinity'
    RETURNING image_id
""")
MARK_PRESENT = text("""
    UPDATE objects SET missing_since = NULL
    WHERE id = ANY(CAST(:ids AS uuid[])) AND missing_since IS NOT NULL AND NOT EXISTS (
        SELECT FROM objects AS present
        WHERE present.location = objects.location AND present.missing_since IS NULL
    ) RETURNING image_id
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
    WHERE location >= :first AND location < :end AND missing_since IS NULL
    AND (objects.id >= :since OR objects.id = ANY(CAST(:unfinished AS uuid[])))
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

    async def add(self, found: Sequence[FoundObject], *, replacing: Sequence[UUID] = ()) -> None:
        async with self.engine.begin() as connection:
            locations = {"locations": [each.source.location for each in found]}
            unlisted = (await connection.scalars(SELECT_UNLISTED, locations)).all()
            if replacing or unlisted:
                await _mark(connection, replacing, MARK_MISSING, replaced=unlisted)
            # PostgreSQL's arrays are rectangular: objects are inserted by their tags.
            for tags in {each.tags for each in found}:
                tagged = [each for each in found if each.tags == tags]
                values = _columns(tagged) | {"tags": list(tags), "model": self.model.id}
                await connection.execute(INSERT_OBJECTS_WITH_TASKS, values)

    async def mark_missing(self, ids: Sequence[UUID], *, is_certain: bool = True) -> None:
        async with self.engine.begin() as connection:
            if is_certain:
                await _mark(connection, ids, MARK_MISSING)
                return
            marked = {"ids": list(ids)}
            replaced = (await connection.scalars(SELECT_UNLISTED_BESIDE, marked)).all()
            await _mark(connection, ids, MARK_UNLISTED, replaced=replaced)

    async def mark_present(self, ids: Sequence[UUID]) -> None:
        async with self.engine.begin() as connection:
            await _mark(connection, ids, MARK_PRESENT)

    async def reassign(self, key_range: KeyRange) -> None:
        where = {"first": key_range.first, "end": key_range.end, "model": self.model.id}
        async with self.engine.begin() as connection:
            await connection.execute(REASSIGN_TASKS, where)

    async def count_waiting(self, key_range: KeyRange) -> int:
        [row] = await self._read(COUNT_WAITING, {"first": key_range.first, "end": key_range.end})
        return int(row[0])

    async def refused(
        self, key_range: KeyRange, *, since: UUID, unfinished: Sequence[UUID], limit: int
    ) -> tuple[int, Sequence[RefusedObject]]:
        where = {
            "first": key_range.first,
            "end": key_range.end,
            "since": since,
            "unfinished": list(unfinished),
        }
        [[count]] = await self._read(COUNT_REFUSED, where)
        rows = await self._read(SELECT_FIRST_REFUSED, where | {"limit": limit})
        return count, [RefusedObject(location, reason) for location, reason in rows]

    async def _read(self, statement: Any, values: Mapping[str, object]) -> Sequence[Any]:  # noqa: ANN401 - rows
        async with self.engine.connect() as connection:
            return (await connection.execute(statement, values)).all()


async def _mark(
    connection: AsyncConnection,
    ids: Sequence[UUID],
    statement: TextClause,
    *,
    replaced: Sequence[UUID] = (),
) -> None:
    objects = {"ids": [*ids, *replaced]}
    await connection.execute(DELETE_TASKS_OF_OBJECTS, objects)
    await connection.execute(LOCK_IMAGES_OF_OBJECTS, objects)
    await connection.execute(DELETE_OBJECTS_WITHOUT_RESULT, objects)
    marked: list[UUID | None] = []
    if replaced:
        marked += await connection.scalars(MARK_REPLACED, {"replaced": list(replaced)})
    marked += await connection.scalars(statement, {"ids": list(ids)})
    await settle_sources(connection, {image_id for image_id in marked if image_id})


def _columns(found: Sequence[FoundObject]) -> dict[str, object]:
    return {
        "ids": [each.id for each in found],
        "locations": [each.source.location for each in found],
        "versions": [each.source.version for each in found],
        "byte_sizes": [each.byte_size for each in found],
    }


def _known_object(row: Any) -> KnownObject:  # noqa: ANN401 - a row
    source = Source(row.location, row.version)
    return KnownObject(row.id, source, ObjectState(row.state), row.is_missing)
