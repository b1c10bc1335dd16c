"""Embedding a picture while its renditions are made."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from domain.errors import InvalidContent, Overloaded
from domain.use_cases.uploads.decode_and_embed import decode_and_embed
from tests.fakes.imaging import FakeImaging, picture_file

if TYPE_CHECKING:
    from collections.abc import Callable

    from domain.entities.embeddings import Embedding
    from domain.entities.images import Picture, Pixels

RED = picture_file((255, 0, 0))


@dataclass
class SlowImaging(FakeImaging):
    """Makes the renditions once the gate is open, or fails then."""

    gate: asyncio.Event = field(default_factory=asyncio.Event)
    failure: Exception | None = None
    finished: int = 0

    async def decode(
        self,
        data: bytes,
        *,
        with_large: bool = True,
        on_pixels: Callable[[Pixels], object] | None = None,
    ) -> Picture:
        picture = await super().decode(data, with_large=with_large, on_pixels=on_pixels)
        await self.gate.wait()
        if self.failure:
            raise self.failure
        self.finished += 1
        return picture


@pytest.mark.parametrize("with_large", [False, True])
async def test_the_encoder_runs_before_the_renditions_are_made(*, with_large: bool) -> None:
    imaging = SlowImaging()
    embedded: list[Pixels] = []

    async def embed(pixels: Pixels) -> Embedding:
        embedded.append(pixels)
        # The renditions wait for the encoder: in the other order this would wait without end.
        imaging.gate.set()
        return (1.0, 0.0)

    picture, embedding = await decode_and_embed(imaging, embed, RED, with_large=with_large)
    assert (1.0, 0.0) == embedding
    assert [picture.pixels] == embedded
    assert with_large is (picture.large is not None)


async def test_a_failure_of_the_encoder_is_raised_once_the_picture_is_decoded() -> None:
    imaging = SlowImaging()

    async def refuse(_: Pixels) -> Embedding:
        imaging.gate.set()
        raise Overloaded("Too many pictures.")

    with pytest.raises(Overloaded):
        await decode_and_embed(imaging, refuse, RED, with_large=False)
    assert 1 == imaging.finished


@pytest.mark.parametrize("is_cancelled", [False, True])
async def test_the_encoder_is_cancelled_when_decoding_fails_or_is_cancelled(
    *, is_cancelled: bool
) -> None:
    imaging = SlowImaging(failure=InvalidContent("This picture is damaged."))
    started, cancelled = asyncio.Event(), asyncio.Event()

    async def wait(_: Pixels) -> Embedding:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        raise AssertionError

    running = asyncio.create_task(decode_and_embed(imaging, wait, RED, with_large=False))
    await started.wait()
    if is_cancelled:
        running.cancel()
    imaging.gate.set()
    with pytest.raises(asyncio.CancelledError if is_cancelled else InvalidContent):
        await running
    assert cancelled.is_set()
