"""What every catalog promises: keeping, finding by neighbourhood, changing, deleting."""

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
from domain.entities.images import Exif, GeoPoint, ImageChanges, ImageStatus, Source, uuid7
from domain.errors import ImageNotFound
from tests.fakes.images import image_with

if TYPE_CHECKING:
    from domain.entities.embeddings import Embedding
    from tests.postgres_library import ImageLibrary

pytestmark = pytest.mark.parametrize(
    "catalog", ["memory", "postgres", "postgres-walking"], indirect=True
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


def near(embedding: Embedding) -> Query:
    return Query(embedding, QueryKind.IMAGE)


async def test_an_image_comes_back_as_it_went_in(catalog: ImageLibrary) -> None:
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


async def test_what_is_not_here_is_left_out(catalog: ImageLibrary) -> None:
    assert {} == await catalog.get([uuid7()])
    assert {} == await catalog.get([])
    assert {} == await catalog.find_by_digest(["0" * 64])


async def test_the_same_bytes_are_kept_once(catalog: ImageLibrary) -> None:
    first = await catalog.add(image_with(filename="first.jpg"), NORTH)
    second = image_with(filename="second.jpg", sha256=first.sha256)
    assert first == await catalog.add(second, EAST)
    assert 1 == await catalog.count(EVERYTHING)
    assert [first.id] == [
        hit.image_id for hit in (await catalog.search(near(EAST), EVERYTHING, limit=5)).hits
    ]


async def test_of_many_that_add_the_same_bytes_at_once_all_get_the_one_that_is_kept(
    catalog: ImageLibrary,
) -> None:
    copies = [image_with(sha256="a" * 64) for _ in range(12)]
    kept = await asyncio.gather(*(catalog.add(copy, NORTH) for copy in copies))
    assert 1 == len({image.id for image in kept})
    assert {"a" * 64: kept[0]} == await catalog.find_by_digest(["a" * 64])


async def test_bytes_can_come_back_after_they_were_deleted(catalog: ImageLibrary) -> None:
    first = await catalog.add(image_with(), NORTH)
    await catalog.delete([first.id])
    again = replace(first, id=uuid7())
    assert again == await catalog.add(again, NORTH)


async def test_hits_come_by_falling_score_which_is_the_cosine(catalog: ImageLibrary) -> None:
    images = [
        await catalog.add(image_with(), embedding) for embedding in (EAST, SOUTH, NORTH, BETWEEN)
    ]
    ranking = await catalog.search(near(NORTH), EVERYTHING, limit=10)
    assert [images[2].id, images[3].id, images[0].id, images[1].id] == [
        hit.image_id for hit in ranking.hits
    ]
    assert pytest.approx([1.0, 0.6, 0.0, -1.0], abs=1e-6) == [hit.score for hit in ranking.hits]


async def test_of_equally_near_images_the_lowest_ids_come_first(catalog: ImageLibrary) -> None:
    numbers = [3, 1, 2**127, 2, 5]
    for number in numbers:
        await catalog.add(image_with(UUID(int=number)), EAST)
    ranking = await catalog.search(near(EAST), EVERYTHING, limit=3, exact=True)
    assert [1, 2, 3] == [hit.image_id.int for hit in ranking.hits]
    assert ranking.exact


@pytest.mark.parametrize("kind", list(QueryKind))
async def test_an_image_is_found_as_soon_as_it_was_added(
    catalog: ImageLibrary, kind: QueryKind
) -> None:
    for turn in range(60):
        point = (math.cos(turn), math.sin(turn), 0.0)
        image = await catalog.add(image_with(), point)
        ranking = await catalog.search(Query(point, kind), EVERYTHING, limit=1)
        assert [image.id] == [hit.image_id for hit in ranking.hits]


async def test_a_filter_narrows_a_search_before_the_limit_cuts_it(catalog: ImageLibrary) -> None:
    for _ in range(30):
        await catalog.add(image_with(), NORTH)
    tagged = await catalog.add(image_with(tags=("sea",)), SOUTH)
    ranking = await catalog.search(near(NORTH), ImageFilter(tags_any=("sea",)), limit=1)
    assert [tagged.id] == [hit.image_id for hit in ranking.hits]


async def test_a_search_in_an_empty_library_finds_nothing(catalog: ImageLibrary) -> None:
    assert () == (await catalog.search(near(NORTH), EVERYTHING, limit=1_000)).hits


async def test_a_search_ranks_a_thousand_alike_in_every_catalog(catalog: ImageLibrary) -> None:
    chance = random.Random(7)
    points: dict[UUID, Embedding] = {}
    for number in range(120):
        x, y, z = (chance.gauss() for _ in range(3))
        length = math.hypot(x, y, z)
        points[UUID(int=number)] = (x / length, y / length, z / length)
        await catalog.add(image_with(UUID(int=number)), points[UUID(int=number)])
    expected = sorted(points, key=lambda id_: (-points[id_][2], id_))
    ranking = await catalog.search(near((0.0, 0.0, 1.0)), EVERYTHING, limit=1_000)
    assert expected == [hit.image_id for hit in ranking.hits]
    assert pytest.approx([points[id_][2] for id_ in expected], abs=1e-6) == [
        hit.score for hit in ranking.hits
    ]


async def test_embeddings_can_be_asked_for(catalog: ImageLibrary) -> None:
    one = await catalog.add(image_with(), BETWEEN)
    two = await catalog.add(image_with(), NORTH)
    embeddings = await catalog.embeddings([one.id, uuid7(), two.id])
    assert {one.id, two.id} == set(embeddings)
    assert pytest.approx(BETWEEN, abs=1e-6) == list(embeddings[one.id])


async def test_an_image_that_is_not_ready_is_listed_and_cannot_be_searched(
    catalog: ImageLibrary,
) -> None:
    failed = await catalog.add(
        image_with(status=ImageStatus.FAILED, failure_reason="too dark", width=None), NORTH
    )
    assert 1 == await catalog.count(EVERYTHING)
    assert () == (await catalog.search(near(NORTH), EVERYTHING, limit=5)).hits
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


async def test_alt_text_of_nothing_is_refused(catalog: ImageLibrary) -> None:
    with pytest.raises(ImageNotFound):
        await catalog.update(uuid7(), ImageChanges(alt_text="a boat"))


async def test_tags_come_and_go_and_stay_sorted_without_duplicates(catalog: ImageLibrary) -> None:
    one = await catalog.add(image_with(tags=("boat", "sea")), NORTH)
    two = await catalog.add(image_with(), EAST)
    changed = await catalog.tag([one.id, two.id, uuid7()], add=["sea", "Zoo", "été"])
    assert {one.id: ("Zoo", "boat", "sea", "été"), two.id: ("Zoo", "sea", "été")} == {
        id_: image.tags for id_, image in changed.items()
    }
    changed = await catalog.tag([one.id], remove=["sea", "nowhere"])
    assert ("Zoo", "boat", "été") == changed[one.id].tags
    assert changed == await catalog.get([one.id])


async def test_changes_of_the_same_tags_at_once_all_hold(catalog: ImageLibrary) -> None:
    ids = [(await catalog.add(image_with(), NORTH)).id for _ in range(4)]
    await asyncio.gather(
        *(catalog.tag(ids[:: 1 if n % 2 else -1], add=[f"tag {n}"]) for n in range(8))
    )
    for image in (await catalog.get(ids)).values():
        assert tuple(f"tag {n}" for n in range(8)) == image.tags


async def test_what_is_deleted_is_found_no_more(catalog: ImageLibrary) -> None:
    gone = await catalog.add(image_with(), NORTH)
    stays = await catalog.add(image_with(), EAST)
    assert {gone.id} == await catalog.delete([gone.id, uuid7()])
    assert set() == await catalog.delete([gone.id])
    assert {stays.id: stays} == await catalog.get([gone.id, stays.id])
    ranking = await catalog.search(near(NORTH), EVERYTHING, limit=5)
    assert [stays.id] == [hit.image_id for hit in ranking.hits]
    assert [stays.id] == list(await catalog.embeddings([gone.id, stays.id]))


async def test_an_original_that_lay_elsewhere_can_be_kept(catalog: ImageLibrary) -> None:
    source = Source("s3://bucket/a.jpg", "1")
    image = await catalog.add(image_with(source=source), EAST)
    assert source == (await catalog.get([image.id]))[image.id].source
    assert replace(image, source=None) == await catalog.mark_copied(image.id)
    assert await catalog.mark_copied(uuid7()) is None
