"""The contract of Catalog, Ingestion and VectorIndex: add, search, change and delete images."""

from __future__ import annotations

import asyncio
import math
import random
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from domain.entities.embeddings import Query, QueryKind
from domain.entities.filters import ImageFilter
from domain.entities.images import (
    Exif,
    GeoPoint,
    ImageChanges,
    ImageStatus,
    Source,
    uuid7,
)
from domain.errors import ImageNotFound
from tests.fakes.images import image_with

if TYPE_CHECKING:
    from domain.entities.embeddings import Embedding
    from tests.postgres_library import ImageLibrary

pytestmark = pytest.mark.parametrize(
    "catalog", ["memory", "postgres", "postgres-index"], indirect=True
)

NORTH = (1.0, 0.0, 0.0)
EAST = (0.0, 1.0, 0.0)
BETWEEN = (0.6, 0.8, 0.0)
SOUTH = (-1.0, 0.0, 0.0)
EVERYTHING = ImageFilter()

FULL = image_with(
    failure_reason="none",
    placeholder="3OcRJYB4d3h/iIeHeEh3eIhw+j2w",
    perceptual_hash=bytes(range(32)),
    pixel_sha256="c" * 64,
    rating=3,
    alt_text="A “boat”, \N{SNOWMAN} — and \\N, 'quotes'",
    tags=("boat", "Ärger", "été"),
    filename="Übersee ☃ (1).jpeg",
    byte_size=2**40,
    created_at=datetime(2024, 2, 29, 23, 59, 59, 999_999, tzinfo=UTC),
    exif=Exif(
        taken_at=datetime(1826, 7, 4, 0, 0, 0, 1, tzinfo=UTC),
        camera_make="Leica",
        camera_model="M3",
        lens="50 mm",
        location=GeoPoint(-33.856_784_4, 151.215_297_1),
        iso=100,
        f_number=2.8,
        exposure_seconds=1 / 3,
        focal_length_mm=50.0,
        all={"Make": "Leica", "UserComment": "a\nb"},
    ),
)


def query_at(embedding: Embedding) -> Query:
    return Query(embedding, QueryKind.IMAGE)


async def test_an_image_is_returned_as_it_was_added(catalog: ImageLibrary) -> None:
    assert FULL == await catalog.add(FULL, NORTH)
    assert {FULL.id: FULL} == await catalog.get([FULL.id])
    assert {FULL.sha256: FULL} == await catalog.find_by_digest([FULL.sha256])


async def test_an_image_without_exif_differs_from_one_whose_exif_is_empty(
    catalog: ImageLibrary,
) -> None:
    without, empty = image_with(exif=None), image_with(exif=Exif())
    await catalog.add(without, NORTH)
    await catalog.add(empty, NORTH)
    assert {without.id: without, empty.id: empty} == await catalog.get([without.id, empty.id])


async def test_unknown_ids_and_digests_are_left_out(catalog: ImageLibrary) -> None:
    assert {} == await catalog.get([uuid7()])
    assert {} == await catalog.get([])
    assert {} == await catalog.find_by_digest(["0" * 64])


async def test_adding_the_same_bytes_again_returns_the_first_image(catalog: ImageLibrary) -> None:
    first = await catalog.add(image_with(filename="first.jpg"), NORTH)
    second = image_with(filename="second.jpg", sha256=first.sha256)
    assert first == await catalog.add(second, EAST)
    assert 1 == await catalog.count(EVERYTHING)
    assert [first.id] == [
        hit.image_id for hit in (await catalog.search(query_at(EAST), EVERYTHING, limit=5)).hits
    ]


async def test_concurrent_adds_of_the_same_bytes_all_return_one_image(
    catalog: ImageLibrary,
) -> None:
    copies = [image_with(sha256="a" * 64) for _ in range(12)]
    returned = await asyncio.gather(*(catalog.add(copy, NORTH) for copy in copies))
    assert 1 == len({image.id for image in returned})
    assert {"a" * 64: returned[0]} == await catalog.find_by_digest(["a" * 64])


async def test_deleted_bytes_can_be_added_again(catalog: ImageLibrary) -> None:
    first = await catalog.add(image_with(), NORTH)
    await catalog.delete([first.id])
    second = replace(first, id=uuid7())
    assert second == await catalog.add(second, NORTH)


