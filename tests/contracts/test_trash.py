"""The contract of Trash: deleted images are in no answer, come back whole, and expire."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from domain.entities.embeddings import Query, QueryKind
from domain.entities.facets import Facet
from domain.entities.filters import DELETED, EVERYTHING, ImageFilter, SortField
from domain.entities.images import ImageChanges, Source, uuid7
from domain.entities.listing import Sort, Window, position_of
from domain.errors import ImageNotFound
from infra.postgres.catalog.trash import PostgresTrash
from tests.contracts.duplicate_groups import NEAR, groups, ids_of
from tests.contracts.work_fixtures import (
    FAILED,
    PROCESSING,
    READY,
    found_object,
    indexed,
    move_in_as_missing,
    pending_image,
    work_fixture_over,
)
from tests.fakes.catalog import MemoryCatalog
from tests.fakes.hashes import hash_of
from tests.fakes.images import NOON, image_with
from tests.fakes.trash import MemoryTrash
from tests.postgres_library import PostgresLibrary

if TYPE_CHECKING:
    from uuid import UUID

    from domain.ports import Duplicates, Trash
    from tests.postgres_library import ImageLibrary

EAST, NORTH = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)
NOW = datetime(2025, 1, 31, tzinfo=UTC)
TO_THE_EAST = Query(EAST, QueryKind.IMAGE)
BY_NAME = Sort(SortField.FILENAME, descending=False)


@pytest.fixture
def trash(catalog: ImageLibrary) -> Trash:
    """The trash of the catalog."""
    if isinstance(catalog, MemoryCatalog):
        return MemoryTrash(catalog)
    assert isinstance(catalog, PostgresLibrary)
    return PostgresTrash(catalog.engine)


async def hits(catalog: ImageLibrary, criteria: ImageFilter = EVERYTHING) -> list[UUID]:
    ranking = await catalog.search(TO_THE_EAST, criteria, limit=9)
    return [hit.image_id for hit in ranking.hits]


@pytest.mark.parametrize("catalog", ["memory", "postgres", "postgres-index"], indirect=True)
async def test_an_image_in_the_trash_is_in_no_answer(catalog: ImageLibrary, trash: Trash) -> None:
    kept = await catalog.add(image_with(tags=("a",)), NORTH)
    gone = await catalog.add(image_with(tags=("a", "b")), EAST)
    both = [kept.id, gone.id]
    assert {gone.id} == await trash.add([gone.id, gone.id, uuid7()], NOW)
    assert set() == await trash.add([gone.id], NOW)

    assert {kept.id: kept} == await catalog.get(both)
    assert (kept,) == (await catalog.list(EVERYTHING, Sort(), Window(9))).images
    assert 1 == await catalog.count(EVERYTHING)
    for selection in (EVERYTHING, both):
        facets = await catalog.facets(selection, {Facet.TAG: None})
        assert [("a", 1)] == [(each.value, each.count) for each in facets[Facet.TAG]]
        assert [0, 1] == list(await catalog.count_nearest(selection, [EAST, NORTH]))
    for criteria in (EVERYTHING, ImageFilter(tags_any=("a",))):
        assert [kept.id] == await hits(catalog, criteria)
        assert {kept.id} == await catalog.matching(both, criteria)
    assert [] == await hits(catalog, DELETED)
    assert (
        {kept.id} == set(await catalog.embeddings(both)) == set(await catalog.cosines(both, [EAST]))
    )
    assert 1 == len(await catalog.sample(9))
    [model] = await catalog.known()
    assert 1 == model.embedded_count
    ready = await catalog.ready_after((datetime.min.replace(tzinfo=UTC), uuid7()), limit=9)
    assert [kept.id] == [image_id for _, image_id in ready]


async def test_an_image_in_the_trash_cannot_be_changed(catalog: ImageLibrary, trash: Trash) -> None:
    gone = await catalog.add(image_with(tags=("a",)), EAST)
    await trash.add([gone.id], NOW)
    with pytest.raises(ImageNotFound):
        await catalog.update(gone.id, ImageChanges(alt_text="new"))
    with pytest.raises(ImageNotFound):
        await catalog.update(gone.id, ImageChanges())
    assert {} == await catalog.tag([gone.id], add=["b"])
    assert await catalog.mark_copied(gone.id) is None
    assert {gone.id: gone} == await trash.restore([gone.id])


@pytest.mark.parametrize("catalog", ["memory", "postgres", "postgres-index"], indirect=True)
async def test_a_restored_image_is_as_it_was(catalog: ImageLibrary, trash: Trash) -> None:
    kept = await catalog.add(image_with(), NORTH)
    gone = await catalog.add(image_with(tags=("a",), alt_text="text", rating=3), EAST)
    feed = await catalog.ready_after((datetime.min.replace(tzinfo=UTC), uuid7()), limit=9)
    await trash.add([gone.id], NOW)
    assert {gone.id: gone} == await trash.restore([gone.id, kept.id, uuid7()])
    assert {} == await trash.restore([gone.id])
    assert {gone.id: gone} == await catalog.get([gone.id])
    assert [gone.id, kept.id] == await hits(catalog)
    assert feed == await catalog.ready_after((datetime.min.replace(tzinfo=UTC), uuid7()), limit=9)


async def test_an_image_is_restored_with_its_original_in_storage_at_once(
    catalog: ImageLibrary, trash: Trash
) -> None:
    imported = image_with(source=Source("s3://bucket/a.jpg", "1"))
    for image in (await catalog.add(imported, EAST), await catalog.add(image_with(), EAST)):
        await trash.add([image.id], NOW)
        copied = replace(image, source=None)
        assert {image.id: copied} == await trash.restore([image.id], are_copied=True)
        assert {image.id: copied} == await catalog.get([image.id])


async def test_the_trash_keeps_the_digest_of_its_images(
    catalog: ImageLibrary, trash: Trash
) -> None:
    gone = await catalog.add(image_with(), EAST)
    await trash.add([gone.id], NOW)
    deleted = replace(gone, deleted_at=NOW)
    assert {gone.sha256: deleted} == await catalog.find_by_digest([gone.sha256])
    assert deleted == await catalog.add(image_with(sha256=gone.sha256), NORTH)
    assert deleted == await catalog.add_pending(pending_image(sha256=gone.sha256))
    assert {gone.id} == await catalog.existing_ids([gone.id, uuid7()])


async def test_the_trash_is_filtered_sorted_and_paged_as_the_library_is(
    catalog: ImageLibrary, trash: Trash
) -> None:
    images = [image_with(filename=name, tags=(name,)) for name in "abcd"]
    for image in images:
        await catalog.add(image, EAST)
    await trash.add([image.id for image in images[:3]], NOW)
    deleted = [replace(image, deleted_at=NOW) for image in images[:3]]
    first = await catalog.list(DELETED, BY_NAME, Window(2))
    assert (tuple(deleted[:2]), True) == (first.images, first.has_next)
    after = position_of(first.images[-1], BY_NAME)
    rest = await catalog.list(DELETED, BY_NAME, Window(2, after=after))
    assert ((deleted[2],), False) == (rest.images, rest.has_next)
    tagged = ImageFilter(tags_any=("b", "d"), deleted=True)
    assert (deleted[1],) == (await catalog.list(tagged, BY_NAME, Window(9))).images
    assert (3, 1) == (await catalog.count(DELETED), await catalog.count(tagged))
    assert 1 == await catalog.count(ImageFilter(deleted=False))


async def test_what_expired_is_deleted_for_good_and_in_portions(
    catalog: ImageLibrary, trash: Trash
) -> None:
    images = [await catalog.add(image_with(), EAST) for _ in range(4)]
    for days, image in enumerate(images[:3]):
        await trash.add([image.id], NOW + timedelta(days=days))
    before = NOW + timedelta(days=1)
    portions = [await trash.delete_expired(before, limit=1) for _ in range(3)]
    assert [1, 1, 0] == [len(each) for each in portions]
    assert {images[0].id, images[1].id} == {*portions[0], *portions[1]}
    ids = [image.id for image in images]
    assert {images[2].id, images[3].id} == await catalog.existing_ids(ids)
    assert {images[2].id} == set(await trash.restore(ids))
    assert set(ids[2:]) == await catalog.delete(ids)


async def test_images_that_are_in_the_trash_as_missing_do_not_expire_until_a_user_deletes_them(
    catalog: ImageLibrary, trash: Trash
) -> None:
    gone, missing = [await catalog.add(image_with(), EAST) for _ in range(2)]
    await trash.add([gone.id], NOW)
    await move_in_as_missing(catalog, [gone.id, missing.id], NOW)
    assert [gone.id] == await trash.delete_expired(NOW, limit=9)
    later = NOW + timedelta(days=1)
    for _ in range(2):
        assert {missing.id} == await trash.add([missing.id], later)
        assert set() == await trash.add([missing.id], later)
        assert {missing.id: missing} == await trash.restore([missing.id])
        assert [missing.id] == await hits(catalog)
        await move_in_as_missing(catalog, [missing.id], NOW)
    await trash.add([missing.id], later)
    assert [] == await trash.delete_expired(NOW, limit=9)
    assert [missing.id] == await trash.delete_expired(later, limit=9)


async def test_deleting_for_good_includes_the_trash(catalog: ImageLibrary, trash: Trash) -> None:
    gone = await catalog.add(image_with(), EAST)
    await trash.add([gone.id], NOW)
    assert {gone.id} == await catalog.delete([gone.id])
    again = image_with(sha256=gone.sha256)
    assert again == await catalog.add(again, EAST)


async def test_a_group_of_duplicates_stays_connected_without_an_image_and_gets_it_back(
    catalog: ImageLibrary, duplicates: Duplicates, trash: Trash
) -> None:
    images = [image_with(perceptual_hash=hash_of(1), pixel_sha256="1") for _ in range(4)]
    for image in images:
        await catalog.add(image, EAST)
    await duplicates.update()
    await trash.add([images[0].id], NOW)
    await duplicates.update()
    ids = [image.id for image in images]
    assert {ids_of(*images[1:])} == groups(await duplicates.pairs(NEAR))
    assert {ids_of(*images[1:])} == groups(await duplicates.pairs_among(ids, NEAR))
    await trash.restore([images[0].id])
    await duplicates.update()
    assert {ids_of(*images)} == groups(await duplicates.pairs(NEAR))


async def test_an_image_that_a_user_deleted_is_hashed_and_a_missing_one_is_not(
    catalog: ImageLibrary, duplicates: Duplicates, trash: Trash
) -> None:
    gone, missing = [await catalog.add(image_with(perceptual_hash=None), EAST) for _ in range(2)]
    await trash.add([gone.id], NOW)
    await move_in_as_missing(catalog, [missing.id], NOW)
    assert [gone.id] == [image.id for image in await duplicates.unhashed(9)]
    await duplicates.set_hash(gone.id, perceptual_hash=hash_of(1), pixel_sha256="1")
    assert [] == await duplicates.unhashed(9)
    assert "1" == (await trash.restore([gone.id]))[gone.id].pixel_sha256


async def test_an_image_that_is_not_embedded_yet_gets_its_task_back(
    catalog: ImageLibrary, trash: Trash
) -> None:
    fixture = work_fixture_over(catalog)
    image = pending_image()
    await catalog.add_pending(image)
    await trash.add([image.id], NOW)
    assert [] == await fixture.queue.lease(9, seconds=60)
    assert 0 == (await fixture.queue.counts()).waiting
    restored = (await trash.restore([image.id]))[image.id]
    assert PROCESSING is restored.status
    [task] = await fixture.queue.lease(9, seconds=60)
    assert [] == await fixture.queue.finish([indexed(task)])
    assert READY is (await catalog.get([image.id]))[image.id].status
    assert [image.id] == await hits(catalog)


async def test_a_failed_image_gets_no_task(catalog: ImageLibrary, trash: Trash) -> None:
    fixture = work_fixture_over(catalog)
    await catalog.add_pending(image := pending_image())
    [task] = await fixture.queue.lease(9, seconds=60)
    await fixture.queue.fail(task, "It is damaged.")
    await trash.add([image.id], NOW)
    assert FAILED is (await trash.restore([image.id]))[image.id].status
    assert [] == await fixture.queue.lease(9, seconds=60)


async def test_a_result_for_an_image_that_was_deleted_meanwhile_is_not_stored(
    catalog: ImageLibrary, trash: Trash
) -> None:
    fixture = work_fixture_over(catalog)
    await catalog.add_pending(image := pending_image())
    [task] = await fixture.queue.lease(9, seconds=60)
    await trash.add([image.id], NOW)
    # Its bytes are kept: it can be restored.
    assert [] == await fixture.queue.finish([indexed(task)])
    assert [] == await hits(catalog)
    assert 0 == (await fixture.queue.counts()).leased
    assert PROCESSING is (await trash.restore([image.id]))[image.id].status


@pytest.mark.parametrize("catalog", ["memory", "postgres"], indirect=True)
async def test_an_upload_does_not_make_an_image_ready_that_was_deleted_meanwhile(
    catalog: ImageLibrary, trash: Trash
) -> None:
    await catalog.add_pending(image := pending_image())
    await trash.add([image.id], NOW)
    await catalog.make_ready(replace(image, status=READY), EAST)
    assert [] == await hits(catalog)
    assert PROCESSING is (await trash.restore([image.id]))[image.id].status


async def test_an_object_with_the_bytes_of_a_deleted_image_does_not_bring_it_back(
    catalog: ImageLibrary, trash: Trash
) -> None:
    fixture = work_fixture_over(catalog)
    gone = await catalog.add(image_with(created_at=NOON), EAST)
    await trash.add([gone.id], NOW)
    found = found_object()
    await fixture.add(found)
    [task] = await fixture.queue.lease(9, seconds=60)
    assert [found.id] == await fixture.queue.finish([indexed(task, sha256=gone.sha256)])
    assert gone.id == await fixture.became(found)
    assert 0 == await catalog.count(EVERYTHING)
    assert (gone.id,) == tuple(await trash.restore([gone.id]))
