"""Postcards as files, drawn once and kept in a folder for the next run."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING

from pictograph.cli.demo import seeds
from postcards.press import Press

if TYPE_CHECKING:
    from pathlib import Path

PRESSES = 2


async def draw(folder: Path, count: int) -> list[Path]:
    """Draw the first postcards that are not there yet, and return the files of all."""
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    files = [folder / f"postcard-{seed:06}.jpg" for seed in itertools.islice(seeds(), count)]
    missing = iter([file for file in files if not file.exists()])
    async with Press.open(PRESSES) as press:

        async def draw_on() -> None:
            for file in missing:
                data = await press.postcard(int(file.stem.partition("-")[2]))
                unfinished = file.with_suffix(".part")
                unfinished.write_bytes(data)
                unfinished.rename(file)

        await asyncio.gather(*(draw_on() for _ in range(PRESSES)))
    return files
