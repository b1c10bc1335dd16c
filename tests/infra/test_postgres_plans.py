"""How PostgreSQL goes about the catalog's statements: by which index, and in how many steps."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import pytest_asyncio
from sqlalchemy import event, text

from domain.embeddings import EmbeddingModel, Query, QueryKind
from domain.facets import Facet
from domain.filters import GeoNear, ImageFilter, Place, Sort, SortField, Window
from domain.images import uuid7
from infra.postgres import PostgresCatalog, planner
from infra.postgres.engine import open_engine
from infra.postgres.planner import Estimate, Planner
from infra.postgres.search import reach_of
from tests.fakes.images import image_with

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from anyio.from_thread import BlockingPortal

    from domain.embeddings import Ranking
    from domain.facets import Selection

IMAGES = 6_000
LARGE = 2_000
MODEL = EmbeddingModel("tests/sixteen", 16)
EVERYTHING = ImageFilter()
FILL = (
    text("SELECT setseed(0.5)"),
    # One in four has the tag "quarter", one in thousand "rare"; places lie all over the globe.
    # Half of the images, or nearly, lie on the other side of ORIGIN: "Far".
    text("""
        INSERT INTO images (id, sha256, filename, content_type, byte_size, created_at, status,
            tags, taken_at, latitude, longitude)
        SELECT gen_random_uuid(), n::text, n || '.jpg', 'image/jpeg', n,
            '2024-01-01'::timestamptz + n * interval '1 minute', 'ready',
            array_remove(ARRAY[
                CASE WHEN n % 2 = 0 THEN 'half' END,
                CASE WHEN n % 100 = 0 THEN 'hundredth' END,
                CASE WHEN n % 4 = 0 AND n % 1000 > 0 THEN 'quarter' END,
                CASE WHEN n % 1000 = 0 THEN 'rare' END,
                CASE WHEN n % 10 = 0 THEN 'tenth' END
            ], NULL),
            '2020-01-01'::timestamptz + n * interval '1 hour',
            random() * 180 - 90, random() * 360 - 180
        FROM generate_series(1, :count) AS n
    """),
    text("""
        INSERT INTO embeddings SELECT id, 1, l2_normalize(ARRAY(
            SELECT random() - 0.5 FROM generate_series(1, 16) WHERE images.id IS NOT NULL
        )::vector) FROM images
    """),
    text("""
        UPDATE images SET camera_make = 'Far' FROM embeddings
        WHERE image_id = id AND (embedding::real[])[1] < 0
    """),
    text("ANALYZE"),
)
ORIGIN = Query([1.0] + [0.0] * 15, QueryKind.IMAGE)


@dataclass(frozen=True, slots=True)
class Watched:
    """A catalog of 6,000 images, of which 2,000 are many, and what it says to PostgreSQL."""

    catalog: PostgresCatalog
    statements: list[tuple[str, Any]] = field(default_factory=list)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Note the statements of the block."""

        def note(_c: object, _u: object, statement: str, parameters: Any, *_: object) -> None:  # noqa: ANN401
            self.statements.append((statement, parameters))

        engine = self.catalog.engine.sync_engine
        event.listen(engine, "before_cursor_execute", note)
        yield
        event.remove(engine, "before_cursor_execute", note)

    async def plan(self) -> str:
        """Return the plan of the statement that was noted last."""
        statement, parameters = self.statements[-1]
        async with self.catalog.engine.connect() as connection:
            # PostgreSQL's own protocol: the statement has its parameters in it by number.
            raw: Any = (await connection.get_raw_connection()).driver_connection
            return "\n".join(row[0] for row in await raw.fetch(f"EXPLAIN {statement}", *parameters))

    async def search(
        self, criteria: ImageFilter, *, limit: int = 20, exact: bool = False
    ) -> Ranking:
        """Search around ORIGIN, watched."""
        with self.watching():
            return await self.catalog.search(ORIGIN, criteria, limit=limit, exact=exact)


@pytest.fixture(scope="module")
def filled_url(portal: BlockingPortal, postgres_module_url: str) -> str:
    async def fill() -> None:
        async with open_engine(postgres_module_url) as engine:
            await PostgresCatalog.open(engine, MODEL)
            async with engine.begin() as connection:
                for statement in FILL:
                    await connection.execute(statement, {"count": IMAGES})

    portal.call(fill)
    return postgres_module_url


@pytest_asyncio.fixture
async def watched(filled_url: str) -> AsyncIterator[Watched]:
    async with open_engine(filled_url) as engine:
        yield Watched(await PostgresCatalog.open(engine, MODEL, exact_below=LARGE))


@pytest.mark.parametrize("limit", [20, 400])
async def test_many_candidates_are_found_by_walking_the_index(watched: Watched, limit: int) -> None:
    ranking = await watched.search(EVERYTHING, limit=limit)
    assert (False, limit) == (ranking.exact, len(ranking.hits))
    assert "Index Scan using embeddings_1_hnsw" in await watched.plan()
    assert 2 == len(watched.statements)


