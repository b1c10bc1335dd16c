"""The catalog on PostgreSQL."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from sqlalchemy import Uuid, cast, func, select, text, update
from sqlalchemy.dialects.postgresql import REAL
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from domain.errors import ImageNotFound
from infra.postgres.dropped import answering_for_dropped
from infra.postgres.facets import count_facets
from infra.postgres.filters import array, conditions
from infra.postgres.insertion import expectation, insertion
from infra.postgres.labels import cosines, count_nearest
from infra.postgres.listing import read_page
from infra.postgres.models import ActiveModel, activate, known_models
from infra.postgres.planner import Planner
from infra.postgres.readiness import those_matching, those_ready_after
from infra.postgres.rows import image_of
from infra.postgres.search import EXACT_BELOW, comparison, rank, reach_of, sample, walk
from infra.postgres.tables import EmbeddingRow, ImageRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager
    from uuid import UUID

    from sqlalchemy import Select
    from sqlalchemy.ext.asyncio import AsyncEngine

    from domain.embeddings import Embedding, EmbeddingModel, KnownModel, Query, Ranking
    from domain.facets import Facet, FacetValue, Selection
    from domain.filters import ImageFilter, Page, Sort, Window
    from domain.images import Image, ReadyPlace

logger = logging.getLogger(__name__)

# Rows are locked in the order of their ids, so that two changes of the same images do not
# wait for each other in a circle.
TAG = text("""
    UPDATE images SET tags = ARRAY(
        SELECT DISTINCT tag COLLATE "C" FROM unnest(tags || CAST(:add AS text[])) AS tag
        WHERE tag <> ALL(CAST(:remove AS text[])) ORDER BY 1
    )
    WHERE id IN (
        SELECT id FROM images WHERE id = ANY(CAST(:ids AS uuid[])) ORDER BY id FOR UPDATE
    )
    RETURNING images.*
""")
DELETE = text("""
    DELETE FROM images WHERE id IN (
        SELECT id FROM images WHERE id = ANY(CAST(:ids AS uuid[])) ORDER BY id FOR UPDATE
    )
    RETURNING id
