"""Postcards as JPEG files, rendered once and kept in a folder for the next run."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING

from pictograph.cli.demo import seeds
from postcards.renderer_pool import RendererPool

if TYPE_CHECKING:
    from pathlib import Path

RENDERER_PROCESSES = 2


async def render_files(folder: Path, count: int) -> list[Path]:
    """Render those of the first ``count`` postcards that are missing; return all their files."""
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    files = [folder / f"postcard-{seed:06}.jpg" for seed in itertools.islice(seeds(), count)]
    missing = iter([file for file in files if not file.exists()])
    async with RendererPool.open(RENDERER_PROCESSES) as renderers:

        async def render_missing() -> None:
            for file in missing:
                data = await renderers.render(int(file.stem.partition("-")[2]))
                unfinished = file.with_suffix(".part")
                unfinished.write_bytes(data)
                unfinished.rename(file)

        await asyncio.gather(*(render_missing() for _ in range(RENDERER_PROCESSES)))
    return files
