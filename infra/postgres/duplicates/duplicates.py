"""Pairs of duplicates on PostgreSQL: what is compared, and the tables of the results."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import select, text
from sqlmodel import col

from domain.entities.images import FLAT, ImageStatus
from domain.entities.near_duplicates import Collapse, DuplicatePair
from infra.postgres.catalog.trash import DELETE_PAIRS
from infra.postgres.duplicates.comparison import (
    FirstCopy,
    HashedImage,
    Representatives,
    compare,
    pair_exact_copies,
)
from infra.postgres.images import ImageRow, image_of

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy import CursorResult, TextClause
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

    from domain.entities.images import Image
    from infra.postgres.duplicates.comparison import ComparisonResult, IdPair
    from infra.postgres.models.active import ActiveModel

IMAGES_PER_UPDATE = 10_000
"""How many images one update compares, in one transaction: a few seconds' work, which a shutdown
may lose."""

PAIRS_PER_STATEMENT = 20_000
"""How many pairs of embeddings one statement compares, and how many pairs one inserts."""

PAIRS_PER_ARRAY = 5_000
"""How many pairs are decoded at once. The event loop runs other tasks in between."""

LOCK_DUPLICATES = text("SELECT pg_advisory_xact_lock(hashtext('pictograph duplicates'))")

# Results are arrays, which decode faster than rows.
SELECT_UNCOMPARED = text("""
    SELECT array_agg(id), array_agg(perceptual_hash), array_agg(pixel_sha256) FROM (
        SELECT id, perceptual_hash, pixel_sha256 FROM images
        WHERE perceptual_hash IS NOT NULL
        AND NOT EXISTS (
            SELECT FROM comparisons WHERE image_id = images.id AND model_id = :model
        )
        AND EXISTS (SELECT FROM embeddings WHERE image_id = images.id AND model_id = :model)
        ORDER BY id LIMIT :limit
    ) AS new
""")
SELECT_REPRESENTATIVES = text("""
    SELECT array_agg(id ORDER BY id), string_agg(perceptual_hash, '' ORDER BY id)
    FROM comparisons JOIN images ON id = image_id
    WHERE model_id = :model AND through_id IS NULL AND perceptual_hash <> :flat
""")
# A first copy may have a representative, which is then that of all its copies.
SELECT_FIRST_COPIES = text("""
    SELECT DISTINCT ON (pixel_sha256) pixel_sha256, id, COALESCE(through_id, id)
    FROM images JOIN comparisons ON image_id = id AND model_id = :model
    WHERE pixel_sha256 = ANY(CAST(:digests AS text[])) ORDER BY pixel_sha256, id
""")
SELECT_GIVEN = text("""
    SELECT array_agg(id), array_agg(perceptual_hash), array_agg(pixel_sha256) FROM (
        SELECT id, perceptual_hash, pixel_sha256 FROM images
        WHERE id = ANY(CAST(:ids AS uuid[])) AND perceptual_hash IS NOT NULL
        AND deleted_at IS NULL ORDER BY id
    ) AS wanted
""")
# Subqueries instead of joins: for a join, PostgreSQL would read all embeddings.
SELECT_SIMILARITIES = text("""
    SELECT array_agg(-(
        (SELECT embedding FROM embeddings WHERE image_id = one_id AND model_id = :model)
        <#> (SELECT embedding FROM embeddings WHERE image_id = other_id AND model_id = :model)
    ) ORDER BY ordinal)
    FROM unnest(CAST(:ones AS uuid[]), CAST(:others AS uuid[]))
        WITH ORDINALITY AS pairs (one_id, other_id, ordinal)
