"""The contract of imagings."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from domain.entities.images import LARGE_SIDE, THUMBNAIL_SIDE
from domain.errors import InvalidContent, TooManyPixels, UnsupportedFormat
from infra.pillow.imaging import PillowImaging
from tests.fakes.imaging import FakeImaging, picture_file

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from domain.entities.images import Pixels
    from domain.ports import Imaging

RED = (200, 30, 40)


@dataclass(frozen=True, slots=True)
class Subject:
    """An imaging with a limit of 4,000,000 pixels, and functions that make files for it."""

    imaging: Imaging
    file: Callable[[tuple[int, int, int], tuple[int, int]], bytes]
    truncate: Callable[[bytes], bytes]


def png(colour: tuple[int, int, int], size: tuple[int, int]) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(params=["fake", "pillow"])
async def subject(request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
    if request.param == "fake":
        imaging = FakeImaging(max_pixels=4_000_000)
        yield Subject(imaging, picture_file, lambda data: data[:10])
    else:
        async with PillowImaging(encoder_side=16, max_pixels=4_000_000, workers=1) as pillow:
            yield Subject(pillow, png, lambda data: data[:60])


async def test_a_picture_has_its_size_and_colour(subject: Subject) -> None:
    picture = await subject.imaging.decode(subject.file(RED, (80, 60)))
    assert picture.content_type == "image/png"
    assert (picture.width, picture.height) == (80, 60)
    assert picture.placeholder
    assert picture.exif is None
    assert bytes(RED) * (picture.pixels.width * picture.pixels.height) == picture.pixels.rgb


async def test_the_pixels_keep_the_aspect_ratio_of_the_picture(subject: Subject) -> None:
    pixels = (await subject.imaging.decode(subject.file(RED, (800, 400)))).pixels
    assert pixels.width == 2 * pixels.height


async def test_decode_pixels_returns_the_pixels_of_decode(subject: Subject) -> None:
    data = subject.file(RED, (80, 60))
    assert (await subject.imaging.decode(data)).pixels == await subject.imaging.decode_pixels(data)


async def test_inspect_returns_the_media_type_of_decode(subject: Subject) -> None:
    data = subject.file(RED, (80, 60))
    assert (await subject.imaging.decode(data)).content_type == await subject.imaging.inspect(data)


async def test_renditions_are_files_that_are_downscaled_but_never_upscaled(
    subject: Subject,
) -> None:
    large_file = await subject.imaging.decode(subject.file(RED, (2000, 1000)))
    small_file = await subject.imaging.decode(subject.file(RED, (40, 30)))
    for data, expected in [
        (large_file.large, (LARGE_SIDE, LARGE_SIDE // 2)),
        (large_file.thumbnail, (THUMBNAIL_SIDE, THUMBNAIL_SIDE // 2)),
        (small_file.large, (40, 30)),
        (small_file.thumbnail, (40, 30)),
    ]:
        assert data
        rendition = await subject.imaging.decode(data)
        assert expected == (rendition.width, rendition.height)


async def test_the_pixels_are_announced_once_before_the_picture(subject: Subject) -> None:
    announced: list[Pixels] = []
    data = subject.file(RED, (800, 400))
    picture = await subject.imaging.decode(data, on_pixels=announced.append)
    assert [picture.pixels] == announced


async def test_large_is_made_on_request_alone_and_equals_that_of_decode(subject: Subject) -> None:
    for size in ((2000, 1000), (40, 30)):
        data = subject.file(RED, size)
        whole = await subject.imaging.decode(data)
        assert whole.large == await subject.imaging.render_large(data)
        assert replace(whole, large=None) == await subject.imaging.decode(data, with_large=False)


async def test_equal_bytes_are_decoded_to_equal_pictures(subject: Subject) -> None:
    data = subject.file(RED, (80, 60))
    assert await subject.imaging.decode(data) == await subject.imaging.decode(data)


async def test_pictures_with_more_pixels_than_the_limit_are_refused(subject: Subject) -> None:
    assert (await subject.imaging.decode(subject.file(RED, (2000, 2000)))).width == 2000
    await _assert_too_many_pixels(subject.imaging, subject.file(RED, (2000, 2001)))
    await _assert_too_many_pixels(subject.imaging, subject.file(RED, (70_000, 50)))
    await _assert_too_many_pixels(subject.imaging, subject.file(RED, (1, 1_001)))


async def _assert_too_many_pixels(imaging: Imaging, data: bytes) -> None:
    with pytest.raises(TooManyPixels, match="pixels"):
        await imaging.decode(data)
    with pytest.raises(TooManyPixels, match="pixels"):
        await imaging.decode_pixels(data)
    with pytest.raises(TooManyPixels, match="pixels"):
        await imaging.render_large(data)
    with pytest.raises(TooManyPixels, match="pixels"):
        await imaging.inspect(data)


@pytest.mark.parametrize("data", [b"", b"no picture", b"\0" * 100, b"%!PS-Adobe-3.0 EPSF-3.0\n"])
async def test_files_of_other_formats_are_refused(subject: Subject, data: bytes) -> None:
    with pytest.raises(UnsupportedFormat, match=r"\w+.*[.]$"):
        await subject.imaging.decode(data)
    with pytest.raises(UnsupportedFormat, match=r"\w+.*[.]$"):
        await subject.imaging.decode_pixels(data)
    with pytest.raises(UnsupportedFormat, match=r"\w+.*[.]$"):
        await subject.imaging.render_large(data)
    with pytest.raises(UnsupportedFormat, match=r"\w+.*[.]$"):
        await subject.imaging.inspect(data)


async def test_a_truncated_picture_is_refused(subject: Subject) -> None:
    broken = subject.truncate(subject.file(RED, (80, 60)))
    with pytest.raises(InvalidContent, match=r"damaged.*xport it again"):
        await subject.imaging.decode(broken)
    with pytest.raises(InvalidContent, match=r"damaged.*xport it again"):
        await subject.imaging.decode_pixels(broken)
    with pytest.raises(InvalidContent, match=r"damaged.*xport it again"):
        await subject.imaging.render_large(broken)
