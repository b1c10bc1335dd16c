"""Uploading pictures."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from domain.concurrency import MAX_FILES_IN_MEMORY
from domain.entities.filters import ImageFilter
from domain.entities.images import Exif, ImageStatus, Variant
from domain.entities.uploads import Upload, UploadedImage
from domain.errors import (
    InvalidArgument,
    InvalidContent,
    Overloaded,
    TooLarge,
    TooManyFiles,
    TooManyPixels,
    UnsupportedFormat,
)
from tests.fakes.files import upload
from tests.fakes.imaging import FakeImaging, picture_file

if TYPE_CHECKING:
    from collections.abc import Callable

    from domain import UseCases
    from domain.entities.images import Picture, Pixels
    from domain.errors import Refusal
    from tests.fakes.catalog import MemoryCatalog
    from tests.fakes.clock import SettableClock
    from tests.fakes.encoder import FakeEncoder
    from tests.fakes.storage import MemoryStorage

RED = picture_file((255, 0, 0), (640, 480))
BLUE = picture_file((0, 0, 255))


def uploaded(outcome: UploadedImage | Refusal) -> UploadedImage:
    assert isinstance(outcome, UploadedImage)
    return outcome


async def test_an_uploaded_picture_is_an_image_with_its_facts(
    use_cases: UseCases, imaging: FakeImaging, clock: SettableClock
) -> None:
    imaging.exif[RED] = Exif(camera_make="Leica")
    clock.pass_time(timedelta(days=1))

    [outcome] = await use_cases.upload([upload(RED, "C:\\red.png")], tags=["sea", "Sea", "sea "])

    image = uploaded(outcome).image
    assert not uploaded(outcome).is_duplicate
    assert {image.id: image} == await use_cases.get([image.id])
    assert (image.id.version, image.filename, image.content_type) == (7, "red.png", "image/png")
    assert (len(RED), hashlib.sha256(RED).hexdigest()) == (image.byte_size, image.sha256)
    assert (image.width, image.height, image.placeholder) == (640, 480, "/wAA")
    assert (image.tags, image.exif) == (("Sea", "sea"), imaging.exif[RED])
    assert (image.created_at, image.status) == (clock.now, ImageStatus.READY)
    assert (image.alt_text, image.failure_reason) == (None, None)


async def test_the_original_and_the_thumbnail_of_an_upload_are_stored(
    use_cases: UseCases, imaging: FakeImaging, storage: MemoryStorage
) -> None:
    [outcome] = await use_cases.upload([upload(RED)])

    image_id = uploaded(outcome).image.id
    picture = await imaging.decode(RED)
    assert {
        Variant.ORIGINAL.key_of(image_id): RED,
        Variant.THUMBNAIL.key_of(image_id): picture.thumbnail,
    } == storage.objects


async def test_the_same_bytes_again_are_the_same_image(
    use_cases: UseCases, encoder: FakeEncoder, storage: MemoryStorage
) -> None:
    [first] = await use_cases.upload([upload(RED, "first.png")])
    [again] = await use_cases.upload([upload(RED, "again.png")])

    assert UploadedImage(uploaded(first).image, is_duplicate=True) == again
    assert encoder.calls == 1
    assert len(storage.objects) == 2


async def test_tags_are_added_to_an_existing_image(use_cases: UseCases) -> None:
    await use_cases.upload([upload(RED)], tags=["sea"])
    [again] = await use_cases.upload([upload(RED)], tags=["beach"])
    [subset] = await use_cases.upload([upload(RED)], tags=["sea"])

    assert uploaded(again).image.tags == ("beach", "sea")
    assert uploaded(again).image == uploaded(subset).image
    assert [("beach",), ()] == [uploaded(each).added_tags for each in (again, subset)]


async def test_the_same_bytes_twice_in_one_request_are_encoded_once(
    use_cases: UseCases, encoder: FakeEncoder, storage: MemoryStorage
) -> None:
    outcomes = [uploaded(each) for each in await use_cases.upload([upload(RED)] * 5)]

    assert len({outcome.image.id for outcome in outcomes}) == 1
    assert sorted(outcome.is_duplicate for outcome in outcomes) == [False, True, True, True, True]
    assert encoder.calls == 1
    assert len(storage.objects) == 2


async def test_a_refused_file_does_not_block_the_others_and_outcomes_keep_the_order(
    use_cases: UseCases, imaging: FakeImaging
) -> None:
    imaging.max_pixels = 640 * 480
    outcomes = await use_cases.upload(
        [
            upload(b"GIF89a", "0.gif"),
            upload(RED, "1.png"),
            upload(b"PICTURE torn", "2.png"),
            upload(picture_file(size=(641, 480)), "3.png"),
            upload(b"", "4.png"),
            upload(b"x" * 1_001, "5.png"),
            upload(BLUE, "6.png"),
        ]
    )

    assert [
        UnsupportedFormat,
        UploadedImage,
        InvalidContent,
        TooManyPixels,
        InvalidContent,
        TooLarge,
        UploadedImage,
    ] == [type(outcome) for outcome in outcomes]
    assert uploaded(outcomes[1]).image.filename == "1.png"
    assert uploaded(outcomes[6]).image.filename == "6.png"
    assert await use_cases.list.count(ImageFilter()) == 2


async def test_a_refusal_does_not_keep_its_file_in_memory(use_cases: UseCases) -> None:
    [refusal] = await use_cases.upload([upload(b"PICTURE torn")])

    assert isinstance(refusal, InvalidContent)
    assert (refusal.__traceback__, refusal.__context__, refusal.__cause__) == (None, None, None)


async def test_a_file_refused_by_an_overloaded_encoder_leaves_nothing(
    use_cases: UseCases, encoder: FakeEncoder, storage: MemoryStorage
) -> None:
    await use_cases.upload([upload(RED)])
    encoder.overloaded = True

    existing, new = await use_cases.upload([upload(RED), upload(BLUE)])

    assert uploaded(existing).is_duplicate
    assert isinstance(new, Overloaded)
    assert len(storage.objects) == 2


async def test_no_files_have_no_outcomes(use_cases: UseCases) -> None:
    assert await use_cases.upload([]) == []


async def test_too_many_files_are_refused_before_any_is_read(
    use_cases: UseCases, catalog: MemoryCatalog
) -> None:
    with pytest.raises(TooManyFiles) as refusal:
        await use_cases.upload([upload(RED)] * 21)

    assert refusal.value.message == "21 files are too many for one request; send at most 20."
    assert await catalog.count(ImageFilter()) == 0


async def test_an_invalid_tag_is_refused_before_any_file_is_read(
    use_cases: UseCases, catalog: MemoryCatalog
) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        await use_cases.upload([upload(RED)], tags=[""])

    assert refusal.value.location == ("tags",)
    assert await catalog.count(ImageFilter()) == 0


@dataclass
class CountingImaging(FakeImaging):
    """Counts the files in imaging. Decoding waits until as many as allowed are there."""

    files: int = 0
    most: int = 0
    is_full: asyncio.Event = field(default_factory=asyncio.Event)

    def file(self, number: int) -> Upload:
        async def read() -> bytes:
            self.files += 1
            self.most = max(self.most, self.files)
            if self.files == MAX_FILES_IN_MEMORY:
                self.is_full.set()
            return picture_file(words=str(number))

        return Upload("picture.png", 1, read)

    async def decode(
        self,
        data: bytes,
        *,
        with_large: bool = True,
        on_pixels: Callable[[Pixels], object] | None = None,
    ) -> Picture:
        await self.is_full.wait()
        picture = await super().decode(data, with_large=with_large, on_pixels=on_pixels)
        self.files -= 1
        return picture


async def test_the_number_of_files_in_memory_is_bounded(use_cases: UseCases) -> None:
    imaging = CountingImaging()
    upload_images = replace(use_cases.upload, imaging=imaging)
    files = [imaging.file(number) for number in range(40)]

    await asyncio.gather(upload_images(files[:20]), upload_images(files[20:]))

    assert imaging.most == MAX_FILES_IN_MEMORY
    assert await use_cases.list.count(ImageFilter()) == 40
