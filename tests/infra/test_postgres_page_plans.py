"""Plans and numbers of statements of pages, counts, and inserted images."""

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
from tests.infra.statement_recorder import EVERYTHING, IMAGES, StatementRecorder

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
async def test_a_page_is_read_along_the_index_of_its_order(
    recorder: StatementRecorder,
    sort: Sort,
    value: str | int,
    index: str,
    from_end: bool,  # noqa: FBT001
) -> None:
    position = Position(value, uuid7())
    window = Window(20, before=position, from_end=True) if from_end else Window(20, after=position)
    with recorder.recording():
        page = await recorder.library.list(EVERYTHING, sort, window)
    assert 20 == len(page.images)
    assert f" using {index} on images" in await recorder.plan()
    assert 1 == len(recorder.statements)


@pytest.mark.parametrize(
    ("selection", "count"),
    [(EVERYTHING, IMAGES), (ImageFilter(tags_any=("quarter",)), 1_494), ([uuid7()] * 50, 0)],
)
async def test_each_count_is_one_statement(
    recorder: StatementRecorder, selection: Selection, count: int
) -> None:
    points = np.eye(16)[:10].tolist()
    with recorder.recording():
        counted = await recorder.library.facets(selection, dict.fromkeys(Facet, 10))
        nearest = await recorder.library.count_nearest(selection, points)
        await recorder.library.cosines([uuid7() for _ in range(100)], points)
        await recorder.library.known()
    assert 4 == len(recorder.statements)
    assert (count, bool(count)) == (sum(nearest), len(counted[Facet.CONTENT_TYPE]))


async def test_facets_of_a_filter_scan_its_index_once(
    recorder: StatementRecorder,
) -> None:
    with recorder.recording():
        await recorder.library.facets(ImageFilter(tags_any=("rare",)), dict.fromkeys(Facet, 10))
    assert 1 == (await recorder.plan()).count("images_by_tags")


async def test_counts_among_hits_read_the_embeddings_by_their_primary_key(
    recorder: StatementRecorder,
) -> None:
    page = await recorder.library.list(EVERYTHING, Sort(), Window(100))
    ids = [image.id for image in page.images]
    with recorder.recording():
        assert 100 == sum(await recorder.library.count_nearest(ids, np.eye(16)[:3].tolist()))
    plan = await recorder.plan()
    assert "embeddings_1_pkey" in plan
    assert "Seq Scan" not in plan


async def test_an_image_is_added_by_one_statement(recorder: StatementRecorder) -> None:
    with recorder.recording():
        await recorder.library.add(image_with(), [1.0] + [0.0] * 15)
    assert 1 == len(recorder.statements)


async def test_explain_shows_the_index_for_an_index_scan_and_none_for_an_exact_scan(
    recorder: StatementRecorder,
) -> None:
    query = Query([1.0] + [0.0] * 15, QueryKind.TEXT)
    for criteria in (EVERYTHING, ImageFilter(tags_none=("rare",))):
        plans = [
            await recorder.library.explain(query, criteria, limit=100, exact=exact)
            for exact in (False, True)
        ]
        assert "Index Scan using embeddings_1_hnsw" in plans[0]
        assert "hnsw" not in plans[1]
        assert "Limit" in plans[1]
        assert "'[1,…]'::vector" in plans[1]


async def test_explain_does_not_execute_the_search(recorder: StatementRecorder) -> None:
    query = Query([1.0] + [0.0] * 15, QueryKind.IMAGE)
    with recorder.recording():
        plan = await recorder.library.explain(query, EVERYTHING, limit=100, exact=True)
    # The estimate of how many match, and the plan.
    formats = [statement.partition("FORMAT ")[2][:4] for statement, _ in recorder.statements]
    assert ["JSON", "TEXT"] == formats
    assert all(statement.startswith("EXPLAIN ") for statement, _ in recorder.statements)
    assert "actual time" not in plan
