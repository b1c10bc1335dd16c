"""Decoding a file in this process: formats, orientations, EXIF, animations, sizes."""

from __future__ import annotations

import base64
import struct
import zlib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from PIL import Image, ImageCms, PngImagePlugin

from domain.entities.images import GeoPoint
from infra.pillow.decode import PictureDecoder
from infra.pillow.picture_files import PictureLimits
from tests.pictures import (
    FORMATS,
    WITH_EXIF,
    as_image,
    difference,
    encoded,
    flag,
    opened,
    some_exif,
)

ORIENTATION = Path("../shared/data/orientation")


@pytest.fixture
def decoder() -> PictureDecoder:
    return PictureDecoder(PictureLimits(max_pixels=1_000_000, max_frames=20), encoder_side=64)


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_is_recognised_by_its_magic_bytes_and_decoded(
    decoder: PictureDecoder, kind: str
) -> None:
    picture = decoder.decode(encoded(flag(), kind))
    assert FORMATS[kind] == picture.content_type
    assert (picture.width, picture.height) == (120, 80)
    assert difference(as_image(picture.pixels), flag()) < 8
    assert difference(opened(picture.large), flag()) < 8
    assert difference(opened(picture.thumbnail), flag()) < 8
    assert len(base64.b64decode(picture.placeholder)) <= 25
    assert picture.exif is None


@pytest.mark.parametrize("kind", WITH_EXIF)
def test_exif_is_read_from_every_format_that_has_it(decoder: PictureDecoder, kind: str) -> None:
    exif = decoder.decode(encoded(flag(), kind, exif=some_exif())).exif
    assert exif
    assert exif.camera_make == "Canon"
    assert exif.taken_at == datetime(2024, 5, 1, 12, 30, tzinfo=UTC)
    assert exif.location == GeoPoint(-33.5, -70.25)


@pytest.mark.parametrize("kind", WITH_EXIF)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_orientation_is_applied_exactly_once(
    decoder: PictureDecoder, kind: str, orientation: int
) -> None:
    inverse = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
    stored = flag()
    if orientation in inverse:
        stored = stored.transpose(Image.Transpose(inverse[orientation]))
    data = encoded(stored, kind, exif=some_exif(orientation))
    picture = decoder.decode(data)
    assert (picture.width, picture.height) == (120, 80)
    for pixels in (picture.pixels, decoder.decode_pixels(data)):
        assert difference(as_image(pixels), flag()) < 8
    for rendition in (picture.large, picture.thumbnail):
        assert difference(opened(rendition), flag()) < 8


@pytest.mark.skipif(not ORIENTATION.is_dir(), reason="the photos in ../shared/data are missing")
@pytest.mark.parametrize("orientation", range(9))
@pytest.mark.parametrize("shape", ["Landscape", "Portrait"])
def test_photos_of_every_orientation_are_decoded_upright(shape: str, orientation: int) -> None:
    decoder = PictureDecoder(PictureLimits(50_000_000, 1), encoder_side=224)
    data = (ORIENTATION / f"{shape}_{orientation}.jpg").read_bytes()
    with Image.open(ORIENTATION / f"{shape}_1.jpg") as file:
        reference = file.convert("RGB")
    picture = decoder.decode(data)
    assert reference.size == (picture.width, picture.height)
    for image in (
        opened(picture.large),
        opened(picture.thumbnail),
        as_image(picture.pixels),
        as_image(decoder.decode_pixels(data)),
    ):
        assert difference(image, reference.resize(image.size)) < 10


def test_renditions_have_no_metadata(decoder: PictureDecoder) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = encoded(flag(), "JPEG", exif=some_exif(6), icc_profile=profile, comment=b"a secret")
    picture = decoder.decode(data)
    for rendition in (picture.large, picture.thumbnail):
        image = opened(rendition)
        assert image.format == "WEBP"
        assert not {"exif", "icc_profile", "xmp", "comment"} & set(image.info)
        assert b"Canon" not in (rendition or b"")


