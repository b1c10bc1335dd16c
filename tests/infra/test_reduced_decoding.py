"""What an encoder makes of pictures decoded no further than it needs."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from domain.entities.images import Pixels
from infra.clip import checkpoint
from infra.pillow.decode import PictureDecoder
from infra.pillow.picture_files import Bounds
from tests.checkpoints import small_clip, true_clip

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.clip.dual_encoder import DualEncoder

SHARED = Path("../shared/data")
PHOTOS = sorted(SHARED.glob("gps/DSCN00?0.jpg")) + sorted(SHARED.glob("orientation/*_6.jpg"))


@pytest.fixture(scope="module", params=["small", "true"])
def encoder(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> DualEncoder:
    folder = tmp_path_factory.mktemp("checkpoint")
    make = small_clip if request.param == "small" else true_clip
    _, dual = checkpoint.load(str(make(folder)), device=torch.device("cpu"), dtype=torch.float32)
    return dual


def decoded_whole(data: bytes) -> Pixels:
    with Image.open(io.BytesIO(data)) as file:
        image = ImageOps.exif_transpose(file).convert("RGB")
    return Pixels(image.width, image.height, image.tobytes())


def large_photo() -> bytes:
    """A JPEG of 12 megapixels with structure at every scale."""
    noise = np.random.default_rng(0)
    picture = np.zeros((3024, 4032, 3))
    for cells in (6, 24, 96, 384):
        grid = noise.integers(0, 255, (cells, cells, 3), dtype=np.uint8)
        layer = Image.fromarray(grid).resize((4032, 3024), Image.Resampling.BICUBIC)
        picture += np.asarray(layer) / 4
    file = io.BytesIO()
    Image.fromarray(picture.astype(np.uint8)).save(file, "JPEG", quality=90)
    return file.getvalue()


def cosines(encoder: DualEncoder, files: list[bytes]) -> Iterator[float]:
    decoder = PictureDecoder(Bounds(50_000_000, 1), encoder.input_side)
    for data in files:
        seen = [decoded_whole(data), decoder.decode_pixels(data), decoder.decode(data).pixels]
        whole, decoded, developed = np.array(
            encoder.encode_images([encoder.prepare(pixels) for pixels in seen])
        )
        yield float(whole @ decoded)
        yield float(whole @ developed)


@pytest.mark.skipif(not PHOTOS, reason="the photos of ../shared/data are not here")
def test_photos_decoded_at_a_reduced_scale_are_embedded_as_if_they_were_whole(
    encoder: DualEncoder,
) -> None:
    worst = min(cosines(encoder, [photo.read_bytes() for photo in PHOTOS]))
    assert worst >= 0.995


def test_a_large_picture_decoded_at_a_reduced_scale_is_embedded_as_if_it_were_whole(
    encoder: DualEncoder,
) -> None:
    assert min(cosines(encoder, [large_photo()])) >= 0.995


def test_different_pictures_are_told_apart(encoder: DualEncoder) -> None:
    red = Pixels(64, 64, bytes((220, 30, 30)) * 64 * 64)
    one, other = encoder.encode_images(
        [encoder.prepare(red), encoder.prepare(decoded_whole(large_photo()))]
    )
    assert float(np.array(one) @ np.array(other)) < 0.98