async def test_a_walk_is_put_in_the_order_of_exact_scores(watched: Watched) -> None:
    walked = await watched.search(EVERYTHING, limit=100)
    exact = await watched.search(EVERYTHING, limit=100, exact=True)
    assert walked.hits == exact.hits


async def test_a_mild_filter_is_asked_along_the_walk(watched: Watched) -> None:
    ranking = await watched.search(ImageFilter(tags_none=("rare",)))
    assert (False, 20) == (ranking.exact, len(ranking.hits))
    plan = await watched.plan()
    assert "Index Scan using embeddings_1_hnsw" in plan
    assert "Index Scan using images_pkey" in plan


@pytest.mark.parametrize(
    ("criteria", "index"),
    [
        (ImageFilter(tags_any=("rare",)), "images_by_tags"),
        (ImageFilter(tags_all=("quarter",)), ""),
        (ImageFilter(keywords="1234"), "images_by_words"),
        (ImageFilter(near=GeoNear(48.0, 9.0, 300)), "images_by_place"),
    ],
)
async def test_few_candidates_are_all_compared_by_the_filters_own_index(
    watched: Watched, criteria: ImageFilter, index: str
) -> None:
    ranking = await watched.search(criteria)
    plan = await watched.plan()
    assert ranking.exact
    assert "hnsw" not in plan
    assert index in plan
    assert 2 == len(watched.statements)


async def test_a_search_that_must_be_exact_never_walks(watched: Watched) -> None:
    ranking = await watched.search(EVERYTHING, exact=True)
    assert ranking.exact
    assert "hnsw" not in await watched.plan()
    assert 1 == len(watched.statements)


@pytest.mark.parametrize(
    ("tag", "walks", "index"),
    [
        ("half", True, "Index Scan using embeddings_1_hnsw"),
        ("tenth", False, ""),
        ("hundredth", False, "Bitmap Index Scan on images_by_tags"),
        ("rare", False, "Bitmap Index Scan on images_by_tags"),
    ],
)
async def test_how_many_match_decides_who_is_asked(
    watched: Watched,
    tag: str,
    walks: bool,  # noqa: FBT001
    index: str,
) -> None:
    ranking = await watched.search(ImageFilter(tags_any=(tag,)))
    plan = await watched.plan()
    assert (not walks, walks) == (ranking.exact, "hnsw" in plan)
    assert index in plan


async def test_a_walk_that_ends_with_too_few_is_repeated_exactly(watched: Watched) -> None:
    far = ImageFilter(camera_make_in=("Far",))
    ranking = await watched.search(far)
    assert (True, 20) == (ranking.exact, len(ranking.hits))
    assert 3 == len(watched.statements)
    assert ranking == await watched.search(far, exact=True)


@pytest.mark.parametrize("matching", [0, 1, LARGE, 1_000 * IMAGES])
@pytest.mark.parametrize("tag", ["half", "rare"])
async def test_pages_are_full_however_wrong_the_estimate_is(
    watched: Watched, tag: str, matching: int
) -> None:
    class Mistaken(Planner):
        async def estimate(self, *_: object) -> Estimate:
            return Estimate(matching, IMAGES)

    mistaken = Watched(replace(watched.catalog, planner=Mistaken()))
    criteria = ImageFilter(tags_any=(tag,))
    for limit in (20, 400, 4_000):
        exact = await watched.search(criteria, limit=limit, exact=True)
        assert exact.hits == (await mistaken.search(criteria, limit=limit)).hits


