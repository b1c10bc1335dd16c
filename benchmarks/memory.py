"""``python -m benchmarks.memory``: the memory of a server under thousands of uploads.

It uploads 12-megapixel pictures with eight clients, and prints the memory of the server's processes
(PSS) after each part. No two files are equal: each has a comment of its own. ``--small`` uploads
small pictures of other colours each to the bundled model instead.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from rich.console import Console

from benchmarks.encoder_process import CACHE
from benchmarks.http_load import run_load
from benchmarks.photos import cached_photos, with_comment
from benchmarks.systems import check_stored, run_pictograph
from benchmarks.true_size_model import cached_checkpoint
from postcards import MODEL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.http_load import Request
    from benchmarks.systems import System

PHOTOS = 32
SMALL_SIZE = (640, 480)
CLIENTS = 8
UPLOADS = 5_000
UPLOADS_PER_PART = 250
MAX_PART_SECONDS = 600.0
IDLE_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Pictures:
    """The model of the server, and the pictures that it gets."""

    model: Path
    file_of: Callable[[int], bytes]
    """Returns a file by its number. No two are equal."""


def large_pictures() -> Pictures:
    """Return pictures of 12 megapixels, for the model of true size."""
    photos = cached_photos(CACHE / "photos", range(PHOTOS))

    def file_of(number: int) -> bytes:
        return with_comment(photos[number % PHOTOS].read_bytes(), f"upload {number}")

    return Pictures(cached_checkpoint(CACHE / "b32"), file_of)


def small_pictures() -> Pictures:
    """Return small pictures for the bundled model. No two are near duplicates."""
    return Pictures(MODEL, make_small_picture)


def make_small_picture(number: int) -> bytes:
    """Return the file of a picture of a few random colours, which is made in milliseconds."""
    colours = np.random.default_rng(number).integers(0, 256, (6, 8, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(colours).resize(SMALL_SIZE).save(file, "JPEG")
    return file.getvalue()


def uploads(system: System, pictures: Pictures, *, start: int, count: int) -> Iterator[Request]:
    """Yield uploads, each of another file."""
    for number in range(start, start + count):
        yield system.upload(f"{number}.jpg", pictures.file_of(number))


async def measure(pictures: Pictures, count: int, part: int, console: Console) -> None:
    """Upload pictures to a new library, and print the memory after each part."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        settings: dict[str, object] = {"model": pictures.model, "data_dir": Path(folder, "data")}
        with run_pictograph(settings) as server:
            for start in range(0, count, part):
                await show_memory(server, start, console)
                await run_load(
                    server.url,
                    uploads(server, pictures, start=start, count=min(part, count - start)),
                    clients=CLIENTS,
                    seconds=MAX_PART_SECONDS,
                    check=check_stored,
                )
            await show_memory(server, count, console)


async def show_memory(server: System, count: int, console: Console) -> None:
    """Print the memory of an idle server after so many uploads."""
    await server.tree.wait_until_idle(seconds=IDLE_SECONDS)
    by_name = server.tree.pss_megabytes_by_name()
    each = ", ".join(f"{name} {megabytes:,.0f}" for name, megabytes in sorted(by_name.items()))
    console.print(f"{count:6,} uploads: {sum(by_name.values()):6,.0f} MB ({each})")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__)
    parser.add_argument("--uploads", type=int, default=UPLOADS, metavar="N")
    parser.add_argument("--part", type=int, default=UPLOADS_PER_PART, metavar="N")
    parser.add_argument("--small", action="store_true", help="small pictures for the bundled model")
    options = parser.parse_args()
    console = Console(highlight=False)
    with console.status("checkpoint and pictures"):
        pictures = small_pictures() if options.small else large_pictures()
    asyncio.run(measure(pictures, options.uploads, options.part, console))


if __name__ == "__main__":
    main()
