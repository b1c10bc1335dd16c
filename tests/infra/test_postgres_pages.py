"""Pages on PostgreSQL during concurrent inserts and deletes: none repeats or skips an image.

``tests/domain/test_search_pages.py`` tests the same over fakes, step by step.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from domain.entities.embeddings import EmbeddingModel
from domain.entities.filters import ImageFilter, SortField
from domain.entities.images import Exif
from domain.entities.listing import Sort, Window, position_of
from domain.entities.queries import BySearch, ByText, SearchOptions
from domain.entities.searches import MAX_SEARCH_DEPTH, SEARCH_DEPTHS, SearchDepth
from domain.errors import SearchExpired
from domain.use_cases.library.browse import ListImages
from domain.use_cases.search.keep_searches import KeepSearches
from domain.use_cases.search.query_encoder import QueryEncoder
from domain.use_cases.search.relevance_scorer import RelevanceScorer
from domain.use_cases.search.search_images import SearchImages
from infra.postgres.duplicates.duplicates import PostgresDuplicates
from infra.postgres.engine import open_engine
from infra.postgres.searches import PostgresKeptSearches
from infra.postgres.vectors.planner import Estimate, Planner
from tests.fakes.embedding_space import FakeEmbeddingSpace
from tests.fakes.encoder import FakeEncoder
from tests.fakes.images import NOON, image_with
from tests.fakes.imaging import FakeImaging
from tests.postgres_library import PostgresLibrary

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Sequence
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

    from domain.entities.embeddings import Embedding
    from domain.entities.images import Image
    from domain.entities.queries import SearchBy

MODEL = EmbeddingModel("tests/pages", 2)
ANYTHING = ByText("anything")
PAGING_SETTINGS = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
# Angles from the query. Few values, so that many images tie and are ordered by id.
DEGREES = st.integers(0, 12).map(lambda number: 15 * number)
SIZES = st.lists(st.integers(1, 9), min_size=1, max_size=4)
DEPTHS = st.lists(st.integers(1, 40), max_size=5, unique=True).map(
    lambda depths: (*sorted(depths), MAX_SEARCH_DEPTH)
)
EXISTING = st.lists(DEGREES, min_size=1, max_size=40)
DELETED_INDICES = st.sets(st.integers(0, 39), max_size=20)


class NorthEncoder(FakeEncoder):
    """Encodes every text as the vector at zero degrees."""

    async def encode_texts(self, texts: Sequence[str]) -> list[Embedding]:
        return [(1.0, 0.0) for _ in texts]


@dataclass(frozen=True)
class SearchableLibrary:
    """Images at angles to the query, on PostgreSQL, and a search over them."""

    engine: AsyncEngine
    catalog: PostgresLibrary
    depths: Sequence[int] = SEARCH_DEPTHS

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
            depths=self.depths,
        )

    async def fill(self, degrees: Sequence[int]) -> list[Image]:
        async with self.engine.begin() as connection:
            await connection.execute(text("DELETE FROM images"))
        return [await self.insert(each) for each in degrees]

    async def insert(self, degrees: int) -> Image:
        """Insert an image; images at the same angle tie in every sort."""
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
async def library(postgres_url: str) -> AsyncIterator[SearchableLibrary]:
    async with open_engine(postgres_url) as engine:
        yield SearchableLibrary(engine, await PostgresLibrary.open(engine, MODEL))


async def search_by_page(
    search: SearchImages, options: SearchOptions, sizes: list[int], by: SearchBy = ANYTHING
) -> list[UUID]:
    """Return the ids on all pages of a search."""
    read: list[UUID] = []
    after, page_number = None, 0
    while True:
        size = sizes[page_number % len(sizes)]
        page = await search(by, options, first=size, after=after)
        read += [found.image.id for found in page.found]
        assert len(page.found) == size or not page.has_next
        if not page.has_next:
            return read
        after, page_number = page.found[-1].cursor, page_number + 1


@PAGING_SETTINGS
@given(
    existing=EXISTING,
    deleted_indices=DELETED_INDICES,
    inserted=st.lists(DEGREES, max_size=15),
    sizes=SIZES,
    options=st.sampled_from(
        [SearchOptions(), SearchOptions(exact=True), SearchOptions(ImageFilter(keywords="jpg"))]
    ),
    depths=DEPTHS,
)
async def test_a_search_returns_every_kept_image_once_and_in_order(  # noqa: PLR0913
    library: SearchableLibrary,
    *,
    existing: list[int],
    deleted_indices: set[int],
    inserted: list[int],
    sizes: list[int],
    options: SearchOptions,
    depths: Sequence[int],
) -> None:
    images = await library.fill(existing)
    angles = dict(zip((image.id for image in images), existing, strict=True))
    deleted = [image for index, image in enumerate(images) if index in deleted_indices]
    read, *_ = await asyncio.gather(
        search_by_page(replace(library, depths=depths).search, options, sizes),
        library.delete_all(deleted),
        library.insert_all(inserted),
    )
    assert len(read) == len(set(read))
    kept = angles.keys() - {image.id for image in deleted}
    expected = sorted(kept, key=lambda id_: (angles[id_], id_))
    assert expected == [id_ for id_ in read if id_ in kept]


async def test_a_page_continues_no_search_that_two_servers_have_deepened_in_their_memory(
    library: SearchableLibrary,
) -> None:
    await library.fill(range(0, 180, 10))
    search = replace(library, depths=(3, 9, MAX_SEARCH_DEPTH)).search
    here, there = (
        replace(search, searches=KeepSearches(search.searches, save_seconds=0.1)) for _ in range(2)
    )
    first = await here(ANYTHING, first=2)
    after = first.found[-1].cursor
    async with library.engine.begin() as connection:
        # Searches can be read, and saving one waits.
        await connection.execute(text("LOCK TABLE searches IN SHARE MODE"))
        second = await here(ANYTHING, first=3, after=after)
        await library.insert_all(range(0, 180, 10))
        other = await there(ANYTHING, first=3, after=after)
        assert [each.image for each in second.found] != [each.image for each in other.found]
        with pytest.raises(SearchExpired):
            await there(ANYTHING, first=3, after=second.found[-1].cursor)
    third = await here(ANYTHING, first=6, after=second.found[-1].cursor)
    with pytest.raises(SearchExpired):
        await there(ANYTHING, first=3, after=other.found[-1].cursor)
    assert third.search == await search.searches.load(
        first.search_id, since=first.search.created_at
    )


@PAGING_SETTINGS
@given(
    existing=EXISTING,
    deleted_indices=DELETED_INDICES,
    inserted=st.lists(DEGREES, max_size=15),
    readers=st.lists(SIZES, min_size=2, max_size=3),
    depths=DEPTHS,
)
async def test_readers_that_deepen_one_search_at_once_read_the_same_answer(  # noqa: PLR0913
    library: SearchableLibrary,
    *,
    existing: list[int],
    deleted_indices: set[int],
    inserted: list[int],
    readers: list[list[int]],
    depths: Sequence[int],
) -> None:
    images = await library.fill(existing)
    deleted = [image for index, image in enumerate(images) if index in deleted_indices]
    search = replace(library, depths=depths).search
    start = await search(ANYTHING, first=1)
    by = BySearch(start.search_id)
    reads, _, _ = await asyncio.gather(
        asyncio.gather(*(search_by_page(search, SearchOptions(), sizes, by) for sizes in readers)),
        library.delete_all(deleted),
        library.insert_all(inserted),
    )
    kept = await search.searches.load(start.search_id, since=start.search.created_at)
    order = [hit.image_id for hit in kept.hits]
    assert len(set(order)) == len(order)
    existing_throughout = {image.id for image in images} - {image.id for image in deleted}
    for read in reads:
        assert read == [id_ for id_ in order if id_ in set(read)]
        assert set(read) >= existing_throughout


SORTS = st.builds(Sort, st.sampled_from(SortField), st.booleans())


async def list_by_page(
    listing: ListImages, sort: Sort, sizes: list[int], *, from_end: bool
) -> list[Image]:
    """Return the images on all pages, from either end, in the order of the listing."""
    read: list[Image] = []
    position, page_number = None, 0
    while True:
        size = sizes[page_number % len(sizes)]
        window = (
            Window(size, before=position, from_end=True)
            if from_end
            else Window(size, after=position)
        )
        page = await listing(ImageFilter(), sort, window)
        read = [*page.images, *read] if from_end else [*read, *page.images]
        if not (page.has_previous if from_end else page.has_next):
            return read
        position, page_number = (
            position_of(read[0] if from_end else read[-1], sort),
            page_number + 1,
        )


@PAGING_SETTINGS
@given(
    existing=EXISTING,
    deleted_indices=DELETED_INDICES,
    inserted=st.lists(DEGREES, max_size=15),
    sizes=SIZES,
    sort=SORTS,
    from_end=st.booleans(),
)
async def test_a_listing_returns_every_kept_image_once_and_in_order(  # noqa: PLR0913
    library: SearchableLibrary,
    *,
    existing: list[int],
    deleted_indices: set[int],
    inserted: list[int],
    sizes: list[int],
    sort: Sort,
    from_end: bool,
) -> None:
    images = await library.fill(existing)
    deleted = [image for index, image in enumerate(images) if index in deleted_indices]
    kept = {image.id for image in images} - {image.id for image in deleted}
    listing = ListImages(library.catalog)
    undisturbed = await listing(ImageFilter(), sort, Window(100))
    read, *_ = await asyncio.gather(
        list_by_page(listing, sort, sizes, from_end=from_end),
        library.delete_all(deleted),
        library.insert_all(inserted),
    )
    ids = [image.id for image in read]
    assert len(ids) == len(set(ids))
    expected = [image.id for image in undisturbed.images if image.id in kept]
    assert expected == [id_ for id_ in ids if id_ in kept]


class LargeLibraryPlanner(Planner):
    """Estimates every library as a large one."""

    async def estimate(
        self,
        connection: AsyncConnection,  # noqa: ARG002 - the signature of Planner
        criteria: ImageFilter,  # noqa: ARG002 - the signature of Planner
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


@pytest.mark.parametrize("depth", SearchDepth)
async def test_an_approximate_search_has_stable_pages_too(
    library: SearchableLibrary, depth: SearchDepth
) -> None:
    async with library.engine.begin() as connection:
        for statement in FILL:
            await connection.execute(statement)
    indexed = replace(library, catalog=replace(library.catalog, planner=LargeLibraryPlanner()))
    page = await indexed.search(ANYTHING, first=1, depth=depth)
    kept = page.search
    ranked = [hit.image_id for hit in kept.hits]
    number = MAX_SEARCH_DEPTH if depth is SearchDepth.ALL else SEARCH_DEPTHS[0]
    assert (False, number) == (kept.exact, len(ranked))
    deleted_ids = set(ranked[1::7])

    async def read_pages() -> list[UUID]:
        read = [page.found[0].image.id]
        last_page = page
        while last_page.has_next:
            last_page = await indexed.search(ANYTHING, first=90, after=last_page.found[-1].cursor)
            read += [found.image.id for found in last_page.found]
        return read

    changes: list[Awaitable[object]] = [library.insert_all(range(0, 180, 6))]
    changes += [library.catalog.delete([id_]) for id_ in deleted_ids]
    paging = asyncio.create_task(read_pages())
    await asyncio.gather(paging, *changes)
    read = paging.result()
    assert len(read) == len(set(read))
    kept = await indexed.search.searches.load(kept.id, since=kept.created_at)
    assert ranked == [hit.image_id for hit in kept.hits][: len(ranked)]
    assert MAX_SEARCH_DEPTH == len(kept.hits)
    assert [hit.image_id for hit in kept.hits if hit.image_id not in deleted_ids] == [
        id_ for id_ in read if id_ not in deleted_ids
    ]