def test_a_multi_picture_file_is_decoded_as_a_jpeg(decoder: PictureDecoder) -> None:
    data = encoded(flag(), "MPO", save_all=True, append_images=[flag((60, 40))])
    picture = decoder.decode(data)
    assert opened(data).format == "MPO"
    assert (picture.content_type, picture.width) == ("image/jpeg", 120)
    assert difference(as_image(picture.pixels), flag()) < 8


def test_exif_of_a_png_is_read_behind_its_pixels_and_from_a_text_chunk(
    decoder: PictureDecoder,
) -> None:
    block = some_exif(6)
    plain = encoded(flag(), "PNG")
    chunk = b"eXIf" + block[6:]
    late = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    text = PngImagePlugin.PngInfo()
    text.add_text("Raw profile type exif", f"\nexif\n{len(block)}\n{block.hex()}", zip=True)
    damaged = PngImagePlugin.PngInfo()
    damaged.add_text("Raw profile type exif", "\nexif\n8\nnot hex", zip=True)
    for data in (plain[:-12] + late + plain[-12:], encoded(flag(), "PNG", pnginfo=text)):
        picture = decoder.decode(data)
        assert picture.exif
        assert picture.exif.camera_make == "Canon"
        assert (picture.width, picture.height) == (80, 120)
    assert decoder.decode(encoded(flag(), "PNG", pnginfo=damaged)).exif is None


def test_an_animation_is_decoded_to_its_first_frame(decoder: PictureDecoder) -> None:
    frames = [Image.new("RGB", (30, 20), (n * 10, 0, 0)) for n in range(1, 6)]
    for kind in ("GIF", "PNG", "WEBP", "AVIF"):
        data = encoded(flag((30, 20)), kind, save_all=True, append_images=frames)
        assert difference(as_image(decoder.decode(data).pixels), flag((30, 20))) < 12


def test_pixels_have_the_size_that_the_encoder_needs(decoder: PictureDecoder) -> None:
    for kind in ("JPEG", "PNG"):
        for size, expected in [
            ((900, 600), (144, 96)),
            ((600, 900), (96, 144)),
            ((90, 60), (90, 60)),
            ((4000, 50), (3072, 38)),
            ((1, 1), (1, 1)),
        ]:
            data = encoded(flag(size), kind)
            for pixels in (decoder.decode_pixels(data), decoder.decode(data).pixels):
                assert expected == (pixels.width, pixels.height)


def test_renditions_of_a_thin_picture_have_at_least_one_row(decoder: PictureDecoder) -> None:
    picture = decoder.decode(encoded(flag((9000, 9)), "PNG"))
    assert opened(picture.thumbnail).size == (320, 1)
    assert opened(picture.large).size == (1600, 2)


@pytest.mark.parametrize(
    ("size", "expected"), [((4000, 50), (400, 50)), ((50, 4000), (50, 400)), ((90, 60), (90, 60))]
)
def test_an_encoder_that_crops_gets_the_middle_of_a_long_picture(
    size: tuple[int, int], expected: tuple[int, int]
) -> None:
    limits = PictureLimits(max_pixels=1_000_000, max_frames=20)
    data = encoded(flag(size), "PNG")
    x, y = (size[0] - expected[0]) // 2, (size[1] - expected[1]) // 2
    middle = flag(size).crop((x, y, x + expected[0], y + expected[1]))
    pixels = PictureDecoder(limits, encoder_side=64, takes_centre_crop=True).decode_pixels(data)
    assert middle.size == (pixels.width, pixels.height)
    assert middle.tobytes() == pixels.rgb


@pytest.mark.parametrize("takes_centre_crop", [False, True])
@pytest.mark.parametrize("size", [(65_535, 66), (66, 65_535), (2_000, 2_000)])
def test_what_leaves_a_decoder_is_bounded_by_the_needs_of_the_encoder(
    size: tuple[int, int],
    takes_centre_crop: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    limits = PictureLimits(max_pixels=50_000_000, max_frames=1)
    decoder = PictureDecoder(limits, encoder_side=64, takes_centre_crop=takes_centre_crop)
    pixels = decoder.decode_pixels(encoded(Image.new("L", size), "PNG"))
    assert len(pixels.rgb) == 3 * pixels.width * pixels.height
    assert len(pixels.rgb) <= 3 * 96 * (8 * 96 if takes_centre_crop else 32 * 96)
