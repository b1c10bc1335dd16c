"""How long an import will take, by the time that a few of its pictures do."""

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
    """Read, decode and encode some pictures, keep nothing, and return how many a second that is.

    The first is left out of account: it finds everything cold. None where there is no second.
    """

    encoder: Encoder
    imaging: Imaging
    sources: ExternalFiles
    max_bytes: int

    async def __call__(self, sample: Sequence[ListedObject]) -> float | None:
        first, rest = sample[:1], sample[1:]
        if not rest:
            return None
        await self._index(first[0])
        began = time.perf_counter()
        await asyncio.gather(*map(self._index, rest))
        return len(rest) / (time.perf_counter() - began)

    async def _index(self, listed: ListedObject) -> None:
        # What is no picture, or too large, is passed over as quickly by the import.
        with suppress(UploadRefusal, BytesMissing):
            if listed.byte_size <= self.max_bytes:
                picture = await self.imaging.decode(
                    await read_all(await self.sources.open(listed.source))
                )
                await self.encoder.encode_images([picture.pixels])
