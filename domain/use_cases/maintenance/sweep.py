"""Collects garbage: bytes without an image, and expired searches."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from domain.entities.filters import DELETED, EVERYTHING
from domain.entities.searches import MAX_KEPT_SEARCHES, SEARCH_LIFETIME
from domain.entities.storage import parse_key
from domain.errors import Misconfigured, Remedy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from uuid import UUID

    from domain.entities.storage import StoredObject
    from domain.ports import Catalog, Clock, KeptSearches, Storage
    from domain.use_cases.maintenance.claim_storage import ClaimStorage

ORPHAN_GRACE_PERIOD = timedelta(hours=24)
"""Younger bytes are kept: an upload writes them before its row. No upload takes this long."""

SWEEP_BATCH_SIZE = 500
"""How many stored objects are compared with the catalog at a time."""


@dataclass(frozen=True, slots=True)
class SweepReport:
    """The numbers of stored objects, and of deleted objects and searches."""

    objects: int
    removed_objects: int
    removed_searches: int
    kept_objects: int = 0
    """Unreferenced ones from before the storage was claimed."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """Deletes orphaned bytes, which belong to no image, and expired searches."""

    catalog: Catalog
    storage: Storage
    claim_storage: ClaimStorage
    searches: KeptSearches
    clock: Clock

    async def __call__(
        self,
        *,
        force: bool = False,
        progress: Callable[[int], None] = lambda _: None,
    ) -> SweepReport:
        """Delete orphans. ``progress`` is called with the number of objects that are checked.

        Orphans from before the storage was claimed may be another library's: they are kept, unless
        ``force``. Raises Misconfigured where the storage is another library's, and, unless
        ``force``, where the library is empty and storage is not.
        """
        claim = await self.claim_storage()
        since = None if force else claim.unknown_before
        now = self.clock()
        checked = removed = kept = 0
        batch: dict[str, StoredObject] = {}

        async def sweep_batch() -> None:
            nonlocal removed, kept
            orphans = await self._orphans(batch, force=force)
            ours = [key for key in orphans if since is None or batch[key].modified_at >= since]
            await self.storage.delete(ours)
            removed += len(ours)
            kept += len(orphans) - len(ours)
            batch.clear()

        async for stored in self.storage.list():
            checked += 1
            is_old = stored.modified_at < now - ORPHAN_GRACE_PERIOD
            if is_old and _image_id(stored.key):
                batch[stored.key] = stored
            if len(batch) == SWEEP_BATCH_SIZE:
                await sweep_batch()
            if checked % SWEEP_BATCH_SIZE == 0:
                progress(checked)
        await sweep_batch()
        progress(checked)
        return SweepReport(checked, removed, await self.delete_expired_searches(), kept)

    async def delete_expired_searches(self) -> int:
        """Delete searches that have expired or exceed MAX_KEPT_SEARCHES; return their number."""
        return await self.searches.delete_expired(
            self.clock() - SEARCH_LIFETIME, keep=MAX_KEPT_SEARCHES
        )

    async def _orphans(self, keys: Iterable[str], *, force: bool) -> list[str]:
        """Return the keys of objects that belong to no image. Raises Misconfigured."""
        image_ids = {key: parse_key(key)[0] for key in keys}
        existing = await self.catalog.existing_ids(list(set(image_ids.values())))
        orphans = [key for key, image_id in image_ids.items() if image_id not in existing]
        if orphans and not force and not await self._has_images():
            raise Misconfigured(
                "The library has no images, so every stored file would be deleted."
            ).with_remedy(Remedy.CHECK_STORAGE)
        return orphans

    async def _has_images(self) -> bool:
        counts = [await self.catalog.count(each) for each in (EVERYTHING, DELETED)]
        return any(counts)


def _image_id(key: str) -> UUID | None:
    """Return the id of the image that a key belongs to; None for a key of another program."""
    try:
        return parse_key(key)[0]
    except ValueError:
        return None
