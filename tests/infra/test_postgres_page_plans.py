"""How PostgreSQL reads pages, counts and adds: plans and statements."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from domain.entities.embeddings import Query, QueryKind
from domain.entities.facets import Facet
from domain.entities.filters import ImageFilter, SortField
from domain.entities.images import uuid7
from domain.entities.listing import Position, Sort, Window
from tests.fakes.images import image_with
from tests.infra.watched import EVERYTHING, IMAGES, Watched

if TYPE_CHECKING:
    from domain.entities.facets import Selection


@pytest.mark.parametrize("from_end", [True, False])
@pytest.mark.parametrize(
    ("sort", "value", "index"),
    [
        (Sort(SortField.CREATED_AT), 1_704_100_000_000_000, "images_by_created_at"),
        (Sort(SortField.TAKEN_AT), 1_580_000_000_000_000, "images_by_taken_at_desc"),
        (Sort(SortField.TAKEN_AT, descending=False), 1_580_000_000_000_000, "images_by_taken_at"),
        (Sort(SortField.FILENAME), "300.jpg", "images_by_filename"),
        (Sort(SortField.BYTE_SIZE, descending=False), 3_000, "images_by_byte_size"),
        (Sort(SortField.RATING), 3, "images_by_rating_desc"),
        (Sort(SortField.RATING, descending=False), 3, "images_by_rating"),
    ],
)
async def test_a_page_is_read_off_the_index_of_its_order(
    watched: Watched,
    sort: Sort,
    value: str | int,
    index: str,
    from_end: bool,  # noqa: FBT001
) -> None:
    place = Position(value, uuid7())
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
        await watched.catalog.known()
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
