"""Duplicates on PostgreSQL."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import text

from domain.entities.images import FLAT
from domain.entities.near_duplicates import Collapse, DuplicatePair
from infra.postgres.duplicates.comparison import Copy, Hashed, Known, compare, link_copies

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy import CursorResult, TextClause
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

    from infra.postgres.duplicates.comparison import Compared, Pair
    from infra.postgres.models.active import ActiveModel

CHUNK = 10_000
"""How many images are compared and kept at a time: a few seconds' work that a stop may cost."""

PAIRS = 20_000
"""How many pairs of embeddings one statement multiplies."""

PORTION = 5_000
"""How many links are read at a time: between them, the event loop has its turn."""

LOCK = text("SELECT pg_advisory_xact_lock(hashtext('pictograph duplicates'))")

# As arrays, which decode faster than rows. `known` are those that were compared and go through no
# other.
NEW = text("""
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
KNOWN = text("""
    SELECT array_agg(id ORDER BY id), string_agg(perceptual_hash, '' ORDER BY id)
    FROM comparisons JOIN images ON id = image_id
    WHERE model_id = :model AND through_id IS NULL AND perceptual_hash <> :flat
""")
# A copy may itself go through another, which is where the next copy has to go through, too.
COPIES = text("""
    SELECT DISTINCT ON (pixel_sha256) pixel_sha256, id, COALESCE(through_id, id)
    FROM images JOIN comparisons ON image_id = id AND model_id = :model
    WHERE pixel_sha256 = ANY(CAST(:digests AS text[])) ORDER BY pixel_sha256, id
""")
AMONG = text("""
    SELECT array_agg(id), array_agg(perceptual_hash), array_agg(pixel_sha256) FROM (
        SELECT id, perceptual_hash, pixel_sha256 FROM images
        WHERE id = ANY(CAST(:ids AS uuid[])) AND perceptual_hash IS NOT NULL ORDER BY id
    ) AS wanted
""")
# Not joined: PostgreSQL would read all embeddings for a few thousand of them.
SIMILARITIES = text("""
    SELECT array_agg(-(
        (SELECT embedding FROM embeddings WHERE image_id = one_id AND model_id = :model)
        <#> (SELECT embedding FROM embeddings WHERE image_id = other_id AND model_id = :model)
    ) ORDER BY place)
    FROM unnest(CAST(:ones AS uuid[]), CAST(:others AS uuid[]))
        WITH ORDINALITY AS pairs (one_id, other_id, place)
""")
LEAST_SIMILARITIES = text("""
    WITH members AS MATERIALIZED (
        SELECT place, image_id, embedding
        FROM unnest(CAST(:ids AS uuid[]), CAST(:places AS integer[])) AS given (image_id, place)
        JOIN embeddings USING (image_id) WHERE model_id = :model
    )
    SELECT one.place, min(-(one.embedding <#> other.embedding))
    FROM members AS one JOIN members AS other
    ON one.place = other.place AND one.image_id < other.image_id GROUP BY one.place
""")
LINKS = text("""
    SELECT array_agg(image_id), array_agg(other_id), array_agg(exact) FROM (
        SELECT image_id, other_id, exact, row_number() OVER () / :portion AS portion
        FROM likenesses WHERE model_id = :model AND (exact OR NOT :only_exact)
    ) AS links GROUP BY portion
""")
# In the order of the ids, as deleting locks them, so that the two never wait in a circle.
STAY = text("""
    SELECT id FROM images WHERE id = ANY(CAST(:ids AS uuid[])) ORDER BY id FOR KEY SHARE
""")
# Else each look-up of a foreign key is planned anew, which takes most of the time of keeping links.
PLAN_ONCE = text("SELECT set_config('plan_cache_mode', 'force_generic_plan', true)")
KEEP_LIKENESSES = text("""
    INSERT INTO likenesses (image_id, other_id, model_id, distance, similarity, exact)
    SELECT image_id, other_id, :model, distance, similarity, exact FROM unnest(
        CAST(:ones AS uuid[]), CAST(:others AS uuid[]), CAST(:distances AS smallint[]),
        CAST(:similarities AS real[]), CAST(:exacts AS boolean[])
    ) AS found (image_id, other_id, distance, similarity, exact)
    ON CONFLICT DO NOTHING
""")
KEEP_COMPARISONS = text("""
    INSERT INTO comparisons (image_id, model_id, through_id, copy_of_id)
    SELECT image_id, :model, through_id, copy_of_id
    FROM unnest(CAST(:ids AS uuid[]), CAST(:throughs AS uuid[]), CAST(:copies AS uuid[]))
        AS compared (image_id, through_id, copy_of_id)
""")
UNHASHED = text("""
    SELECT id FROM images
    WHERE perceptual_hash IS NULL AND status = 'ready' AND id > CAST(:after AS uuid)
    ORDER BY id LIMIT :limit
""")
KEEP_HASH = text("""
    UPDATE images SET perceptual_hash = :perceptual_hash, pixel_sha256 = :pixel_sha256
    WHERE id = :id
""")


@dataclass(frozen=True, slots=True)
class PostgresDuplicates:
    """Links between images, kept as they are found: what was compared is not compared again.

    Servers of one database take turns, and so do the callers of one server, of which only one
    holds a connection meanwhile.
    """

    engine: AsyncEngine
    model: ActiveModel
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def update(self) -> int:
        """Compare what was not compared yet with all, and return how many those were."""
        async with self._turn, self.engine.begin() as connection:
            if not await self._images(connection, NEW, limit=1):
                return 0
            await connection.execute(LOCK)
            new = await self._images(connection, NEW, limit=CHUNK)
            row = (await self._run(connection, KNOWN, flat=FLAT)).one()
            known = Known(row[0] or (), row[1] or b"")
            digests = [image.pixel_sha256 for image in new if image.pixel_sha256]
            rows = await self._run(connection, COPIES, digests=digests)
            copies = {row[0]: Copy(row[1], row[2]) for row in rows}
            compared = await self._compare(connection, new, known, copies)
            await self._keep(connection, compared)
            return len(new)

    async def pairs(self, kind: Collapse) -> Sequence[DuplicatePair]:
        """Return links between compared images, enough to tell the groups."""
        only_exact = kind is Collapse.EXACT_COPIES
        async with self.engine.connect() as connection:
            portions = (
                await self._run(connection, LINKS, only_exact=only_exact, portion=PORTION)
            ).all()
        # A hundred thousand take a while, and others want to be answered meanwhile.
        return await asyncio.to_thread(
            lambda: [
                DuplicatePair(*link) for columns in portions for link in zip(*columns, strict=True)
            ]
        )

    async def pairs_among(self, ids: Collection[UUID], kind: Collapse) -> Sequence[DuplicatePair]:
        """Return links among these images, compared before or not, enough to tell the groups."""
        async with self.engine.connect() as connection:
            images = await self._images(connection, AMONG, ids=list(ids))
            found = await self._compare(connection, images, Known(), {}, kind=kind)
        return [
            DuplicatePair(link.image_id, link.other_id, link.exact) for link in found.likenesses
        ]

    async def similarities(self, groups: Sequence[Collection[UUID]]) -> list[float]:
        """Return the smallest cosine similarity of two images within each group."""
        members = [(image_id, place) for place, ids in enumerate(groups) for image_id in ids]
        ids, places = [member[0] for member in members], [member[1] for member in members]
        async with self.engine.connect() as connection:
            rows = await self._run(connection, LEAST_SIMILARITIES, ids=ids, places=places)
            least = {row[0]: row[1] for row in rows}
        return [min(1.0, least.get(place, 1.0)) for place in range(len(groups))]

    async def unhashed(self, limit: int, *, after: UUID | None = None) -> Sequence[UUID]:
        """Return READY images without a perceptual hash, the oldest first."""
        bounds = {"limit": limit, "after": after or UUID(int=0)}
        async with self.engine.connect() as connection:
            return list(await connection.scalars(UNHASHED, bounds))

    async def set_hash(
        self, image_id: UUID, *, perceptual_hash: bytes, pixel_sha256: str | None
    ) -> None:
        """Keep what was found out about an image that is here."""
        hashes = {"perceptual_hash": perceptual_hash, "pixel_sha256": pixel_sha256}
        async with self.engine.begin() as connection:
            await connection.execute(KEEP_HASH, {"id": image_id} | hashes)

    async def _compare(
        self,
        connection: AsyncConnection,
        new: Sequence[Hashed],
        known: Known,
        copies: dict[str, Copy],
        *,
        kind: Collapse = Collapse.NEAR_DUPLICATES,
    ) -> Compared:
        if kind is Collapse.EXACT_COPIES:
            return link_copies(new, copies)

        async def similarities(pairs: Sequence[Pair]) -> list[float]:
            measured: list[float] = []
            for start in range(0, len(pairs), PAIRS):
                some = pairs[start : start + PAIRS]
                ones, others = [one for one, _ in some], [other for _, other in some]
                found = await self._run(connection, SIMILARITIES, ones=ones, others=others)
                # None where one was deleted meanwhile.
                measured += [-1 if value is None else value for value in found.scalar_one()]
            return measured

        return await compare(new, known, copies=copies, similarities=similarities)

    async def _keep(self, connection: AsyncConnection, compared: Compared) -> None:
        """Keep what was found, but for images that are gone.

        What went through one of these, or is a copy of it, is left as it was, not compared, and has
        its turn again.
        """
        ids = await asyncio.to_thread(compared.images)
        here = set(await connection.scalars(STAY, {"ids": ids}))
        await connection.execute(PLAN_ONCE)
        likenesses, comparisons = await asyncio.to_thread(compared.rows, here)
        for start in range(0, len(likenesses), PAIRS):
            ones, others, distances, similarities, exacts = zip(
                *likenesses[start : start + PAIRS], strict=True
            )
            await self._run(
                connection,
                KEEP_LIKENESSES,
                ones=ones,
                others=others,
                distances=distances,
                similarities=similarities,
                exacts=exacts,
            )
        images, throughs, copies = ([row[place] for row in comparisons] for place in range(3))
        await self._run(connection, KEEP_COMPARISONS, ids=images, throughs=throughs, copies=copies)

    async def _images(
        self, connection: AsyncConnection, statement: TextClause, **values: object
    ) -> list[Hashed]:
        row = (await self._run(connection, statement, **values)).one()
        return [Hashed(*facts) for facts in zip(*(column or () for column in row), strict=True)]

    async def _run(
        self, connection: AsyncConnection, statement: TextClause, **values: object
    ) -> CursorResult[*tuple[Any, ...]]:
        return await connection.execute(statement, {"model": self.model.id} | values)
