"""Hashing the pictures that an earlier version took in, and comparing all, beside the server."""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from domain.errors import BytesMissing, UploadRefusal
from domain.images import Variant

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    from domain import UseCases
    from domain.ports import Duplicates, Imaging, Storage

BATCH = 20

AT_ONCE = 1_000
"""How many images are hashed before others have a turn: minutes' work, compared in seconds."""

PAUSE_SECONDS = 60

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HashImages:
    """Give images without a perceptual hash one, from the original, as if they came in now.

    One after another, in line with the uploads. What was hashed is kept at once, so a stopped run
    goes on. A file that cannot be read is logged and passed over: another start of the server tries
    it again, as what was in the way may have passed.
    """

    imaging: Imaging
    storage: Storage
    duplicates: Duplicates
    _passed: list[UUID] = field(default_factory=list)
    """The last image that was looked at; none where none was."""

    async def __call__(self) -> int:
        """Hash the next that are without, and return how many those were, 0 after the last."""
        count = 0
        while count < AT_ONCE and (
            ids := await self.duplicates.unhashed(
                BATCH, after=self._passed[-1] if self._passed else None
            )
        ):
            for image_id in ids:
                await self._hash(image_id)
                self._passed[:] = [image_id]
            count += len(ids)
        return count

    async def _hash(self, image_id: UUID) -> None:
        try:
            picture = await self.imaging.develop(await self._original(image_id))
        except (UploadRefusal, BytesMissing) as error:
            logger.warning("image %s cannot be compared with others: %r", image_id, error)
            return
        await self.duplicates.keep_hash(
            image_id,
            perceptual_hash=picture.perceptual_hash,
            pixel_sha256=picture.pixel_sha256,
        )

    async def _original(self, image_id: UUID) -> bytes:
        blob = await self.storage.open(Variant.ORIGINAL.key_of(image_id))
        async with aclosing(blob.chunks) as chunks:
            return b"".join([chunk async for chunk in chunks])


async def look_for_duplicates(
    prepared: Callable[[], Sequence[UseCases]], *, every: float = PAUSE_SECONDS
) -> None:
    """Hash and compare what is new, again and again: who asks for duplicates waits little.

    What comes first of ``prepared`` answers; only when all is compared for it, the next has a turn.
    """
    while True:
        try:
            # In turns, or the first who asks would have to wait until all is compared.
            while await _look_once(prepared()):
                pass
        except Exception:  # an outage now is no reason to stop for good
            logger.warning("duplicates could not be looked for; trying again", exc_info=True)
        await asyncio.sleep(every)


async def _look_once(prepared: Sequence[UseCases]) -> bool:
    """Tell whether there was anything left to do."""
    for use_cases in prepared:
        if sum([await use_cases.hash_images(), await use_cases.duplicates.update()]):
            return True
    return False