async def test_hits_are_sorted_by_falling_cosine_similarity(catalog: ImageLibrary) -> None:
    images = [
        await catalog.add(image_with(), embedding) for embedding in (EAST, SOUTH, NORTH, BETWEEN)
    ]
    ranking = await catalog.search(query_at(NORTH), EVERYTHING, limit=10)
    assert [images[2].id, images[3].id, images[0].id, images[1].id] == [
        hit.image_id for hit in ranking.hits
    ]
    assert pytest.approx([1.0, 0.6, 0.0, -1.0], abs=1e-6) == [hit.score for hit in ranking.hits]


async def test_hits_of_equal_score_are_sorted_by_id(catalog: ImageLibrary) -> None:
    for number in (3, 1, 2**127, 2, 5):
        await catalog.add(image_with(UUID(int=number)), EAST)
    ranking = await catalog.search(query_at(EAST), EVERYTHING, limit=3, exact=True)
    assert [1, 2, 3] == [hit.image_id.int for hit in ranking.hits]
    assert ranking.exact


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("criteria", [EVERYTHING, ImageFilter(tags_any=("sea",))])
@pytest.mark.parametrize(("limit", "number", "known"), [(9, 0, 0), (9, 2, 2), (3, 9, 3), (9, 9, 5)])
async def test_the_images_of_the_best_hits_come_with_a_ranking(  # noqa: PLR0913
    catalog: ImageLibrary,
    *,
    exact: bool,
    criteria: ImageFilter,
    limit: int,
    number: int,
    known: int,
) -> None:
    photo = Exif(camera_model="Lens", location=GeoPoint(1.5, -2.5), all={"Make": "Maker"})
    images = {}
    for point in (SOUTH, NORTH, EAST, NORTH, BETWEEN):
        image = await catalog.add(image_with(tags=("sea",), exif=photo), point)
        images[image.id] = image
    await catalog.delete([(await catalog.add(image_with(tags=("sea",)), NORTH)).id])
    ranking = await catalog.search(
        query_at(NORTH), criteria, limit=limit, exact=exact, images=number
    )
    assert min(limit, 5) == len(ranking.hits)
    best = [hit.image_id for hit in ranking.hits[:known]]
    assert {id_: images[id_] for id_ in best} == ranking.images


async def test_a_ranking_of_no_hits_has_no_images(catalog: ImageLibrary) -> None:
    ranking = await catalog.search(query_at(NORTH), EVERYTHING, limit=9, images=9)
    assert ((), {}) == (ranking.hits, ranking.images)


@pytest.mark.parametrize("kind", list(QueryKind))
async def test_an_image_is_found_as_soon_as_it_is_added(
    catalog: ImageLibrary, kind: QueryKind
) -> None:
    for radians in range(60):
        point = (math.cos(radians), math.sin(radians), 0.0)
        image = await catalog.add(image_with(), point)
        ranking = await catalog.search(Query(point, kind), EVERYTHING, limit=1)
        assert [image.id] == [hit.image_id for hit in ranking.hits]


async def test_a_filter_is_applied_before_the_limit(catalog: ImageLibrary) -> None:
    for _ in range(30):
        await catalog.add(image_with(), NORTH)
    tagged = await catalog.add(image_with(tags=("sea",)), SOUTH)
    ranking = await catalog.search(query_at(NORTH), ImageFilter(tags_any=("sea",)), limit=1)
    assert [tagged.id] == [hit.image_id for hit in ranking.hits]


async def test_a_search_in_an_empty_library_finds_nothing(catalog: ImageLibrary) -> None:
    assert () == (await catalog.search(query_at(NORTH), EVERYTHING, limit=1_000)).hits


async def test_a_search_ranks_all_images_where_the_limit_is_above_their_number(
    catalog: ImageLibrary,
) -> None:
    generator = random.Random(7)
    points: dict[UUID, Embedding] = {}
    for number in range(120):
        x, y, z = (generator.gauss() for _ in range(3))
        length = math.hypot(x, y, z)
        points[UUID(int=number)] = (x / length, y / length, z / length)
        await catalog.add(image_with(UUID(int=number)), points[UUID(int=number)])
    expected = sorted(points, key=lambda id_: (-points[id_][2], id_))
    ranking = await catalog.search(query_at((0.0, 0.0, 1.0)), EVERYTHING, limit=1_000)
    assert expected == [hit.image_id for hit in ranking.hits]
    assert pytest.approx([points[id_][2] for id_ in expected], abs=1e-6) == [
        hit.score for hit in ranking.hits
    ]


