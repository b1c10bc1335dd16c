"""Pages on a real database while other tasks insert and delete: nothing repeated, nothing skipped.

Over fakes the same is proved step by step, in ``tests/domain/test_search_pages.py``.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from domain.entities.embeddings import EmbeddingModel
from domain.entities.filters import ImageFilter, SortField
from domain.entities.images import Exif
from domain.entities.listing import Sort, Window, position_of
from domain.entities.queries import ByText, SearchOptions
from domain.entities.searches import MAX_SEARCH_DEPTH
from domain.use_cases.library.browse import ListImages
from domain.use_cases.search.query_encoder import QueryEncoder
from domain.use_cases.search.relevance_scorer import RelevanceScorer
from domain.use_cases.search.search_images import SearchImages
from infra.postgres.duplicates.duplicates import PostgresDuplicates
from infra.postgres.engine import open_engine
from infra.postgres.searches import PostgresKeptSearches
from infra.postgres.vectors.planner import Estimate, Planner
from tests.fakes.encoder import FakeEncoder
from tests.fakes.images import NOON, image_with
from tests.fakes.imaging import FakeImaging
from tests.fakes.space import FakeEmbeddingSpace
from tests.postgres_library import PostgresLibrary

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Sequence
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

    from domain.entities.embeddings import Embedding
    from domain.entities.images import Image

MODEL = EmbeddingModel("tests/pages", 2)
ANYTHING = ByText("anything")
NEVER_MIND = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
# Degrees away from the question; the same again and again, so that ids have to part them.
DEGREES = st.integers(0, 12).map(lambda number: 15 * number)
SIZES = st.lists(st.integers(1, 9), min_size=1, max_size=4)
BEFORE = st.lists(DEGREES, min_size=1, max_size=40)
GOING = st.sets(st.integers(0, 39), max_size=20)


class NorthEncoder(FakeEncoder):
    """Every text lies at zero degrees."""

    async def encode_texts(self, texts: Sequence[str]) -> list[Embedding]:
        return [(1.0, 0.0) for _ in texts]


@dataclass(frozen=True)
class Library:
    """Images at angles to what is looked for, in PostgreSQL."""

    engine: AsyncEngine
    catalog: PostgresLibrary

    @property
    def search(self) -> SearchImages:
        encoder, space = NorthEncoder(), FakeEmbeddingSpace(self.catalog)
        return SearchImages(
            QueryEncoder(encoder, FakeImaging(), self.catalog, space, 100),
            RelevanceScorer(space, encoder.model),
            self.catalog,
            self.catalog,
            PostgresDuplicates(self.engine, self.catalog.model),
            PostgresKeptSearches(self.engine),
            lambda: datetime.now(UTC),
        )

    async def fill(self, degrees: Sequence[int]) -> list[Image]:
        async with self.engine.begin() as connection:
            await connection.execute(text("DELETE FROM images"))
        return [await self.insert(each) for each in degrees]

    async def insert(self, degrees: int) -> Image:
        """Insert an image whose facts tie wherever its angle does."""
        angle = math.radians(degrees)
        taken_at = NOON.replace(minute=degrees // 15) if degrees % 2 else None
        image = image_with(
            filename=f"{degrees // 30}.jpg",
            byte_size=degrees,
            created_at=NOON.replace(second=degrees // 15),
            exif=Exif(taken_at=taken_at),
        )
        return await self.catalog.add(image, (math.cos(angle), math.sin(angle)))

    async def insert_all(self, degrees: Sequence[int]) -> None:
        for each in degrees:
            await self.insert(each)

    async def delete_all(self, images: Sequence[Image]) -> None:
        for image in images:
            await self.catalog.delete([image.id])


@pytest_asyncio.fixture
async def library(postgres_url: str) -> AsyncIterator[Library]:
    async with open_engine(postgres_url) as engine:
        yield Library(engine, await PostgresLibrary.open(engine, MODEL))


async def found_by_page(
    search: SearchImages, narrowing: SearchOptions, sizes: list[int]
) -> list[UUID]:
    """Return the ids on all pages of a search."""
    seen: list[UUID] = []
    after, turn = None, 0
    while True:
        size = sizes[turn % len(sizes)]
        page = await search(ANYTHING, narrowing, first=size, after=after)
        seen += [found.image.id for found in page.found]
        assert len(page.found) == size or not page.has_next
        if not page.has_next:
            return seen
        after, turn = page.found[-1].cursor, turn + 1


@NEVER_MIND
@given(
    before=BEFORE,
    going=GOING,
    coming=st.lists(DEGREES, max_size=15),
    sizes=SIZES,
    options=st.sampled_from(
        [SearchOptions(), SearchOptions(exact=True), SearchOptions(ImageFilter(keywords="jpg"))]
    ),
)
async def test_a_search_finds_whatever_was_there_throughout_once_and_in_order(  # noqa: PLR0913
    library: Library,
    *,
    before: list[int],
    going: set[int],
    coming: list[int],
    sizes: list[int],
    narrowing: SearchOptions,
) -> None:
    images = await library.fill(before)
    angles = dict(zip((image.id for image in images), before, strict=True))
    gone = [image for place, image in enumerate(images) if place in going]
    seen, *_ = await asyncio.gather(
        found_by_page(library.search, narrowing, sizes),
        library.delete_all(gone),
        library.insert_all(coming),
    )
    assert len(seen) == len(set(seen))
    stayed = angles.keys() - {image.id for image in gone}
    expected = sorted(stayed, key=lambda id_: (angles[id_], id_))
    assert expected == [id_ for id_ in seen if id_ in stayed]


SORTS = st.builds(Sort, st.sampled_from(SortField), st.booleans())


async def listed_by_page(
    listing: ListImages, sort: Sort, sizes: list[int], *, from_end: bool
) -> list[Image]:
    """Return the images on all pages, from either end, in the order of the listing."""
    seen: list[Image] = []
    place, turn = None, 0
    while True:
        size = sizes[turn % len(sizes)]
        window = (
            Window(size, before=place, from_end=True) if from_end else Window(size, after=place)
        )
        page = await listing(ImageFilter(), sort, window)
        seen = [*page.images, *seen] if from_end else [*seen, *page.images]
        if not (page.has_previous if from_end else page.has_next):
            return seen
        place, turn = position_of(seen[0] if from_end else seen[-1], sort), turn + 1


@NEVER_MIND
@given(
    before=BEFORE,
    going=GOING,
    coming=st.lists(DEGREES, max_size=15),
    sizes=SIZES,
    sort=SORTS,
    from_end=st.booleans(),
)
async def test_a_listing_has_whatever_was_there_throughout_once_and_in_order(  # noqa: PLR0913
    library: Library,
    *,
    before: list[int],
    going: set[int],
    coming: list[int],
    sizes: list[int],
    sort: Sort,
    from_end: bool,
) -> None:
    images = await library.fill(before)
    gone = [image for place, image in enumerate(images) if place in going]
    stayed = {image.id for image in images} - {image.id for image in gone}
    listing = ListImages(library.catalog)
    alone = await listing(ImageFilter(), sort, Window(100))  # nobody else is at work yet
    seen, *_ = await asyncio.gather(
        listed_by_page(listing, sort, sizes, from_end=from_end),
        library.delete_all(gone),
        library.insert_all(coming),
    )
    ids = [image.id for image in seen]
    assert len(ids) == len(set(ids))
    expected = [image.id for image in alone.images if image.id in stayed]
    assert expected == [id_ for id_ in ids if id_ in stayed]


class BoldPlanner(Planner):
    """Takes every library for a large one."""

    async def estimate(
        self,
        connection: AsyncConnection,  # noqa: ARG002 - it does not ask
        criteria: ImageFilter,  # noqa: ARG002 - as above
    ) -> Estimate:
        return Estimate(100_000, 100_000)


FILL = (
    text("""
        INSERT INTO images (id, sha256, filename, content_type, byte_size, created_at, status, tags)
        SELECT gen_random_uuid(), n::text, 'a.jpg', 'image/jpeg', n, now(), 'ready',
            ARRAY[]::text[] FROM generate_series(1, 1200) AS n
    """),
    text("""
        INSERT INTO embeddings SELECT id, 1, ARRAY[cos(byte_size / 400.0), sin(byte_size / 400.0)]
            ::real[]::vector FROM images
    """),
    text("ANALYZE"),
)


async def test_a_walk_of_the_index_has_stable_pages_too(library: Library) -> None:
    async with library.engine.begin() as connection:
        for statement in FILL:
            await connection.execute(statement)
    walking = replace(library, catalog=replace(library.catalog, planner=BoldPlanner()))
    page = await walking.search(ANYTHING, first=1)
    ranked = [hit.image_id for hit in page.search.hits]
    assert (False, MAX_SEARCH_DEPTH) == (page.search.exact, len(ranked))
    going = set(ranked[1::7])

    async def go_on() -> list[UUID]:
        seen = [page.found[0].image.id]
        at = page
        while at.has_next:
            at = await walking.search(ANYTHING, first=90, after=at.found[-1].cursor)
            seen += [found.image.id for found in at.found]
        return seen

    deeds: list[Awaitable[object]] = [library.insert_all(range(0, 180, 6))]
    deeds += [library.catalog.delete([id_]) for id_ in going]
    paging = asyncio.create_task(go_on())
    await asyncio.gather(paging, *deeds)
    seen = paging.result()
    assert len(seen) == len(set(seen))
    assert [id_ for id_ in ranked if id_ not in going] == [id_ for id_ in seen if id_ not in going]
