"""Hamming distances of perceptual hashes, and the digests of pixels."""

from __future__ import annotations

import io
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance, PngImagePlugin

from domain.entities.images import FLAT
from domain.entities.near_duplicates import NEAR_DISTANCE, hamming
from infra.pillow.decode import PictureDecoder
from infra.pillow.picture_files import PictureLimits
from postcards.painting.postcard import paint
from postcards.scenes import compose
from tests.pictures import some_exif

if TYPE_CHECKING:
    from collections.abc import Callable

    from domain.entities.images import Picture

DATA = Path("../shared/data")
PHOTOS = [*sorted(DATA.glob("gps/*.jpg")), *sorted(DATA.glob("orientation/*_1.jpg"))]
ORIENTATION = DATA / "orientation"


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def decoded(data: bytes) -> Picture:
    return PictureDecoder(PictureLimits(50_000_000, 10), encoder_side=72).decode(data)


def distance(one: bytes, other: bytes) -> int:
    return hamming(decoded(one).perceptual_hash, decoded(other).perceptual_hash)


@pytest.fixture(scope="module")
def postcards() -> list[Image.Image]:
    return [paint(compose(seed), (240, 160)) for seed in range(8)]


def reduced(image: Image.Image, factor: int) -> Image.Image:
    return image.resize((image.width // factor, image.height // factor), Image.Resampling.LANCZOS)


def cropped(image: Image.Image) -> Image.Image:
    """The picture without 1 % on each side."""
    x, y = image.width // 100, image.height // 100
    return image.crop((x, y, image.width - x, image.height - y))


@pytest.mark.parametrize(
    ("change", "max_distance"),
    [
        (lambda image: encoded(image, "WEBP", lossless=True), 0),
        (lambda image: encoded(image, "JPEG", quality=95), 4),
        (lambda image: encoded(image, "JPEG", quality=75), 8),
        (lambda image: encoded(image, "JPEG", quality=50), 14),
        (lambda image: encoded(reduced(image, 2), "PNG"), 4),
        (lambda image: encoded(reduced(image, 4), "PNG"), 10),
        (lambda image: encoded(ImageEnhance.Brightness(image).enhance(1.1), "PNG"), 16),
        (lambda image: encoded(cropped(image), "PNG"), NEAR_DISTANCE),
    ],
    ids=["lossless", "95", "75", "50", "half", "quarter", "brighter", "cropped"],
)
def test_hashes_of_one_pictures_files_differ_in_few_bits(
    postcards: list[Image.Image], change: Callable[[Image.Image], bytes], max_distance: int
) -> None:
    photos = [Image.open(photo).convert("RGB") for photo in PHOTOS[:3]]
    for image in (*postcards, *photos):
        assert distance(encoded(image, "PNG"), change(image)) <= max_distance


def test_hashes_of_two_pictures_differ_in_many_bits(postcards: list[Image.Image]) -> None:
    files = [encoded(image, "PNG") for image in postcards] + [p.read_bytes() for p in PHOTOS[-2:]]
    hashes = [decoded(file).perceptual_hash for file in files]
    assert min(hamming(one, other) for one, other in combinations(hashes, 2)) > 2 * NEAR_DISTANCE


@pytest.mark.parametrize("name", ["Landscape", "Portrait"])
def test_the_hash_does_not_depend_on_the_exif_orientation(name: str) -> None:
    if not ORIENTATION.exists():
        pytest.skip(f"the photos in {ORIENTATION} are missing: a clone does not have them")
    upright, *others = (
        (ORIENTATION / f"{name}_{orientation}.jpg").read_bytes() for orientation in range(1, 9)
    )
    assert max(distance(upright, other) for other in others) <= 4


def noise(strength: float) -> Image.Image:
    values = np.random.default_rng(0).normal(240, strength, (240, 360, 3))
    return Image.fromarray(values.clip(0, 255).astype(np.uint8))


def gradient(last: int) -> Image.Image:
    row = np.linspace(0, last, 360)[None, :, None]
    return Image.fromarray(np.broadcast_to(row, (240, 360, 3)).astype(np.uint8))


@pytest.mark.parametrize(
    "image",
    [
        Image.new("RGB", (360, 240)),
        Image.new("RGB", (360, 240), "white"),
        Image.new("RGB", (1, 1), "red"),
        noise(3),
        gradient(255),
        gradient(10),
    ],
    ids=["black", "white", "a pixel", "noise", "a gradient", "a weak gradient"],
)
def test_pictures_without_structure_have_the_flat_hash_in_every_encoding(
    image: Image.Image,
) -> None:
    for file in (encoded(image, "PNG"), encoded(image, "JPEG", quality=75)):
        assert FLAT == decoded(file).perceptual_hash


def test_a_page_of_text_does_not_have_the_flat_hash() -> None:
    page = Image.new("RGB", (600, 800), "white")
    for line in range(30):
        text = "Of the perceptual hash of pages " * 3
        ImageDraw.Draw(page).text((50, 50 + 24 * line), text, fill="black")
    assert FLAT != decoded(encoded(page, "PNG")).perceptual_hash


def test_lossless_files_of_one_picture_have_equal_pixel_digests(
    postcards: list[Image.Image],
) -> None:
    image = postcards[0]
    metadata = PngImagePlugin.PngInfo()
    metadata.add_text("Comment", "a copy")
    opaque = image.convert("RGBA")
    files = [
        encoded(image, "PNG"),
        encoded(image, "PNG", compress_level=1),
        encoded(image, "PNG", pnginfo=metadata, exif=some_exif()),
        encoded(image, "WEBP", lossless=True),
        encoded(image, "BMP"),
        encoded(image, "TIFF"),
        encoded(opaque, "PNG"),
    ]
    assert len(set(files)) == len(files)
    assert 1 == len({decoded(file).pixel_sha256 for file in files})
    assert 1 == len({decoded(file).perceptual_hash for file in files})


def test_the_metadata_of_a_jpeg_does_not_change_its_pixel_digest(
    postcards: list[Image.Image],
) -> None:
    bare = encoded(postcards[1], "JPEG")
    with_metadata = encoded(postcards[1], "JPEG", exif=some_exif(), comment="a copy")
    assert bare != with_metadata
    assert decoded(bare).pixel_sha256 == decoded(with_metadata).pixel_sha256


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize(
    "size", [(3_840, 2_160), (3_200, 2_133), (2_303, 3_455), (6_450, 800), (8_000, 1_000)]
)
def test_hashes_do_not_depend_on_the_encoder(kind: str, size: tuple[int, int]) -> None:
    small = Image.effect_noise((size[0] // 5, size[1] // 5), 90)
    data = encoded(small.resize(size).convert("RGB"), kind)
    limits = PictureLimits(50_000_000, 10)
    pictures = [PictureDecoder(limits, side).decode(data) for side in (64, 224, 336, 384, 512)]
    assert 1 == len({picture.pixel_sha256 for picture in pictures})
    assert 1 == len({picture.perceptual_hash for picture in pictures})
    assert 1 == len({picture.large for picture in pictures})


def test_slightly_different_pixels_have_different_digests(postcards: list[Image.Image]) -> None:
    image = postcards[2]
    marked = image.copy()
    marked.putpixel((100, 100), (1, 2, 3))
    others = [
        encoded(marked, "PNG"),
        encoded(image, "JPEG", quality=95),
        encoded(reduced(image, 2), "PNG"),
    ]
    digests = {decoded(file).pixel_sha256 for file in (encoded(image, "PNG"), *others)}
    assert 4 == len(digests)
    assert distance(encoded(image, "PNG"), encoded(marked, "PNG")) <= 2


def test_the_pixel_digest_depends_on_the_size() -> None:
    sizes = [(6, 4), (4, 6), (24, 1), (12, 2)]
    black = [decoded(encoded(Image.new("RGB", size), "PNG")).pixel_sha256 for size in sizes]
    assert len(sizes) == len(set(black))
