"""The catalog on PostgreSQL: the rows of images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Uuid, and_, func, select, text, update
from sqlmodel import col

from domain.errors import ImageNotFound
from infra.postgres.catalog.facets import facets_of, facets_statement
from infra.postgres.catalog.filters import conditions
from infra.postgres.catalog.listing import page_of, page_statement
from infra.postgres.catalog.ready_feed import matching_ids, positions_after
from infra.postgres.engine import autocommit
from infra.postgres.images import IS_LIVE_IMAGE, ImageRow, image_of
from infra.postgres.parameters import array
from infra.postgres.repeatable import fetch_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncEngine

    from domain.entities.facets import Facet, FacetValue, Selection
    from domain.entities.filters import ImageFilter
    from domain.entities.images import Image, ImageChanges, ReadyPosition
    from domain.entities.listing import Page, Sort, Window

# FOR UPDATE locks the rows in the order of their ids: concurrent changes of the same images cannot
# deadlock.
UPDATE_TAGS = text("""
    UPDATE images SET tags = ARRAY(
        SELECT DISTINCT tag COLLATE "C" FROM unnest(tags || CAST(:add AS text[])) AS tag
        WHERE tag <> ALL(CAST(:remove AS text[])) ORDER BY 1
    )
    WHERE id IN (
        SELECT id FROM images WHERE id = ANY(CAST(:ids AS uuid[])) AND deleted_at IS NULL
        ORDER BY id FOR UPDATE
    )
    RETURNING images.*
""")
# SKIP LOCKED: a transaction that changes a task may wait for the image. A worker deletes a skipped
# task.
DELETE_IMAGES = text("""
    WITH deleted AS (
        DELETE FROM images WHERE id IN (
            SELECT id FROM images WHERE id = ANY(CAST(:ids AS uuid[])) ORDER BY id FOR UPDATE
        )
        RETURNING id
    ), tasks AS (
        DELETE FROM work WHERE (model_id, image_id) IN (
            SELECT model_id, image_id FROM work
            WHERE model_id = ANY(ARRAY(SELECT id FROM models)) AND image_id = ANY(ARRAY(
                SELECT id FROM images WHERE id = ANY(CAST(:ids AS uuid[]))
            )) FOR UPDATE SKIP LOCKED
        )
    )
    SELECT id FROM deleted
""")


@dataclass(frozen=True)
class PostgresCatalog:
    """The catalog and the feed of READY images. Each call is one statement."""

    engine: AsyncEngine

    async def get(self, ids: Sequence[UUID]) -> dict[UUID, Image]:
        is_given = col(ImageRow.id) == func.any(array(ids, Uuid()))
        statement = select(ImageRow).where(is_given, IS_LIVE_IMAGE)
        return {row.id: image_of(row) for row in await fetch_rows(self.engine, statement)}

    async def existing_ids(self, ids: Sequence[UUID]) -> set[UUID]:
        statement = select(col(ImageRow.id)).where(col(ImageRow.id) == func.any(array(ids, Uuid())))
        return {row.id for row in await fetch_rows(self.engine, statement)}

    async def find_by_digest(self, sha256s: Sequence[str]) -> dict[str, Image]:
        statement = select(ImageRow).where(col(ImageRow.sha256) == func.any(array(sha256s)))
        return {row.sha256: image_of(row) for row in await fetch_rows(self.engine, statement)}

    async def list(self, criteria: ImageFilter, sort: Sort, window: Window) -> Page:
        return page_of(
            await fetch_rows(self.engine, page_statement(criteria, sort, window)), window
        )

    async def count(self, criteria: ImageFilter) -> int:
        statement = select(func.count()).select_from(ImageRow).where(*conditions(criteria))
        [[count]] = await fetch_rows(self.engine, statement)
        return int(count)

    async def facets(
        self, selection: Selection, most: Mapping[Facet, int | None]
    ) -> dict[Facet, tuple[FacetValue, ...]]:
        if not most:
            return {}
        return facets_of(await fetch_rows(self.engine, facets_statement(selection, most)), most)

    async def update(self, image_id: UUID, changes: ImageChanges) -> Image:
        is_image = and_(col(ImageRow.id) == image_id, IS_LIVE_IMAGE)
        statement: Any = select(ImageRow).where(is_image)
        if changes.values:
            statement = update(ImageRow).where(is_image).values(changes.values).returning(ImageRow)
        async with autocommit(self.engine) as session:
            row = await session.scalar(statement)
        if row is None:
            raise ImageNotFound(f"There is no image {image_id}; it may have been deleted.")
        return image_of(row)

    async def mark_copied(self, image_id: UUID) -> Image | None:
        statement = (
            update(ImageRow)
            .where(col(ImageRow.id) == image_id, IS_LIVE_IMAGE)
            .values(source=None, source_version=None)
            .returning(ImageRow)
        )
        async with autocommit(self.engine) as session:
            row = await session.scalar(statement)
        return image_of(row) if row else None

    async def tag(
        self, ids: Sequence[UUID], *, add: Iterable[str] = (), remove: Iterable[str] = ()
    ) -> dict[UUID, Image]:
        values = {"ids": list(ids), "add": list(add), "remove": list(remove)}
        async with autocommit(self.engine) as session:
            rows = await session.scalars(select(ImageRow).from_statement(UPDATE_TAGS), values)
            return {row.id: image_of(row) for row in rows}

    async def delete(self, ids: Sequence[UUID]) -> set[UUID]:
        async with autocommit(self.engine) as session:
            return set(await session.scalars(DELETE_IMAGES, {"ids": list(ids)}))

    async def ready_after(self, position: ReadyPosition, *, limit: int) -> Sequence[ReadyPosition]:
        rows = await fetch_rows(self.engine, positions_after(position, limit=limit))
        return [(row[0], row[1]) for row in rows]

    async def matching(self, ids: Sequence[UUID], criteria: ImageFilter) -> set[UUID]:
        return {row[0] for row in await fetch_rows(self.engine, matching_ids(ids, criteria))}
