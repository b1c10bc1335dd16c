"""Pictures of 12 megapixels as JPEG files of about 2.9 MB: postcards with the noise of a camera."""

from __future__ import annotations

import io
import os
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from postcards.painting.postcard import draw
from postcards.pictures import FORKSERVER

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

SIZE = (4000, 3000)
PAINTED_SIZE = (800, 600)
"""The size at which the postcard is painted. Painting at the full size takes seconds."""

NOISE = 10
"""The largest difference of a pixel's brightness. It sets the size of the file."""

JPEG_QUALITY = 90


def make_photo(number: int, size: tuple[int, int] = SIZE) -> bytes:
    """Return the file of a picture. Each number gives another one, in every run the same."""
    _, painted = draw(number, PAINTED_SIZE)
    picture = np.asarray(painted.resize(size, Image.Resampling.BICUBIC))
    noise = np.random.default_rng(number).integers(-NOISE, NOISE + 1, (size[1], size[0], 1), "i2")
    # Neighbours share noise, as after the demosaicing of a camera.
    noise = (noise + np.roll(noise, 1, axis=1)) // 2
    noisy = np.clip(picture + noise, 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(noisy).save(file, "JPEG", quality=JPEG_QUALITY)
    return file.getvalue()


def with_comment(data: bytes, words: str) -> bytes:
    """Return a JPEG file with a comment right after its start, which changes no pixel."""
    comment = words.encode()
    length = (len(comment) + 2).to_bytes(2)
    return data[:2] + b"\xff\xfe" + length + comment + data[2:]


def write_photo(folder: Path, number: int) -> Path:
    """Write the file of a picture unless it exists, and return its path."""
    file = folder / f"photo-{number:05}.jpg"
    if not file.exists():
        unfinished = file.with_suffix(".part")
        unfinished.write_bytes(make_photo(number))
        unfinished.rename(file)
    return file


def cached_photos(folder: Path, numbers: Iterable[int]) -> list[Path]:
    """Return the files of pictures. The missing ones are made by a process for each core."""
    folder.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(os.cpu_count(), mp_context=FORKSERVER) as processes:
        return list(processes.map(partial(write_photo, folder), numbers))
