"""Deleted images: in no answer, restored by request or by an upload, and deleted for good later."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from domain.entities.facets import Facet, FacetRequest
from domain.entities.filters import DELETED, EVERYTHING
from domain.entities.images import ImageStatus
from domain.entities.listing import Sort, Window
from domain.entities.queries import ByText, SearchOptions
from domain.entities.trash import DEFAULT_TRASH_LIFETIME
from domain.entities.upload_targets import AnnouncedFile, OfferedTarget
from domain.entities.uploads import UploadedImage, sha256_of
from domain.errors import ImageNotFound, InvalidArgument
from domain.use_cases.maintenance.sweep import ORPHAN_GRACE_PERIOD
from tests.fakes.files import upload
from tests.fakes.imaging import picture_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from domain import UseCases
    from domain.entities.filters import ImageFilter
    from domain.entities.images import Image
    from domain.use_cases.indexing import IndexImages
    from tests.domain.library_with_tasks import LibraryWithTasks
    from tests.fakes.catalog import MemoryCatalog
    from tests.fakes.clock import SettableClock
    from tests.fakes.storage import MemoryStorage

RED = picture_file((255, 0, 0), words="of its own")


async def listed(use_cases: UseCases, criteria: ImageFilter = EVERYTHING) -> list[Image]:
    return list((await use_cases.list(criteria, Sort(), Window(100))).images)


async def uploaded(use_cases: UseCases, data: bytes, tags: Sequence[str] = ()) -> UploadedImage:
    [outcome] = await use_cases.upload([upload(data)], tags=tags)
    assert isinstance(outcome, UploadedImage)
    return outcome


async def found_ids(use_cases: UseCases, words: str) -> list[UUID]:
    return [each.image.id for each in (await use_cases.search(ByText(words))).found]


async def test_a_deleted_image_is_in_no_answer_until_it_is_restored(
    use_cases: UseCases, by_colour: dict[str, Image], storage: MemoryStorage
) -> None:
    blue, green = by_colour["blue"], by_colour["green"]
    bytes_before, found_before = dict(storage.objects), await found_ids(use_cases, "blue")
    assert {blue.id} == await use_cases.delete([blue.id])

    assert {} == await use_cases.get([blue.id])
    assert blue.id not in [image.id for image in await listed(use_cases)]
    assert len(by_colour) - 1 == await use_cases.list.count(EVERYTHING)
    assert blue.id not in await found_ids(use_cases, "blue")
    [tags] = await use_cases.facets(EVERYTHING, [FacetRequest(Facet.TAG, 9)])
    assert [("sea", 1)] == [(each.value, each.count) for each in tags]
    with pytest.raises(ImageNotFound):
        await use_cases.similar(blue.id)
    similar = await use_cases.similar(green.id)
    assert blue.id not in {each.image.id for each in similar.found}
    assert set() == await use_cases.delete([blue.id])

    assert {blue.id: blue} == await use_cases.restore([blue.id, green.id])
    assert {} == await use_cases.restore([blue.id])
    assert blue in await listed(use_cases)
    assert found_before == await found_ids(use_cases, "blue")
    assert bytes_before == storage.objects


async def test_the_trash_is_listed_and_counted_but_not_searched(
    use_cases: UseCases, by_colour: dict[str, Image], clock: SettableClock
) -> None:
    red = by_colour["red"]
    await use_cases.delete([red.id])
    assert [replace(red, deleted_at=clock())] == await listed(use_cases, DELETED)
    assert 1 == await use_cases.list.count(DELETED)
    with pytest.raises(InvalidArgument, match="Deleted images cannot be searched") as refusal:
        SearchOptions(DELETED)
    assert ("filter", "deleted") == refusal.value.location


@pytest.mark.usefixtures("by_colour")
async def test_uploading_the_bytes_of_a_deleted_image_restores_it(use_cases: UseCases) -> None:
    image = (await uploaded(use_cases, RED, ["mine"])).image
    await use_cases.delete([image.id])
    again = await uploaded(use_cases, RED, ["yours"])
    assert (True, image.id) == (again.is_duplicate, again.image.id)
    assert (None, ("mine", "yours")) == (again.image.deleted_at, again.image.tags)
    assert again.image in await listed(use_cases)


async def test_announcing_the_bytes_of_a_deleted_image_restores_it(use_cases: UseCases) -> None:
    image = (await uploaded(use_cases, RED)).image
    await use_cases.delete([image.id])
    file = AnnouncedFile("a.png", "image/png", len(RED), await sha256_of(RED))
    [offer] = await use_cases.create_upload_targets([file])
    assert isinstance(offer, OfferedTarget)
    assert image == offer.existing
    assert [image] == await listed(use_cases)


async def test_announcing_the_bytes_of_a_deleted_imported_image_offers_a_form(
    index: IndexImages, use_cases: UseCases, library: LibraryWithTasks
) -> None:
    found = library.add_object(RED)
    assert [1] == [ended async for ended in index()]
    await use_cases.delete([found.id])
    file = AnnouncedFile("a.png", "image/png", len(RED), await sha256_of(RED))
    [offer] = await use_cases.create_upload_targets([file])
    assert isinstance(offer, OfferedTarget)
    assert (None, True) == (offer.existing, offer.form is not None)
    assert [] == await listed(use_cases)


async def test_a_deleted_image_that_had_failed_is_replaced_by_the_same_bytes(
    use_cases: UseCases, catalog: MemoryCatalog
) -> None:
    image = (await uploaded(use_cases, RED)).image
    catalog.put(replace(image, status=ImageStatus.FAILED, failure_reason="It is damaged."))
    await use_cases.delete([image.id])
    again = await uploaded(use_cases, RED)
    assert (False, ImageStatus.READY) == (again.is_duplicate, again.image.status)
    assert [again.image] == await listed(use_cases)
    assert [] == await listed(use_cases, DELETED)


async def test_concurrent_uploads_and_deletions_of_the_same_bytes_leave_one_image(
    use_cases: UseCases, storage: MemoryStorage
) -> None:
    async def delete_everything() -> None:
        for _ in range(20):
            await use_cases.delete([image.id for image in await listed(use_cases)])
            await asyncio.sleep(0)

    await asyncio.gather(
        *(uploaded(use_cases, RED, [str(number)]) for number in range(20)), delete_everything()
    )
    [image] = [*await listed(use_cases), *await listed(use_cases, DELETED)]
    assert {variant.key_of(image.id) for variant in image.required_variants} == set(storage.objects)


async def test_deleted_images_are_deleted_for_good_after_their_time(
    use_cases: UseCases, storage: MemoryStorage, clock: SettableClock
) -> None:
    first, second = [await uploaded(use_cases, picture_file((n, 0, 9))) for n in (1, 2)]
    await use_cases.delete([first.image.id])
    clock.pass_time(timedelta(days=1))
    await use_cases.delete([second.image.id])
    clock.pass_time(DEFAULT_TRASH_LIFETIME - timedelta(days=1))

    assert 1 == await use_cases.empty_trash()
    kept = {variant.key_of(second.image.id) for variant in second.image.required_variants}
    assert kept == set(storage.objects)
    assert {} == await use_cases.restore([first.image.id])
    clock.pass_time(timedelta(days=1))
    assert 1 == await use_cases.empty_trash()
    assert ({}, 0) == (storage.objects, await use_cases.empty_trash())
    assert (await uploaded(use_cases, picture_file((1, 0, 9)))).is_duplicate is False


async def test_a_sweep_keeps_the_bytes_of_deleted_images(
    use_cases: UseCases, storage: MemoryStorage, clock: SettableClock
) -> None:
    image = (await uploaded(use_cases, RED)).image
    await use_cases.delete([image.id])
    clock.pass_time(ORPHAN_GRACE_PERIOD + timedelta(seconds=1))
    before = dict(storage.objects)
    assert 0 == (await use_cases.sweep()).removed_objects
    assert before == storage.objects
    assert image.id in await use_cases.restore([image.id])


async def test_an_image_that_is_deleted_while_it_is_processed_is_indexed_when_it_is_restored(
    index: IndexImages, use_cases: UseCases, library: LibraryWithTasks
) -> None:
    image = await library.add_pending()
    await use_cases.delete([image.id])
    assert [] == [ended async for ended in index()]
    restored = (await use_cases.restore([image.id]))[image.id]
    assert ImageStatus.PROCESSING is restored.status
    assert [1] == [ended async for ended in index()]
    assert ImageStatus.READY is (await library.image(image.id)).status


async def test_importing_a_deleted_file_again_leaves_it_deleted(
    index: IndexImages, use_cases: UseCases, library: LibraryWithTasks
) -> None:
    found = library.add_object()
    assert [1] == [ended async for ended in index()]
    await use_cases.delete([found.id])
    library.add_object(name="renamed.png")
    assert [1] == [ended async for ended in index()]
    assert [] == await listed(use_cases)
    assert [found.id] == [image.id for image in await listed(use_cases, DELETED)]
