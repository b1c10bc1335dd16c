"""Decodes a file and embeds it: the encoder runs while the renditions are made."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from domain.entities.embeddings import Embedding
    from domain.entities.images import Picture, Pixels
    from domain.ports import Imaging


async def decode_and_embed(
    imaging: Imaging,
    embed: Callable[[Pixels], Coroutine[None, None, Embedding]],
    data: bytes,
    *,
    with_large: bool,
) -> tuple[Picture, Embedding]:
    """Return the decoded picture and its embedding.

    Raises what ``imaging`` or ``embed`` raises. The failure of ``embed`` is raised once the picture
    is decoded: a decoder whose caller goes away is killed.
    """
    tasks: list[asyncio.Task[Embedding]] = []
    try:
        picture = await imaging.decode(
            data,
            with_large=with_large,
            on_pixels=lambda pixels: tasks.append(asyncio.create_task(embed(pixels))),
        )
        [embedding] = tasks
        return picture, await embedding
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