async def test_embeddings_are_returned_by_image(catalog: ImageLibrary) -> None:
    one = await catalog.add(image_with(), BETWEEN)
    two = await catalog.add(image_with(), NORTH)
    embeddings = await catalog.embeddings([one.id, uuid7(), two.id])
    assert {one.id, two.id} == set(embeddings)
    assert pytest.approx(BETWEEN, abs=1e-6) == list(embeddings[one.id])


async def test_an_image_that_is_not_ready_is_listed_and_not_found_by_searches(
    catalog: ImageLibrary,
) -> None:
    failed = await catalog.add(
        image_with(status=ImageStatus.FAILED, failure_reason="too dark", width=None), NORTH
    )
    assert 1 == await catalog.count(EVERYTHING)
    assert () == (await catalog.search(query_at(NORTH), EVERYTHING, limit=5)).hits
    assert {} == await catalog.embeddings([failed.id])


async def test_alt_text_is_set_and_removed(catalog: ImageLibrary) -> None:
    image = await catalog.add(image_with(), NORTH)
    changed = replace(image, alt_text="a boat")
    assert changed == await catalog.update(image.id, ImageChanges(alt_text="a boat"))
    assert {image.id: changed} == await catalog.get([image.id])
    assert image == await catalog.update(image.id, ImageChanges(alt_text=None))


async def test_a_rating_is_set_beside_an_alt_text_and_removed(catalog: ImageLibrary) -> None:
    image = await catalog.add(image_with(), NORTH)
    changed = await catalog.update(image.id, ImageChanges(alt_text="a boat", rating=5))
    assert replace(image, alt_text="a boat", rating=5) == changed
    unrated = replace(changed, rating=None)
    assert unrated == await catalog.update(image.id, ImageChanges(rating=None))
    assert unrated == await catalog.update(image.id, ImageChanges())
    assert {image.id: unrated} == await catalog.get([image.id])


async def test_updating_an_unknown_image_is_refused(catalog: ImageLibrary) -> None:
    with pytest.raises(ImageNotFound):
        await catalog.update(uuid7(), ImageChanges(alt_text="a boat"))


async def test_changed_tags_are_sorted_and_without_duplicates(catalog: ImageLibrary) -> None:
    one = await catalog.add(image_with(tags=("boat", "sea")), NORTH)
    two = await catalog.add(image_with(), EAST)
    changed = await catalog.tag([one.id, two.id, uuid7()], add=["sea", "Zoo", "été"])
    assert {one.id: ("Zoo", "boat", "sea", "été"), two.id: ("Zoo", "sea", "été")} == {
        id_: image.tags for id_, image in changed.items()
    }
    changed = await catalog.tag([one.id], remove=["sea", "nowhere"])
    assert ("Zoo", "boat", "été") == changed[one.id].tags
    assert changed == await catalog.get([one.id])


async def test_concurrent_changes_of_tags_are_all_applied(catalog: ImageLibrary) -> None:
    ids = [(await catalog.add(image_with(), NORTH)).id for _ in range(4)]
    await asyncio.gather(
        *(catalog.tag(ids[:: 1 if n % 2 else -1], add=[f"tag {n}"]) for n in range(8))
    )
    for image in (await catalog.get(ids)).values():
        assert tuple(f"tag {n}" for n in range(8)) == image.tags


async def test_a_deleted_image_is_not_found_any_more(catalog: ImageLibrary) -> None:
    deleted = await catalog.add(image_with(), NORTH)
    kept = await catalog.add(image_with(), EAST)
    assert {deleted.id} == await catalog.delete([deleted.id, uuid7()])
    assert set() == await catalog.delete([deleted.id])
    assert {kept.id: kept} == await catalog.get([deleted.id, kept.id])
    ranking = await catalog.search(query_at(NORTH), EVERYTHING, limit=5)
    assert [kept.id] == [hit.image_id for hit in ranking.hits]
    assert [kept.id] == list(await catalog.embeddings([deleted.id, kept.id]))


async def test_marking_an_original_as_copied_removes_its_source(catalog: ImageLibrary) -> None:
    source = Source("s3://bucket/a.jpg", "1")
    image = await catalog.add(image_with(source=source), EAST)
    assert source == (await catalog.get([image.id]))[image.id].source
    assert replace(image, source=None) == await catalog.mark_copied(image.id)
    assert await catalog.mark_copied(uuid7()) is None
