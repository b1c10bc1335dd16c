"""What every imaging promises: the fake of words, and Pillow."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from domain.entities.images import LARGE_SIDE, THUMBNAIL_SIDE
from domain.errors import InvalidContent, TooManyPixels, UnsupportedFormat
from infra.pillow.imaging import PillowImaging
from tests.fakes.imaging import FakeImaging, picture_file

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from domain.ports import Imaging

RED = (200, 30, 40)


@dataclass(frozen=True, slots=True)
class Lab:
    """An imaging with at most 4,000,000 pixels, and how to make and spoil a file for it."""

    imaging: Imaging
    file: Callable[[tuple[int, int, int], tuple[int, int]], bytes]
    spoil: Callable[[bytes], bytes]


def png(colour: tuple[int, int, int], size: tuple[int, int]) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(params=["fake", "pillow"])
async def lab(request: pytest.FixtureRequest) -> AsyncIterator[Lab]:
    if request.param == "fake":
        imaging = FakeImaging(max_pixels=4_000_000)
        yield Lab(imaging, picture_file, lambda data: data[:10])
    else:
        async with PillowImaging(encoder_side=16, max_pixels=4_000_000, workers=1) as pillow:
            yield Lab(pillow, png, lambda data: data[:60])


async def test_a_picture_has_its_size_and_colour(lab: Lab) -> None:
    picture = await lab.imaging.decode(lab.file(RED, (80, 60)))
    assert picture.content_type == "image/png"
    assert (picture.width, picture.height) == (80, 60)
    assert picture.placeholder
    assert picture.exif is None
    assert bytes(RED) * (picture.pixels.width * picture.pixels.height) == picture.pixels.rgb


async def test_the_pixels_keep_the_proportions_of_the_picture(lab: Lab) -> None:
    pixels = (await lab.imaging.decode(lab.file(RED, (800, 400)))).pixels
    assert pixels.width == 2 * pixels.height


async def test_decoding_gives_the_pixels_of_developing(lab: Lab) -> None:
    data = lab.file(RED, (80, 60))
    assert (await lab.imaging.decode(data)).pixels == await lab.imaging.decode_pixels(data)


async def test_inspecting_gives_the_media_type_of_developing(lab: Lab) -> None:
    data = lab.file(RED, (80, 60))
    assert (await lab.imaging.decode(data)).content_type == await lab.imaging.inspect(data)


async def test_renditions_are_files_themselves_reduced_and_never_enlarged(lab: Lab) -> None:
    large_file = await lab.imaging.decode(lab.file(RED, (2000, 1000)))
    small_file = await lab.imaging.decode(lab.file(RED, (40, 30)))
    for data, expected in [
        (large_file.large, (LARGE_SIDE, LARGE_SIDE // 2)),
        (large_file.thumbnail, (THUMBNAIL_SIDE, THUMBNAIL_SIDE // 2)),
        (small_file.large, (40, 30)),
        (small_file.thumbnail, (40, 30)),
    ]:
        rendition = await lab.imaging.decode(data)
        assert expected == (rendition.width, rendition.height)


async def test_the_same_bytes_develop_to_the_same_picture(lab: Lab) -> None:
    data = lab.file(RED, (80, 60))
    assert await lab.imaging.decode(data) == await lab.imaging.decode(data)


async def test_pixels_may_be_as_many_as_allowed_and_no_more(lab: Lab) -> None:
    assert (await lab.imaging.decode(lab.file(RED, (2000, 2000)))).width == 2000
    too_many = lab.file(RED, (2000, 2001))
    with pytest.raises(TooManyPixels, match="pixels"):
        await lab.imaging.decode(too_many)
    with pytest.raises(TooManyPixels, match="pixels"):
        await lab.imaging.decode_pixels(too_many)
    with pytest.raises(TooManyPixels, match="pixels"):
        await lab.imaging.inspect(too_many)


@pytest.mark.parametrize("data", [b"", b"no picture", b"\0" * 100, b"%!PS-Adobe-3.0 EPSF-3.0\n"])
async def test_what_is_no_picture_is_refused(lab: Lab, data: bytes) -> None:
    with pytest.raises(UnsupportedFormat, match=r"\w+.*[.]$"):
        await lab.imaging.decode(data)
    with pytest.raises(UnsupportedFormat, match=r"\w+.*[.]$"):
        await lab.imaging.decode_pixels(data)
    with pytest.raises(UnsupportedFormat, match=r"\w+.*[.]$"):
        await lab.imaging.inspect(data)


async def test_a_picture_that_breaks_off_is_refused(lab: Lab) -> None:
    broken = lab.spoil(lab.file(RED, (80, 60)))
    with pytest.raises(InvalidContent, match=r"damaged.*xport it again"):
        await lab.imaging.decode(broken)
    with pytest.raises(InvalidContent, match=r"damaged.*xport it again"):
        await lab.imaging.decode_pixels(broken)