async def test_a_filter_is_reckoned_once_a_minute(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    mild = ImageFilter(tags_none=("rare",))
    for criteria, statements in ((EVERYTHING, 2), (mild, 4), (mild, 5), (EVERYTHING, 6)):
        await watched.search(criteria)
        assert statements == len(watched.statements)
    monkeypatch.setattr(planner, "LIFETIME", -1.0)
    await watched.search(mild)
    assert 8 == len(watched.statements)


async def test_the_filters_that_were_not_asked_for_the_longest_are_forgotten(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planner, "MOST_KEPT", 2)
    one, other = ImageFilter(tags_any=("rare",)), ImageFilter(tags_any=("quarter",))
    for criteria, statements in ((EVERYTHING, 2), (one, 4), (EVERYTHING, 5), (other, 7)):
        await watched.search(criteria)
        assert statements == len(watched.statements)
    await watched.search(EVERYTHING)
    await watched.search(one)
    assert 10 == len(watched.statements)


@pytest.mark.parametrize(
    ("matching", "limit", "for_pictures", "for_texts"),
    [
        (200_000, 20, True, True),
        (200_000, 1_000, True, True),
        (100_000, 20, True, True),
        (100_000, 1_000, True, True),
        (20_000, 20, True, False),
        (20_000, 1_000, False, False),
        (2_000, 20, False, False),
        (0, 20, False, False),
    ],
)
def test_a_walk_pays_where_enough_match_for_as_many_as_are_wanted(
    matching: int,
    limit: int,
    for_pictures: bool,  # noqa: FBT001
    for_texts: bool,  # noqa: FBT001
) -> None:
    found = Estimate(matching, 200_000)
    assert for_pictures == reach_of(QueryKind.IMAGE, found, limit=limit).pays
    assert for_texts == reach_of(QueryKind.TEXT, found, limit=limit).pays


async def test_the_width_of_a_walk_ends_with_it(watched: Watched) -> None:
    await watched.search(EVERYTHING)
    async with watched.catalog.engine.connect() as connection:
        assert "40" == await connection.scalar(text("SHOW hnsw.ef_search"))
        assert "off" == await connection.scalar(text("SHOW hnsw.iterative_scan"))


@pytest.mark.parametrize("from_end", [True, False])
@pytest.mark.parametrize(
    ("sort", "value", "index"),
    [
        (Sort(SortField.CREATED_AT), 1_704_100_000_000_000, "images_by_created_at"),
        (Sort(SortField.TAKEN_AT), 1_580_000_000_000_000, "images_by_taken_at_desc"),
        (Sort(SortField.TAKEN_AT, descending=False), 1_580_000_000_000_000, "images_by_taken_at"),
        (Sort(SortField.FILENAME), "300.jpg", "images_by_filename"),
        (Sort(SortField.BYTE_SIZE, descending=False), 3_000, "images_by_byte_size"),
    ],
)
async def test_a_page_is_read_off_the_index_of_its_order(
    watched: Watched,
    sort: Sort,
    value: str | int,
    index: str,
    from_end: bool,  # noqa: FBT001
) -> None:
    place = Place(value, uuid7())
    window = Window(20, before=place, from_end=True) if from_end else Window(20, after=place)
    with watched.watching():
        page = await watched.catalog.list(EVERYTHING, sort, window)
    assert 20 == len(page.images)
    assert f" using {index} on images" in await watched.plan()
    assert 1 == len(watched.statements)


@pytest.mark.parametrize(
    ("selection", "count"),
    [(EVERYTHING, IMAGES), (ImageFilter(tags_any=("quarter",)), 1_494), ([uuid7()] * 50, 0)],
)
async def test_everything_that_is_counted_at_once_is_counted_by_one_statement(
    watched: Watched, selection: Selection, count: int
) -> None:
    points = np.eye(16)[:10].tolist()
    with watched.watching():
        counted = await watched.catalog.facets(selection, dict.fromkeys(Facet, 10))
        nearest = await watched.catalog.count_nearest(selection, points)
        await watched.catalog.cosines([uuid7() for _ in range(100)], points)
        await watched.catalog.models()
    assert 4 == len(watched.statements)
    assert (count, bool(count)) == (sum(nearest), len(counted[Facet.CONTENT_TYPE]))


async def test_what_is_counted_by_a_filter_is_looked_for_once_by_the_filters_own_index(
    watched: Watched,
) -> None:
    with watched.watching():
        await watched.catalog.facets(ImageFilter(tags_any=("rare",)), dict.fromkeys(Facet, 10))
    assert 1 == (await watched.plan()).count("images_by_tags")


async def test_what_hits_are_counted_by_is_their_key(watched: Watched) -> None:
    page = await watched.catalog.list(EVERYTHING, Sort(), Window(100))
    ids = [image.id for image in page.images]
    with watched.watching():
        assert 100 == sum(await watched.catalog.count_nearest(ids, np.eye(16)[:3].tolist()))
    plan = await watched.plan()
    assert "embeddings_1_pkey" in plan
    assert "Seq Scan" not in plan


async def test_an_image_is_added_by_one_statement(watched: Watched) -> None:
    with watched.watching():
        await watched.catalog.add(image_with(), [1.0] + [0.0] * 15)
    assert 1 == len(watched.statements)


async def test_the_plan_of_a_walk_names_the_index_and_that_of_a_comparison_none(
    watched: Watched,
) -> None:
    query = Query([1.0] + [0.0] * 15, QueryKind.TEXT)
    for criteria in (EVERYTHING, ImageFilter(tags_none=("rare",))):
        plans = [
            await watched.catalog.explain(query, criteria, limit=100, exact=exact)
            for exact in (False, True)
        ]
        assert "Index Scan using embeddings_1_hnsw" in plans[0]
        assert "hnsw" not in plans[1]
        assert "Limit" in plans[1]
        assert "'[1,…]'::vector" in plans[1]


async def test_asking_for_a_plan_searches_nothing(watched: Watched) -> None:
    query = Query([1.0] + [0.0] * 15, QueryKind.IMAGE)
    with watched.watching():
        plan = await watched.catalog.explain(query, EVERYTHING, limit=100, exact=True)
    [(statement, _)] = watched.statements
    assert statement.startswith("EXPLAIN (FORMAT TEXT) ")
    assert "actual time" not in plan
