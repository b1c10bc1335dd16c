"""Large pictures, animations, JPEGs without an end, floats, BigTIFF, and RAW files."""

from __future__ import annotations

import io
import struct
from random import Random

import pytest
from PIL import Image

from domain.errors import InvalidContent, TooManyPixels, UnsupportedFormat
from infra.pillow.decode import PictureDecoder
from infra.pillow.picture_files import PictureLimits
from infra.settings import read_settings
from tests.exif_blocks import Tag, block
from tests.pictures import as_image, difference, encoded, flag, opened, some_exif

SIZE = (900, 600)


@pytest.fixture
def decoder() -> PictureDecoder:
    return PictureDecoder(PictureLimits(max_pixels=1_000_000, max_frames=20), encoder_side=64)


@pytest.mark.parametrize("size", [(9_504, 6_336), (11_648, 8_736), (30_000, 2_000)])
def test_cameras_of_100_megapixels_and_panoramas_are_accepted(size: tuple[int, int]) -> None:
    limits = PictureLimits(read_settings().max_pixels, 1)
    picture = PictureDecoder(limits, encoder_side=224).decode(
        encoded(Image.new("L", size, 120), "JPEG")
    )
    assert size == (picture.width, picture.height)


def test_a_jpeg_counts_as_large_as_its_decoder_makes_it(decoder: PictureDecoder) -> None:
    size = (3_300, 1_000)
    assert decoder.decode(encoded(flag(size), "JPEG")).width == 3_300
    with pytest.raises(TooManyPixels, match="PICTOGRAPH_MAX_PIXELS"):
        decoder.decode(encoded(flag(size), "PNG"))


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
@pytest.mark.parametrize("blank", [(0, 0, 0, 0), (255, 255, 255, 255)])
def test_an_animation_is_its_first_frame_that_shows_something(
    decoder: PictureDecoder, kind: str, blank: tuple[int, ...]
) -> None:
    empty, shown = Image.new("RGBA", (120, 80), blank), flag(mode="RGBA")
    options = {"save_all": True, "append_images": [empty, shown], "duration": 100}
    picture = decoder.decode(encoded(empty, kind, **options))
    assert difference(as_image(picture.pixels), flag((144, 96)).resize(picture_size(picture))) < 8
    nothing = decoder.decode(encoded(empty, kind, **options | {"append_images": [empty]}))
    assert (nothing.width, nothing.height) == (120, 80)


