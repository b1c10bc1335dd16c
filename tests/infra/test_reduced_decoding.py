"""What is derived from pictures decoded at a reduced scale, compared with that at full size."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from domain.entities.images import LARGE_SIDE, Pixels
from domain.entities.near_duplicates import NEAR_DISTANCE, hamming
from infra.clip import checkpoint
from infra.pillow import renditions
from infra.pillow.decode import PictureDecoder
from infra.pillow.perceptual_hash import perceptual_hash
from infra.pillow.picture_files import PictureLimits
from tests.checkpoints import full_size_clip, small_clip, small_naflex, small_siglip
from tests.pictures import difference, opened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from infra.clip.dual_encoder import DualEncoder

SHARED = Path("../shared/data")
PHOTOS = sorted(SHARED.glob("gps/DSCN00?0.jpg")) + sorted(SHARED.glob("orientation/*_6.jpg"))


@pytest.fixture(scope="module", params=["small", "full-size"])
def encoder(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> DualEncoder:
    folder = tmp_path_factory.mktemp("checkpoint")
    make = small_clip if request.param == "small" else full_size_clip
    _, dual = checkpoint.load(str(make(folder)), device=torch.device("cpu"), dtype=torch.float32)
    return dual


def decode_full_size(data: bytes) -> Pixels:
    with Image.open(io.BytesIO(data)) as file:
        image = ImageOps.exif_transpose(file).convert("RGB")
    return Pixels(image.width, image.height, image.tobytes())


def large_photo(width: int = 4032, height: int = 3024) -> bytes:
    """A JPEG, of 12 megapixels unless another size is given, with structure at every scale."""
    noise = np.random.default_rng(0)
    picture = np.zeros((height, width, 3))
    for cells in (6, 24, 96, 384):
        grid = noise.integers(0, 255, (cells, cells, 3), dtype=np.uint8)
        layer = Image.fromarray(grid).resize((width, height), Image.Resampling.BICUBIC)
        picture += np.asarray(layer) / 4
    file = io.BytesIO()
    Image.fromarray(picture.astype(np.uint8)).save(file, "JPEG", quality=90)
    return file.getvalue()


def derived_at_full_size(data: bytes) -> Image.Image:
    """The picture from which LARGE was made before decoding was reduced."""
    pixels = decode_full_size(data)
    image = Image.frombytes("RGB", (pixels.width, pixels.height), pixels.rgb)
    image.thumbnail((LARGE_SIDE, LARGE_SIDE), Image.Resampling.LANCZOS)
    return image


def nibbles(placeholder: str) -> list[int]:
    return [int(digit, 16) for digit in base64.b64decode(placeholder).hex()]


def cosines(encoder: DualEncoder, files: list[bytes]) -> Iterator[float]:
    decoder = PictureDecoder(
        PictureLimits(50_000_000, 1), encoder.input_side, encoder.takes_centre_crop
    )
    for data in files:
        inputs = [decode_full_size(data), decoder.decode_pixels(data), decoder.decode(data).pixels]
        full_size, decoded_pixels, decoded = np.array(
            encoder.encode_images([encoder.preprocess(pixels) for pixels in inputs])
        )
        yield float(full_size @ decoded_pixels)
        yield float(full_size @ decoded)


@pytest.mark.skipif(not PHOTOS, reason="the photos in ../shared/data are missing")
def test_photos_decoded_at_a_reduced_scale_keep_their_embedding(
    encoder: DualEncoder,
) -> None:
    worst = min(cosines(encoder, [photo.read_bytes() for photo in PHOTOS]))
    assert worst >= 0.995


def test_a_large_picture_decoded_at_a_reduced_scale_keeps_its_embedding(
    encoder: DualEncoder,
) -> None:
    assert min(cosines(encoder, [large_photo()])) >= 0.995


@pytest.mark.parametrize(
    ("make", "ratio"),
    [(small_clip, 25), (small_clip, 300), (small_siglip, 25), (small_naflex, 300)],
)
def test_a_long_picture_keeps_its_embedding(
    make: Callable[[Path], Path], ratio: int, tmp_path: Path
) -> None:
    folder = str(make(tmp_path))
    _, dual = checkpoint.load(folder, device=torch.device("cpu"), dtype=torch.float32)
    assert min(cosines(dual, [large_photo(120 * ratio, 120)])) >= 0.995


@pytest.fixture(params=["large", "tall", *(photo.name for photo in PHOTOS)])
def photo(request: pytest.FixtureRequest) -> bytes:
    if request.param == "large":
        return large_photo()
    if request.param == "tall":
        return large_photo(1111, 7001)
    return next(photo for photo in PHOTOS if photo.name == request.param).read_bytes()


@pytest.mark.parametrize("encoder_side", [64, 224])
def test_hash_and_placeholder_hardly_differ_from_those_at_full_size(
    photo: bytes, encoder_side: int
) -> None:
    reference = derived_at_full_size(photo)
    picture = PictureDecoder(PictureLimits(50_000_000, 1), encoder_side).decode(photo)
    assert hamming(perceptual_hash(reference), picture.perceptual_hash) <= NEAR_DISTANCE // 3
    placeholder = renditions.placeholder(reference)
    pairs = zip(nibbles(placeholder), nibbles(picture.placeholder), strict=True)
    # The mean of a coefficient's steps: the whole of a nibble is 15 of them.
    assert sum(abs(one - other) for one, other in pairs) / len(nibbles(placeholder)) <= 1


def test_renditions_hardly_differ_from_those_at_full_size(photo: bytes) -> None:
    reference = derived_at_full_size(photo)
    picture = PictureDecoder(PictureLimits(50_000_000, 1), 224).decode(photo)
    for data, effort in (
        (picture.large, renditions.LARGE_EFFORT),
        (picture.thumbnail, renditions.THUMBNAIL_EFFORT),
    ):
        rendition = opened(data)
        small = reference.resize(rendition.size, Image.Resampling.LANCZOS, reducing_gap=3)
        # WebP blurs the colours of noise: what it makes of the reference is as far from it.
        lossy = opened(renditions.encode_webp(small, effort))
        assert difference(rendition, small) < difference(lossy, small) + 2


def test_the_digest_of_pixels_does_not_depend_on_the_encoder() -> None:
    limits = PictureLimits(50_000_000, 1)
    photo, sides = large_photo(), (16, 72, 224)
    assert 1 == len({PictureDecoder(limits, side).decode(photo).pixel_sha256 for side in sides})


def test_different_pictures_have_different_embeddings(encoder: DualEncoder) -> None:
    red = Pixels(64, 64, bytes((220, 30, 30)) * 64 * 64)
    one, other = encoder.encode_images(
        [encoder.preprocess(red), encoder.preprocess(decode_full_size(large_photo()))]
    )
    assert float(np.array(one) @ np.array(other)) < 0.98
