"""``python -m benchmarks.memory``: the memory of a server under thousands of uploads.

It uploads 12-megapixel pictures with eight clients, and prints the memory of the server's processes
(PSS) after each part. No two files are equal: each has a comment of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from benchmarks.encoder_process import CACHE
from benchmarks.http_load import run_load
from benchmarks.photos import cached_photos, with_comment
from benchmarks.systems import check_stored, run_pictograph
from benchmarks.true_size_model import cached_checkpoint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.http_load import Request
    from benchmarks.systems import System

PHOTOS = 32
CLIENTS = 8
UPLOADS = 5_000
UPLOADS_PER_PART = 250
MAX_PART_SECONDS = 600.0
IDLE_SECONDS = 20.0


def uploads(system: System, photos: list[Path], *, start: int, count: int) -> Iterator[Request]:
    """Yield uploads, each of another file."""
    for number in range(start, start + count):
        photo = photos[number % len(photos)]
        data = with_comment(photo.read_bytes(), f"upload {number}")
        yield system.upload(f"{number}.jpg", data)


async def measure(checkpoint: Path, photos: list[Path], count: int, console: Console) -> None:
    """Upload pictures to a new library, and print the memory after each part."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        settings: dict[str, object] = {"model": checkpoint, "data_dir": Path(folder, "data")}
        with run_pictograph(settings) as server:
            for start in range(0, count, UPLOADS_PER_PART):
                await server.tree.wait_until_idle(seconds=IDLE_SECONDS)
                console.print(f"{start:6,} uploads: {server.tree.pss_megabytes():6,.0f} MB")
                await run_load(
                    server.url,
                    uploads(
                        server, photos, start=start, count=min(UPLOADS_PER_PART, count - start)
                    ),
                    clients=CLIENTS,
                    seconds=MAX_PART_SECONDS,
                    check=check_stored,
                )
            await server.tree.wait_until_idle(seconds=IDLE_SECONDS)
            console.print(f"{count:6,} uploads: {server.tree.pss_megabytes():6,.0f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__)
    parser.add_argument("--uploads", type=int, default=UPLOADS, metavar="N")
    options = parser.parse_args()
    console = Console(highlight=False)
    with console.status("checkpoint and pictures"):
        checkpoint = cached_checkpoint(CACHE / "b32")
        photos = cached_photos(CACHE / "photos", range(PHOTOS))
    asyncio.run(measure(checkpoint, photos, options.uploads, console))


if __name__ == "__main__":
    main()
