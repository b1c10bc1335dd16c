"""Embeddings of pictures decoded at a reduced scale, compared with those at full size."""

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
from infra.pillow.picture_files import PictureLimits
from tests.checkpoints import full_size_clip, small_clip, small_naflex, small_siglip

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


def test_different_pictures_have_different_embeddings(encoder: DualEncoder) -> None:
    red = Pixels(64, 64, bytes((220, 30, 30)) * 64 * 64)
    one, other = encoder.encode_images(
        [encoder.preprocess(red), encoder.preprocess(decode_full_size(large_photo()))]
    )
    assert float(np.array(one) @ np.array(other)) < 0.98
