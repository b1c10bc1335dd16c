"""Taking pictures in."""

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
    from domain import UseCases
    from domain.entities.images import Picture
    from domain.errors import Refusal
    from tests.fakes.catalog import MemoryCatalog
    from tests.fakes.clock import SettableClock
    from tests.fakes.encoder import FakeEncoder
    from tests.fakes.storage import MemoryStorage

RED = picture_file((255, 0, 0), (640, 480))
BLUE = picture_file((0, 0, 255))


def taken(outcome: UploadedImage | Refusal) -> UploadedImage:
    assert isinstance(outcome, UploadedImage)
    return outcome


async def test_an_uploaded_picture_is_an_image_with_its_facts(
    use_cases: UseCases, imaging: FakeImaging, clock: SettableClock
) -> None:
    imaging.exif[RED] = Exif(camera_make="Leica")
    clock.pass_time(timedelta(days=1))

    [outcome] = await use_cases.upload([upload(RED, "C:\\red.png")], tags=["sea", "Sea", "sea "])

    image = taken(outcome).image
    assert not taken(outcome).is_duplicate
    assert {image.id: image} == await use_cases.get([image.id])
    assert (image.id.version, image.filename, image.content_type) == (7, "red.png", "image/png")
    assert (len(RED), hashlib.sha256(RED).hexdigest()) == (image.byte_size, image.sha256)
    assert (image.width, image.height, image.placeholder) == (640, 480, "/wAA")
    assert (image.tags, image.exif) == (("Sea", "sea"), imaging.exif[RED])
    assert (image.created_at, image.status) == (clock.now, ImageStatus.READY)
    assert (image.alt_text, image.failure_reason) == (None, None)


async def test_an_uploaded_picture_is_kept_as_it_came_and_in_two_sizes(
    use_cases: UseCases, imaging: FakeImaging, storage: MemoryStorage
) -> None:
    [outcome] = await use_cases.upload([upload(RED)])

    image_id = taken(outcome).image.id
    picture = await imaging.decode(RED)
    assert {
        Variant.ORIGINAL.key_of(image_id): RED,
        Variant.LARGE.key_of(image_id): picture.large,
        Variant.THUMBNAIL.key_of(image_id): picture.thumbnail,
    } == storage.objects


async def test_the_same_bytes_again_are_the_same_image(
    use_cases: UseCases, encoder: FakeEncoder, storage: MemoryStorage
) -> None:
    [first] = await use_cases.upload([upload(RED, "first.png")])
    [again] = await use_cases.upload([upload(RED, "again.png")])

    assert UploadedImage(taken(first).image, is_duplicate=True) == again
    assert encoder.calls == 1
    assert len(storage.objects) == 3


async def test_tags_are_put_on_an_image_that_was_here_already(use_cases: UseCases) -> None:
    await use_cases.upload([upload(RED)], tags=["sea"])
    [again] = await use_cases.upload([upload(RED)], tags=["beach"])
    [subset] = await use_cases.upload([upload(RED)], tags=["sea"])

    assert taken(again).image.tags == ("beach", "sea")
    assert again == subset


async def test_the_same_bytes_twice_in_one_request_are_worked_on_once(
    use_cases: UseCases, encoder: FakeEncoder, storage: MemoryStorage
) -> None:
    outcomes = [taken(each) for each in await use_cases.upload([upload(RED)] * 5)]

    assert len({outcome.image.id for outcome in outcomes}) == 1
    assert sorted(outcome.is_duplicate for outcome in outcomes) == [False, True, True, True, True]
    assert encoder.calls == 1
    assert len(storage.objects) == 3


async def test_a_refused_file_holds_up_no_other_and_results_keep_the_order(
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
    assert taken(outcomes[1]).image.filename == "1.png"
    assert taken(outcomes[6]).image.filename == "6.png"
    assert await use_cases.list.count(ImageFilter()) == 2


async def test_a_refusal_does_not_keep_the_bytes_of_its_file_alive(use_cases: UseCases) -> None:
    [refusal] = await use_cases.upload([upload(b"PICTURE torn")])

    assert isinstance(refusal, InvalidContent)
    assert (refusal.__traceback__, refusal.__context__, refusal.__cause__) == (None, None, None)


async def test_an_overloaded_encoder_refuses_the_file_and_leaves_nothing(
    use_cases: UseCases, encoder: FakeEncoder, storage: MemoryStorage
) -> None:
    await use_cases.upload([upload(RED)])
    encoder.overloaded = True

    here, new = await use_cases.upload([upload(RED), upload(BLUE)])

    assert taken(here).is_duplicate
    assert isinstance(new, Overloaded)
    assert len(storage.objects) == 3


async def test_no_files_are_no_results(use_cases: UseCases) -> None:
    assert await use_cases.upload([]) == []


async def test_too_many_files_are_refused_before_any_is_read(
    use_cases: UseCases, catalog: MemoryCatalog
) -> None:
    with pytest.raises(TooManyFiles) as refusal:
        await use_cases.upload([upload(RED)] * 21)

    assert refusal.value.message == "21 files are too many for one request; send at most 20."
    assert await catalog.count(ImageFilter()) == 0


async def test_a_bad_tag_is_refused_before_any_file_is_read(
    use_cases: UseCases, catalog: MemoryCatalog
) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        await use_cases.upload([upload(RED)], tags=[""])

    assert refusal.value.location == ("tags",)
    assert await catalog.count(ImageFilter()) == 0


@dataclass
class Memory(FakeImaging):
    """Counts files from their reading to the end of their development, which waits for a crowd."""

    files: int = 0
    most: int = 0
    crowd: asyncio.Event = field(default_factory=asyncio.Event)

    def file(self, number: int) -> Upload:
        async def read() -> bytes:
            self.files += 1
            self.most = max(self.most, self.files)
            if self.files == MAX_FILES_IN_MEMORY:
                self.crowd.set()
            return picture_file(words=str(number))

        return Upload("picture.png", 1, read)

    async def decode(self, data: bytes) -> Picture:
        await self.crowd.wait()
        picture = await super().decode(data)
        self.files -= 1
        return picture


async def test_only_as_many_files_as_fill_a_forward_pass_are_in_memory(use_cases: UseCases) -> None:
    memory = Memory()
    upload_images = replace(use_cases.upload, imaging=memory)
    files = [memory.file(number) for number in range(40)]

    await asyncio.gather(upload_images(files[:20]), upload_images(files[20:]))

    assert memory.most == MAX_FILES_IN_MEMORY
    assert await use_cases.list.count(ImageFilter()) == 40
