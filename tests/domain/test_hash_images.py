"""Images that an earlier version took in get their hashes, each once."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from domain.entities.images import Image, Variant
from domain.entities.uploads import UploadedImage
from domain.runtime.periodic import compare_new_images
from domain.use_cases.duplicates import hash_images as module
from domain.use_cases.duplicates.hash_images import HashImages
from tests.fakes.duplicates import MemoryDuplicates
from tests.fakes.files import upload
from tests.fakes.imaging import picture_file

if TYPE_CHECKING:
    from domain import UseCases
    from tests.fakes.catalog import MemoryCatalog
    from tests.fakes.storage import MemoryStorage


@pytest.fixture
async def earlier(
    use_cases: UseCases, catalog: MemoryCatalog, monkeypatch: pytest.MonkeyPatch
) -> list[Image]:
    """Five images as an earlier version kept them, and what they would be today."""
    monkeypatch.setattr(module, "HASH_BATCH_SIZE", 2)
    files = [picture_file((200, 10 * number, 0)) for number in range(5)]
    outcomes = await use_cases.upload([upload(file) for file in files])
    today = [each.image for each in outcomes if isinstance(each, UploadedImage)]
    for image in today:
        catalog._images[image.id] = replace(image, perceptual_hash=None, pixel_sha256=None)  # noqa: SLF001 - as no version would any more
    return today


async def now(catalog: MemoryCatalog, images: list[Image]) -> list[Image]:
    here = await catalog.get([image.id for image in images])
    return [here[image.id] for image in images]


async def test_each_gets_what_it_would_have_if_it_came_in_now(
    use_cases: UseCases, catalog: MemoryCatalog, earlier: list[Image]
) -> None:
    assert 5 == await use_cases.hash_images()
    assert earlier == await now(catalog, earlier)
    assert 0 == await use_cases.hash_images()


async def test_others_have_a_turn_between_many(
    use_cases: UseCases, earlier: list[Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_IMAGES_PER_RUN", 3)
    assert len(earlier) == 5
    assert [4, 1, 0] == [await use_cases.hash_images() for _ in range(3)]


async def test_a_file_that_cannot_be_read_is_named_once_and_holds_up_no_other(
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
    assert others == await now(catalog, others)
    for image in await now(catalog, [damaged, missing]):
        assert (None, None) == (image.perceptual_hash, image.pixel_sha256)
        assert 1 == sum(str(image.id) in message for message in caplog.messages)
    assert 2 == len(caplog.messages)
    await storage.write(
        Variant.ORIGINAL.key_of(missing.id), picture_file((1, 2, 3)), content_type="image/png"
    )
    again = HashImages(use_cases.hash_images.imaging, storage, use_cases.hash_images.duplicates)
    assert 2 == await again()
    [here] = await now(catalog, [missing])
    assert here.perceptual_hash is not None


class FlakyDuplicates(MemoryDuplicates):
    """Fails the first time, and tells when it was asked a third time."""

    def __init__(self, catalog: MemoryCatalog) -> None:
        super().__init__(catalog)
        self.asked = 0
        self.asked_thrice = asyncio.Event()

    async def update(self) -> int:
        self.asked += 1
        if self.asked == 1:
            raise ConnectionRefusedError
        if self.asked == 3:
            self.asked_thrice.set()
        return await super().update()


async def test_a_server_hashes_and_compares_again_and_again_also_after_an_outage(
    use_cases: UseCases,
    catalog: MemoryCatalog,
    earlier: list[Image],
    caplog: pytest.LogCaptureFixture,
) -> None:
    duplicates = FlakyDuplicates(catalog)
    find = replace(use_cases.duplicates, duplicates=duplicates)
    all_of_it = replace(use_cases, duplicates=find)
    looking = asyncio.create_task(compare_new_images(lambda: [all_of_it], every=0))
    await asyncio.wait_for(duplicates.asked_thrice.wait(), timeout=30)
    looking.cancel()
    await asyncio.wait([looking])
    assert earlier == await now(catalog, earlier)
    assert {image.id for image in earlier} == duplicates.compared
    assert ["new images could not be compared; trying again"] == caplog.messages


async def test_an_outage_of_the_store_marks_nothing(
    use_cases: UseCases,
    catalog: MemoryCatalog,
    storage: MemoryStorage,
    earlier: list[Image],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def away(*_: object) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(storage, "open", away)
    with pytest.raises(ConnectionRefusedError):
        await use_cases.hash_images()
    assert all(image.perceptual_hash is None for image in await now(catalog, earlier))
