"""Estimates the rate of an import by indexing a sample."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from domain.errors import BytesMissing, UploadRefusal
from domain.use_cases.library.read import read_all

if TYPE_CHECKING:
    from collections.abc import Sequence

    from domain.entities.external_objects import ListedObject
    from domain.ports import Encoder, ExternalFiles, Imaging


@dataclass(frozen=True, slots=True)
class EstimateImport:
    """Reads, decodes and encodes a sample, stores nothing, and returns the objects per second.

    The first object warms up and is not measured. Returns None for a sample of fewer than two.
    """

    encoder: Encoder
    imaging: Imaging
    external_files: ExternalFiles
    max_bytes: int

    async def __call__(self, sample: Sequence[ListedObject]) -> float | None:
        first, rest = sample[:1], sample[1:]
        if not rest:
            return None
        await self._index(first[0])
        started_at = time.perf_counter()
        await asyncio.gather(*map(self._index, rest))
        return len(rest) / (time.perf_counter() - started_at)

    async def _index(self, listed: ListedObject) -> None:
        # An import refuses unacceptable files as quickly.
        with suppress(UploadRefusal, BytesMissing):
            if listed.byte_size <= self.max_bytes:
                picture = await self.imaging.decode(
                    await read_all(await self.external_files.open(listed.source))
                )
                await self.encoder.encode_images([picture.pixels])
