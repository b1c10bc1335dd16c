"""Backfilling the hashes of images of an earlier version."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from domain.entities.images import Image, Variant
from domain.entities.uploads import UploadedImage
from domain.errors import Unavailable
from domain.runtime.periodic import compare_new_images
from domain.use_cases.duplicates import hash_images as module
from tests.domain.imports import put
from tests.fakes.duplicates import MemoryDuplicates
from tests.fakes.files import upload
from tests.fakes.images import NOON
from tests.fakes.imaging import picture_file
from tests.fakes.trash import MemoryTrash

if TYPE_CHECKING:
    from domain import UseCases
    from tests.domain.imports import Importer
    from tests.fakes.catalog import MemoryCatalog
    from tests.fakes.object_listing import MemoryObjectListing
    from tests.fakes.storage import MemoryStorage


@pytest.fixture
async def earlier(
    use_cases: UseCases, catalog: MemoryCatalog, monkeypatch: pytest.MonkeyPatch
) -> list[Image]:
    """Five images without hashes, as an earlier version stored them; returns them with hashes."""
    monkeypatch.setattr(module, "HASH_BATCH_SIZE", 2)
    files = [picture_file((200, 10 * number, 0)) for number in range(5)]
    outcomes = await use_cases.upload([upload(file) for file in files])
    hashed = [each.image for each in outcomes if isinstance(each, UploadedImage)]
    for image in hashed:
        catalog._images[image.id] = replace(image, perceptual_hash=None, pixel_sha256=None)  # noqa: SLF001 - no port removes hashes
    return hashed


@pytest.fixture
async def external(
    catalog: MemoryCatalog, importer: Importer, object_listing: MemoryObjectListing
) -> Image:
    """An image without hashes whose original stayed at its source; returns it with hashes."""
    put(object_listing, 1)
    await importer()
    [image] = (await importer.images()).values()
    catalog.put(replace(image, perceptual_hash=None, pixel_sha256=None))
    return image


async def current(catalog: MemoryCatalog, images: list[Image]) -> list[Image]:
    here = await catalog.get([image.id for image in images])
    return [here[image.id] for image in images]


async def test_backfilled_hashes_equal_those_of_a_new_upload(
    use_cases: UseCases, catalog: MemoryCatalog, earlier: list[Image]
) -> None:
    assert 5 == await use_cases.hash_images()
    assert earlier == await current(catalog, earlier)
    assert 0 == await use_cases.hash_images()


async def test_an_image_with_an_external_source_is_hashed_from_there(
    use_cases: UseCases, catalog: MemoryCatalog, external: Image
) -> None:
    await use_cases.hash_images()
    assert [external] == await current(catalog, [external])


async def test_a_run_hashes_a_bounded_number_of_images(
    use_cases: UseCases, earlier: list[Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_IMAGES_PER_RUN", 3)
    assert len(earlier) == 5
    assert [4, 1, 0] == [await use_cases.hash_images() for _ in range(3)]


async def test_an_unreadable_file_is_logged_once_and_skipped(
    use_cases: UseCases,
    catalog: MemoryCatalog,
    storage: MemoryStorage,
    earlier: list[Image],
    caplog: pytest.LogCaptureFixture,
) -> None:
    damaged, missing, *others = earlier
    storage.objects[Variant.ORIGINAL.key_of(damaged.id)] = b"PICTURE"
    await storage.delete([Variant.ORIGINAL.key_of(missing.id)])
    for _ in range(2):
        await use_cases.hash_images()
    assert others == await current(catalog, others)
    for image in await current(catalog, [damaged, missing]):
        assert (None, None) == (image.perceptual_hash, image.pixel_sha256)
        assert 1 == sum(str(image.id) in message for message in caplog.messages)
    assert 2 == len(caplog.messages)
    await storage.write(
        Variant.ORIGINAL.key_of(missing.id), picture_file((1, 2, 3)), content_type="image/png"
    )
    again = replace(use_cases.hash_images, _after=[], _failed=set())
    assert 2 == await again()
    [here] = await current(catalog, [missing])
    assert here.perceptual_hash is not None


async def test_an_image_that_comes_back_after_a_pass_is_hashed(
    use_cases: UseCases, catalog: MemoryCatalog, external: Image
) -> None:
    trash = MemoryTrash(catalog)
    await trash.add_missing([external.id], NOON)
    [outcome] = await use_cases.upload([upload(picture_file((1, 2, 3)))])
    assert isinstance(outcome, UploadedImage)
    catalog.put(replace(outcome.image, perceptual_hash=None, pixel_sha256=None))
    assert 1 == await use_cases.hash_images()
    await trash.restore([external.id])
    assert 1 == await use_cases.hash_images()
    assert [external] == await current(catalog, [external])


async def test_no_image_is_tried_twice_where_too_many_cannot_be_read(
    use_cases: UseCases,
    storage: MemoryStorage,
    earlier: list[Image],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(module, "MAX_FAILED", 2)
    await storage.delete([Variant.ORIGINAL.key_of(image.id) for image in earlier])
    assert [5, 0] == [await use_cases.hash_images() for _ in range(2)]
    assert 5 == len(caplog.messages)


class FlakyDuplicates(MemoryDuplicates):
    """Fails the first call, and sets an event at the third one."""

    def __init__(self, catalog: MemoryCatalog) -> None:
        super().__init__(catalog)
        self.calls = 0
        self.third_call = asyncio.Event()

    async def update(self) -> int:
        self.calls += 1
        if self.calls == 1:
            raise ConnectionRefusedError
        if self.calls == 3:
            self.third_call.set()
        return await super().update()


async def test_a_server_hashes_and_compares_periodically_also_after_an_outage(
    use_cases: UseCases,
    catalog: MemoryCatalog,
    earlier: list[Image],
    caplog: pytest.LogCaptureFixture,
) -> None:
    duplicates = FlakyDuplicates(catalog)
    find = replace(use_cases.duplicates, duplicates=duplicates)
    with_fake = replace(use_cases, duplicates=find)
    comparing = asyncio.create_task(compare_new_images(lambda: [with_fake], every=0))
    await asyncio.wait_for(duplicates.third_call.wait(), timeout=30)
    comparing.cancel()
    await asyncio.wait([comparing])
    assert earlier == await current(catalog, earlier)
    assert {image.id for image in earlier} == duplicates.compared
    assert ["new images could not be compared; trying again"] == caplog.messages


async def test_an_outage_of_storage_is_raised_and_skips_no_image(
    use_cases: UseCases,
    catalog: MemoryCatalog,
    storage: MemoryStorage,
    earlier: list[Image],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def fail(*_: object) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(storage, "open", fail)
    with pytest.raises(ConnectionRefusedError):
        await use_cases.hash_images()
    assert all(image.perceptual_hash is None for image in await current(catalog, earlier))


async def test_an_outage_of_a_source_skips_its_images_only(
    use_cases: UseCases,
    external: Image,
    catalog: MemoryCatalog,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    [outcome] = await use_cases.upload([upload(picture_file((1, 2, 3)))])
    assert isinstance(outcome, UploadedImage)
    own = outcome.image
    catalog.put(replace(own, perceptual_hash=None, pixel_sha256=None))

    async def fail(*_: object) -> None:
        raise Unavailable

    monkeypatch.setattr(type(use_cases.hash_images.read.external_files), "open", fail)
    await use_cases.hash_images()
    assert [own] == await current(catalog, [own])
    assert 1 == sum(str(external.id) in message for message in caplog.messages)
    assert 0 == await use_cases.hash_images()


async def test_images_are_compared_although_others_cannot_be_hashed(
    use_cases: UseCases,
    catalog: MemoryCatalog,
    storage: MemoryStorage,
    earlier: list[Image],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def fail(*_: object) -> None:
        raise ConnectionRefusedError

    duplicates = FlakyDuplicates(catalog)
    catalog.put(earlier[0])
    monkeypatch.setattr(storage, "open", fail)
    find = replace(use_cases.duplicates, duplicates=duplicates)
    with_fake = replace(use_cases, duplicates=find)
    comparing = asyncio.create_task(compare_new_images(lambda: [with_fake], every=0))
    await asyncio.wait_for(duplicates.third_call.wait(), timeout=30)
    comparing.cancel()
    await asyncio.wait([comparing])
    assert {earlier[0].id} == duplicates.compared
