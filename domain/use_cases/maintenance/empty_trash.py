"""Deletes images for good that were in the trash for their time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from domain.entities.images import Variant
from domain.entities.trash import DEFAULT_TRASH_LIFETIME, TRASH_BATCH_SIZE

if TYPE_CHECKING:
    from datetime import timedelta

    from domain.ports import Clock, Storage, Trash


@dataclass(frozen=True, slots=True)
class EmptyTrash:
    """Deletes expired images of the trash with their files, and returns their number.

    Images that are in the trash as missing are left to the next import of their place.
    """

    trash: Trash
    storage: Storage
    clock: Clock
    trash_lifetime: timedelta = DEFAULT_TRASH_LIFETIME

    async def __call__(self) -> int:
        before = self.clock() - self.trash_lifetime
        count = 0
        while deleted := await self.trash.delete_expired(before, limit=TRASH_BATCH_SIZE):
            # Rows first, bytes second: a crash between the two leaves bytes that a sweep collects.
            await self.storage.delete(Variant.keys_of(deleted))
            count += len(deleted)
        return count