""")


@dataclass(frozen=True, slots=True)
class PostgresCatalog:
    """Images and their embeddings by one model; nearly every call is one statement.

    Without a model it knows images, and cannot take in or search.
    """

    engine: AsyncEngine
    model: ActiveModel | None = None
    exact_below: int = EXACT_BELOW
    planner: Planner = field(default_factory=Planner)

    @classmethod
    async def open(
        cls, engine: AsyncEngine, model: EmbeddingModel, *, exact_below: int = EXACT_BELOW
    ) -> Self:
        """Open the catalog of ``model``.

        Raises Misconfigured when its images were embedded by another model.
        """
        return cls(engine, await activate(engine, model), exact_below)

    async def add(self, image: Image, embedding: Embedding) -> Image:
        """Keep an image with its embedding, or neither.

        The other models that are to know it get their work in the same statement.
        """
        return await self._insert(insertion(self._active(), image, embedding), image)

    async def expect(self, image: Image) -> Image:
        """Keep an image that is PROCESSING, and the work on it, or neither."""
        return await self._insert(expectation(self._active(), image), image)

    async def get(self, ids: Sequence[UUID]) -> dict[UUID, Image]:
        """Return those of the images that are here."""
        wanted = select(ImageRow).where(col(ImageRow.id) == func.any(array(ids, Uuid())))
        async with self._session() as session:
            return {row.id: image_of(row) for row in await session.scalars(wanted)}

    async def find(self, sha256s: Sequence[str]) -> dict[str, Image]:
        """Return the images with these digests, by digest."""
        wanted = select(ImageRow).where(col(ImageRow.sha256) == func.any(array(sha256s)))
        async with self._session() as session:
            return {row.sha256: image_of(row) for row in await session.scalars(wanted)}

    async def matching(self, ids: Sequence[UUID], criteria: ImageFilter) -> set[UUID]:
        """Return those of the images that are here and match."""
        async with self._session() as session:
            return set(await session.scalars(those_matching(ids, criteria)))

    async def ready_after(self, place: ReadyPlace, *, limit: int) -> Sequence[ReadyPlace]:
        """Return where images lie in the order of becoming READY, those next behind ``place``."""
        async with self._session() as session:
            rows = await session.execute(those_ready_after(place, limit=limit))
            return [(row[0], row[1]) for row in rows]

    async def list(self, criteria: ImageFilter, sort: Sort, window: Window) -> Page:
        """Return a stretch of the images that match."""
        async with self._session() as session:
            return await read_page(session, criteria, sort, window=window)

    async def count(self, criteria: ImageFilter) -> int:
        """Return how many images match."""
        statement = select(func.count()).select_from(ImageRow).where(*conditions(criteria))
        async with self._session() as session:
            return int(await session.scalar(statement) or 0)

    async def search(
        self, query: Query, criteria: ImageFilter, *, limit: int, exact: bool = False
    ) -> Ranking:
        """Return the nearest images; where that is sooner done, all that match are compared.

        How many there are is PostgreSQL's estimate. A walk that comes home with too few is not
        the answer either: then all are compared after all.
        """
        async with self._session() as session:
            connection = await session.connection()
            if not exact:
                estimate = await self.planner.estimate(connection, criteria)
                reach = reach_of(query.kind, estimate, limit=limit)
                if reach.pays and estimate.matching >= self.exact_below:
                    walking = walk(self._active(), query, criteria, reach, limit=limit)
                    found = await rank(connection, walking, limit=limit, exact=False)
                    logger.debug("walked the index: %s, %s found", estimate, len(found.hits))
                    if len(found.hits) == limit:
                        return found
            comparing = comparison(self._active(), query, criteria, limit=limit)
            found = await rank(connection, comparing, limit=limit, exact=True)
            logger.debug("compared every candidate: %s found", len(found.hits))
            return found

    async def explain(self, query: Query, criteria: ImageFilter, *, limit: int, exact: bool) -> str:
        """Return PostgreSQL's plan of such a search."""
        async with self._session() as session:
            connection = await session.connection()
            if exact:
                statement = comparison(self._active(), query, criteria, limit=limit)
            else:
                estimate = await self.planner.estimate(connection, criteria)
                reach = reach_of(query.kind, estimate, limit=limit)
                statement = walk(self._active(), query, criteria, reach, limit=limit)
            return await self.planner.explain(connection, statement)

    async def sample(self, size: int) -> Sequence[Embedding]:
        """Return the embeddings of about ``size`` images by the active model, or of all."""
        async with self._session() as session:
            return await sample(await session.connection(), self._active(), size)

    async def embeddings(self, ids: Sequence[UUID]) -> dict[UUID, Embedding]:
        """Return the embeddings by the active model of those of the images that have one."""
        vector: Any = cast(col(EmbeddingRow.embedding), array((), REAL()).type)
        statement = select(col(EmbeddingRow.image_id), vector).where(
            col(EmbeddingRow.image_id) == func.any(array(ids, Uuid())),
            col(EmbeddingRow.model_id) == self._active().id,
        )
        async with self._session() as session:
            return {row[0]: row[1] for row in await session.execute(statement)}

    async def cosines(
        self, ids: Sequence[UUID], points: Sequence[Embedding]
    ) -> dict[UUID, Sequence[float]]:
        """Return how similar images are to each point, by the active model."""
        async with self._session() as session:
            return await cosines(session, self._active(), ids, points=points)

    async def count_nearest(
        self, selection: Selection, points: Sequence[Embedding]
    ) -> Sequence[int]:
        """Return for each point how many images lie nearest to it, by the active model."""
        async with self._session() as session:
            return await count_nearest(session, self._active(), selection, points=points)

    async def facets(
        self, selection: Selection, most: Mapping[Facet, int | None]
    ) -> dict[Facet, tuple[FacetValue, ...]]:
        """Count the values of facts, all in one look at the images."""
        async with self._session() as session:
            return await count_facets(session, selection, most)

    async def models(self) -> Sequence[KnownModel]:
        """Return every model that has or had embeddings here, the oldest first."""
        async with self._session() as session:
            return await known_models(session)

    async def set_alt_text(self, image_id: UUID, alt_text: str | None) -> Image:
        """Change one fact. Raises ImageNotFound."""
        statement = (
            update(ImageRow)
            .where(col(ImageRow.id) == image_id)
            .values(alt_text=alt_text)
            .returning(ImageRow)
        )
        async with self._session() as session:
            row = await session.scalar(statement)
        if row is None:
            raise ImageNotFound(f"There is no image {image_id}.")
        return image_of(row)

    async def keep_original(self, image_id: UUID) -> Image | None:
        """Note that storage has the original now, wherever it lay; None when the image is gone."""
        statement = (
            update(ImageRow)
            .where(col(ImageRow.id) == image_id)
            .values(source=None, source_version=None)
            .returning(ImageRow)
        )
        async with self._session() as session:
            row = await session.scalar(statement)
        return image_of(row) if row else None

    async def tag(
        self, ids: Sequence[UUID], *, add: Iterable[str] = (), remove: Iterable[str] = ()
    ) -> dict[UUID, Image]:
        """Change the tags of those images that are here, and return them as they are now."""
        change = {"ids": list(ids), "add": list(add), "remove": list(remove)}
        async with self._session() as session:
            rows = await session.scalars(select(ImageRow).from_statement(TAG), change)
            return {row.id: image_of(row) for row in rows}

    async def delete(self, ids: Sequence[UUID]) -> set[UUID]:
        """Remove images with their embeddings, and return the ids that were here."""
        async with self._session() as session:
            return set(await session.scalars(DELETE, {"ids": list(ids)}))

    def _session(self) -> AbstractAsyncContextManager[AsyncSession]:
        # Each statement is a transaction of its own, which saves opening and ending one.
        session = AsyncSession(self.engine.execution_options(isolation_level="AUTOCOMMIT"))
        return answering_for_dropped(session, self.model)

    def _active(self) -> ActiveModel:
        if self.model is None:
            message = "this catalog was opened without a model"
            raise RuntimeError(message)
        return self.model

    async def _insert(self, statement: Select[Any], image: Image) -> Image:
        while True:
            async with self._session() as session:
                # Where another call has the digest and has not committed, this waits for it.
                if await session.scalar(statement):
                    return image
            if kept := (await self.find([image.sha256])).get(image.sha256):
                return kept
            # The one that was here has been deleted in between: there is room again.