""")
SELECT_LEAST_SIMILARITIES = text("""
    WITH members AS MATERIALIZED (
        SELECT group_index, image_id, embedding
        FROM unnest(CAST(:ids AS uuid[]), CAST(:groups AS integer[]))
            AS given (image_id, group_index)
        JOIN embeddings USING (image_id) WHERE model_id = :model
    )
    SELECT one.group_index, min(-(one.embedding <#> other.embedding))
    FROM members AS one JOIN members AS other
    ON one.group_index = other.group_index AND one.image_id < other.image_id
    GROUP BY one.group_index
""")
SELECT_PAIRS = text("""
    SELECT array_agg(image_id), array_agg(other_id), array_agg(exact) FROM (
        SELECT image_id, other_id, exact, row_number() OVER () / :pairs_per_array AS array_number
        FROM likenesses WHERE model_id = :model AND (exact OR NOT :only_exact)
    ) AS numbered GROUP BY array_number
""")
# Locks the rows in the order of their ids, as deletes do: the two cannot deadlock.
LOCK_EXISTING_IMAGES = text("""
    SELECT id FROM images WHERE id = ANY(CAST(:ids AS uuid[])) AND deleted_at IS NULL
    ORDER BY id FOR KEY SHARE
""")
# The session has custom plans. With these, planning the checks of foreign keys would take most of
# the time of the inserts.
USE_GENERIC_PLANS = text("SELECT set_config('plan_cache_mode', 'force_generic_plan', true)")
INSERT_LIKENESSES = text("""
    INSERT INTO likenesses (image_id, other_id, model_id, distance, similarity, exact)
    SELECT image_id, other_id, :model, distance, similarity, exact FROM unnest(
        CAST(:ones AS uuid[]), CAST(:others AS uuid[]), CAST(:distances AS smallint[]),
        CAST(:similarities AS real[]), CAST(:exacts AS boolean[])
    ) AS found (image_id, other_id, distance, similarity, exact)
    ON CONFLICT DO NOTHING
""")
INSERT_COMPARISONS = text("""
    INSERT INTO comparisons (image_id, model_id, through_id, copy_of_id)
    SELECT image_id, :model, through_id, copy_of_id
    FROM unnest(CAST(:ids AS uuid[]), CAST(:throughs AS uuid[]), CAST(:copies AS uuid[]))
        AS compared (image_id, through_id, copy_of_id)
""")
# Objects remember the digest, also after a user has deleted the image.
UPDATE_HASHES = text("""
    WITH hashed AS (
        UPDATE images SET perceptual_hash = :perceptual_hash, pixel_sha256 = :pixel_sha256
        WHERE id = :id RETURNING id
    )
    UPDATE objects SET pixel_sha256 = :pixel_sha256 WHERE image_id IN (SELECT id FROM hashed)
""")


@dataclass(frozen=True, slots=True)
class PostgresDuplicates:
    """Pairs of duplicates in a table, so that each image is compared once.

    An advisory lock serializes the updates of all servers of one database. A lock in memory
    serializes those of one server, so that only one of them occupies a connection.
    """

    engine: AsyncEngine
    model: ActiveModel
    background: AsyncEngine | None = None
    """The engine of updates, which may take longer than a request; by default ``engine``."""
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def update(self) -> int:
        async with self._lock, (self.background or self.engine).begin() as connection:
            if not await self._images(connection, SELECT_UNCOMPARED, limit=1):
                return 0
            await connection.execute(LOCK_DUPLICATES)
            new = await self._images(connection, SELECT_UNCOMPARED, limit=IMAGES_PER_UPDATE)
            row = (await self._run(connection, SELECT_REPRESENTATIVES, flat=FLAT)).one()
            earlier = Representatives(row[0] or (), row[1] or b"")
            digests = [image.pixel_sha256 for image in new if image.pixel_sha256]
            rows = await self._run(connection, SELECT_FIRST_COPIES, digests=digests)
            first_copies = {row[0]: FirstCopy(row[1], row[2]) for row in rows}
            result = await self._compare(connection, new, earlier, first_copies)
            await self._save(connection, result)
            return len(new)

    async def pairs(self, kind: Collapse) -> Sequence[DuplicatePair]:
        values = {
            "only_exact": kind is Collapse.EXACT_COPIES,
            "pairs_per_array": PAIRS_PER_ARRAY,
        }
        async with self.engine.connect() as connection:
            rows = (await self._run(connection, SELECT_PAIRS, **values)).all()
        # A hundred thousand pairs would hold up the event loop.
        return await asyncio.to_thread(
            lambda: [DuplicatePair(*pair) for arrays in rows for pair in zip(*arrays, strict=True)]
        )

    async def pairs_among(self, ids: Collection[UUID], kind: Collapse) -> Sequence[DuplicatePair]:
        async with self.engine.connect() as connection:
            images = await self._images(connection, SELECT_GIVEN, ids=list(ids))
            result = await self._compare(connection, images, Representatives(), {}, kind=kind)
        return [DuplicatePair(pair.image_id, pair.other_id, pair.exact) for pair in result.pairs]

    async def similarities(self, groups: Sequence[Collection[UUID]]) -> list[float]:
        members = [(image_id, index) for index, ids in enumerate(groups) for image_id in ids]
        ids, indices = [member[0] for member in members], [member[1] for member in members]
        async with self.engine.connect() as connection:
            rows = await self._run(connection, SELECT_LEAST_SIMILARITIES, ids=ids, groups=indices)
            least = {row[0]: row[1] for row in rows}
        return [min(1.0, least.get(index, 1.0)) for index in range(len(groups))]

    async def unhashed(self, limit: int, *, after: UUID | None = None) -> Sequence[Image]:
        images = (
            select(ImageRow)
            .where(
                col(ImageRow.perceptual_hash).is_(None),
                col(ImageRow.status) == ImageStatus.READY,
                ~col(ImageRow.is_missing),
                col(ImageRow.id) > (after or UUID(int=0)),
            )
            .order_by(col(ImageRow.id))
            .limit(limit)
        )
        async with self.engine.connect() as connection:
            return [image_of(row) for row in await connection.execute(images)]

    async def set_hash(
        self, image_id: UUID, *, perceptual_hash: bytes, pixel_sha256: str | None
    ) -> None:
        hashes = {"perceptual_hash": perceptual_hash, "pixel_sha256": pixel_sha256}
        async with self.engine.begin() as connection:
            await connection.execute(UPDATE_HASHES, {"id": image_id} | hashes)
            # An upgrade forgets hashes of compared images. Others came while there were none.
            for statement in DELETE_PAIRS:
                await connection.execute(statement, {"ids": [image_id]})

    async def _compare(
        self,
        connection: AsyncConnection,
        new: Sequence[HashedImage],
        earlier: Representatives,
        first_copies: dict[str, FirstCopy],
        *,
        kind: Collapse = Collapse.NEAR_DUPLICATES,
    ) -> ComparisonResult:
        if kind is Collapse.EXACT_COPIES:
            return pair_exact_copies(new, first_copies)

        async def measure(pairs: Sequence[IdPair]) -> list[float]:
            similarities: list[float] = []
            for start in range(0, len(pairs), PAIRS_PER_STATEMENT):
                chunk = pairs[start : start + PAIRS_PER_STATEMENT]
                ones, others = [one for one, _ in chunk], [other for _, other in chunk]
                row = await self._run(connection, SELECT_SIMILARITIES, ones=ones, others=others)
                # NULL where an image of the pair was deleted in the meantime.
                similarities += [-1 if value is None else value for value in row.scalar_one()]
            return similarities

        return await compare(new, earlier, first_copies=first_copies, measure=measure)

    async def _save(self, connection: AsyncConnection, result: ComparisonResult) -> None:
        """Insert the pairs and comparisons of images that still exist.

        An image whose representative or first copy was deleted stays uncompared: a later update
        compares it.
        """
        ids = await asyncio.to_thread(result.images)
        existing = set(await connection.scalars(LOCK_EXISTING_IMAGES, {"ids": ids}))
        await connection.execute(USE_GENERIC_PLANS)
        likenesses, comparisons = await asyncio.to_thread(result.rows, existing)
        for start in range(0, len(likenesses), PAIRS_PER_STATEMENT):
            ones, others, distances, similarities, exacts = zip(
                *likenesses[start : start + PAIRS_PER_STATEMENT], strict=True
            )
            await self._run(
                connection,
                INSERT_LIKENESSES,
                ones=ones,
                others=others,
                distances=distances,
                similarities=similarities,
                exacts=exacts,
            )
        images, throughs, copies = ([row[index] for row in comparisons] for index in range(3))
        await self._run(
            connection, INSERT_COMPARISONS, ids=images, throughs=throughs, copies=copies
        )

    async def _images(
        self, connection: AsyncConnection, statement: TextClause, **values: object
    ) -> list[HashedImage]:
        row = (await self._run(connection, statement, **values)).one()
        images = zip(*(array or () for array in row), strict=True)
        return [HashedImage(*image) for image in images]

    async def _run(
        self, connection: AsyncConnection, statement: TextClause, **values: object
    ) -> CursorResult[*tuple[Any, ...]]:
        return await connection.execute(statement, {"model": self.model.id} | values)