def picture_size(picture: object) -> tuple[int, int]:
    return picture.pixels.width, picture.pixels.height  # type: ignore[attr-defined]


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_that_lacks_only_its_end_marker_is_decoded_and_a_cut_one_is_refused(
    decoder: PictureDecoder, *, progressive: bool
) -> None:
    data = encoded(Image.effect_noise((200, 160), 60), "JPEG", progressive=progressive)
    whole, ended = decoder.decode(data), decoder.decode(data[:-2])
    assert whole.pixel_sha256 == ended.pixel_sha256
    for cut in (data[: len(data) // 2], data[: len(data) * 9 // 10]):
        with pytest.raises(InvalidContent):
            decoder.decode(cut)


def test_a_jpeg_without_end_marker_whose_pixels_end_in_a_zero_is_decoded_whole(
    decoder: PictureDecoder,
) -> None:
    pictures = (
        encoded(Image.frombytes("L", (16, 16), Random(seed).randbytes(256)), "JPEG")
        for seed in range(10_000)
    )
    data = next(each for each in pictures if each.endswith(b"\0\xff\xd9"))
    whole = decoder.decode(data).pixel_sha256
    for end in (-2, -1):
        assert whole == decoder.decode(data[:end]).pixel_sha256


def test_floats_from_zero_to_one_are_not_stretched(decoder: PictureDecoder) -> None:
    image = Image.new("F", (40, 40), 0.25)
    image.paste(0.5, (0, 0, 20, 40))
    picture = decoder.decode(encoded(image, "TIFF", compression="raw"))
    assert opened(picture.thumbnail).convert("L").getpixel((5, 5)) in range(124, 132)
    assert opened(picture.thumbnail).convert("L").getpixel((35, 5)) in range(60, 68)


def test_a_big_tiff_is_decoded_with_its_tags(decoder: PictureDecoder) -> None:
    pixels = flag((60, 40)).tobytes()
    make = b"Canon EOS\0"
    entries: list[tuple[int, int, int, int]] = [
        (256, 4, 1, 60),
        (257, 4, 1, 40),
        (258, 3, 3, 8 | 8 << 16 | 8 << 32),
        (259, 3, 1, 1),
        (262, 3, 1, 2),
        (271, 2, len(make), 16 + 8 + 20 * 10 + 8),
        (273, 16, 1, 16 + 8 + 20 * 10 + 8 + len(make)),
        (277, 3, 1, 3),
        (278, 4, 1, 40),
        (279, 16, 1, len(pixels)),
    ]
    directory = struct.pack("<Q", len(entries)) + b"".join(
        struct.pack("<HHQQ", *entry) for entry in entries
    )
    data = b"II+\0" + struct.pack("<HHQ", 8, 0, 16) + directory + bytes(8) + make + pixels
    picture = decoder.decode(data)
    assert difference(as_image(picture.pixels), flag((60, 40))) < 1
    assert picture.exif
    assert picture.exif.camera_make == "Canon EOS"


def preview(size: tuple[int, int] = SIZE) -> bytes:
    return encoded(flag(size), "JPEG")


def container(*main: Tag) -> bytes:
    """A TIFF whose first directory is a small thumbnail, as RAW files have."""
    thumbnail = encoded(Image.new("RGB", (160, 120)), "JPEG")
    tags: list[Tag] = [(254, "I", struct.pack("<I", 1)), *main]
    return block(tags).removeprefix(b"Exif\0\0") + thumbnail


SUB_DIRECTORY: Tag = (330, "I", struct.pack("<I", 8))
TURNED: Tag = (274, "H", struct.pack("<H", 6))
RAW_FILES = {
    "image/x-adobe-dng": container((271, "s", b"Leica\0"), TURNED, (50_706, "B", b"\1\4\0\0")),
    "image/x-nikon-nef": container((271, "s", b"NIKON\0"), TURNED, SUB_DIRECTORY),
    "image/x-sony-arw": container((271, "s", b"SONY\0"), TURNED, SUB_DIRECTORY),
    "image/x-olympus-orf": b"IIRO" + container((271, "s", b"OLYMPUS\0"), TURNED)[4:],
    "image/x-canon-cr2": (
        b"II*\0\x10\0\0\0CR\2\0" + bytes(4) + struct.pack("<HHHII", 1, 274, 3, 1, 6) + bytes(4)
    ),
    "image/x-canon-cr3": (
        struct.pack(">I", 24)
        + b"ftypcrx \0\0\0\1crx isom"
        + struct.pack(">I", 8 + len(block([TURNED])[6:]))
        + b"CMT1"
        + block([TURNED])[6:]
    ),
}


@pytest.mark.parametrize("content_type", RAW_FILES)
def test_a_raw_file_is_its_largest_preview_upright(
    decoder: PictureDecoder, content_type: str
) -> None:
    noise = b"\xff\xd8\xff\xc3" + bytes(range(256)) * 4
    data = RAW_FILES[content_type] + noise + preview() + noise + preview((500, 400))
    picture = decoder.decode(data)
    assert (content_type, 600, 900) == (picture.content_type, picture.width, picture.height)
    assert content_type == decoder.inspect(data)
    upright = flag(SIZE).transpose(Image.Transpose.ROTATE_270)
    made = as_image(picture.pixels)
    assert difference(made, upright.resize(made.size)) < 5
    assert decoder.decode_pixels(data).width
    assert decoder.render_large(data)


def test_a_raw_file_of_fujifilm_has_the_tags_of_its_preview(decoder: PictureDecoder) -> None:
    file = io.BytesIO()
    flag(SIZE).save(file, "JPEG", exif=some_exif(6))
    picture = decoder.decode(b"FUJIFILMCCD-RAW 0201".ljust(160, b"\0") + file.getvalue())
    assert ("image/x-fuji-raf", 600) == (picture.content_type, picture.width)
    assert picture.exif
    assert picture.exif.camera_make == "Canon"


def test_a_raw_file_without_a_large_preview_is_refused_and_never_its_thumbnail(
    decoder: PictureDecoder,
) -> None:
    with pytest.raises(UnsupportedFormat, match="NEF file has no preview that is large enough"):
        decoder.decode(RAW_FILES["image/x-nikon-nef"])


def test_an_ordinary_tiff_is_not_a_raw_file(decoder: PictureDecoder) -> None:
    assert decoder.inspect(encoded(flag(), "TIFF")) == "image/tiff"
