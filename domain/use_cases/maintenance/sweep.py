"""Collecting what crashes and time leave behind."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from domain.entities.filters import EVERYTHING
from domain.entities.searches import MAX_KEPT_SEARCHES, SEARCH_LIFETIME
from domain.entities.storage import parse_key
from domain.errors import Misconfigured, Remedy

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from domain.ports import Catalog, Clock, KeptSearches, Storage

GRACE = timedelta(hours=24)
"""Longer than any upload takes: younger bytes may still get their row."""

CHUNK = 500


logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SweepReport:
    """How much was looked at, and how much of it was removed."""

    objects: int
    removed_objects: int
    removed_searches: int


@dataclass(frozen=True, slots=True)
class Sweep:
    """Remove bytes that no image points at, and searches that have expired."""

    catalog: Catalog
    storage: Storage
    searches: KeptSearches
    clock: Clock

    async def __call__(
        self,
        *,
        force: bool = False,
        progress: Callable[[int], None] = lambda _: None,
    ) -> SweepReport:
        """Tell ``progress`` how many objects have been looked at, now and then.

        Raises Misconfigured, unless ``force``, where the library is empty: more likely
        than that nothing is wanted is that the storage belongs to another database.
        """
        now = self.clock()
        looked_at = removed = 0
        aged: dict[str, UUID] = {}
        async for stored in self.storage.list():
            looked_at += 1
            if stored.modified_at < now - GRACE and (image_id := _image_id(stored.key)):
                aged[stored.key] = image_id
            if len(aged) == CHUNK:
                removed += await self._remove_orphans(aged, force=force)
                aged.clear()
            if looked_at % CHUNK == 0:
                progress(looked_at)
        removed += await self._remove_orphans(aged, force=force)
        progress(looked_at)
        return SweepReport(looked_at, removed, await self.delete_expired_searches())

    async def delete_expired_searches(self) -> int:
        """Remove the searches that have expired or are too many, and return how many they were."""
        return await self.searches.delete_expired(
            self.clock() - SEARCH_LIFETIME, keep=MAX_KEPT_SEARCHES
        )

    async def _remove_orphans(self, aged: dict[str, UUID], *, force: bool) -> int:
        here = await self.catalog.get(list(set(aged.values())))
        orphans = [key for key, image_id in aged.items() if image_id not in here]
        if orphans and not force and not await self.catalog.count(EVERYTHING):
            raise Misconfigured(
                "The library has no image, so every stored file would be deleted."
            ).with_remedy(Remedy.CHECK_STORAGE)
        await self.storage.delete(orphans)
        return len(orphans)


def _image_id(key: str) -> UUID | None:
    """Return whose bytes these are; None for what somebody else put there."""
    try:
        return parse_key(key)[0]
    except ValueError:
        return None
