"""Keeps searches in the database, and in memory while the database accepts no changes."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from domain.errors import Overloaded, SearchExpired, Unavailable

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from domain.entities.searches import KeptSearch
    from domain.ports import KeptSearches

MAX_SEARCHES_IN_MEMORY = 200
"""About 30 MB. The oldest one is dropped for a new one."""

SAVE_SECONDS = 2.0
"""How long a search waits until it is saved."""

NOT_SAVED = (Unavailable, Overloaded, TimeoutError)
"""What keeps a search in memory."""

EXPIRED = "This search has expired; search again."

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Unsaved:
    """A search in memory, whose hits were given out."""

    search: KeptSearch
    stored_depth: int | None
    """The depth that the database has or lacks; None where another version is stored there."""


@dataclass(frozen=True, slots=True)
class KeepSearches:
    """Saves and loads searches. Searching is reading: it goes on while nothing can be saved.

    A search that was kept in memory can be continued on this server only, until it restarts, or
    until the database accepts it when it is deepened. The database has the last word: a version in
    memory that another server did not continue has expired.
    """

    searches: KeptSearches
    save_seconds: float = SAVE_SECONDS
    _in_memory: OrderedDict[UUID, _Unsaved] = field(default_factory=OrderedDict)

    async def save(self, search: KeptSearch) -> None:
        """Save a search, in memory where the database does not save it in time."""
        try:
            async with asyncio.timeout(self.save_seconds):
                await self.searches.save(search)
        except NOT_SAVED as outage:
            # It may be saved all the same, and be deepened by another server then.
            self._keep_in_memory(_Unsaved(search, search.depth), outage)

    async def deepen(self, search: KeptSearch, *, known_depth: int) -> bool:
        """Save a deepened search, unless another caller deepened it first; return whether."""
        before = self._in_memory.get(search.id)
        if before is not None:
            if before.stored_depth is None or not search.continues(before.search):
                return False
            known_depth = before.stored_depth
        try:
            async with asyncio.timeout(self.save_seconds):
                is_stored = await self.searches.deepen(search, known_depth=known_depth)
        except NOT_SAVED as outage:
            return self._deepen_in_memory(_Unsaved(search, known_depth), outage)
        # Another caller may have deepened it in memory meanwhile.
        unsaved = self._in_memory.get(search.id)
        if unsaved is None:
            return is_stored
        if is_stored and search.continues(unsaved.search):
            del self._in_memory[search.id]
            return True
        self._in_memory[search.id] = replace(unsaved, stored_depth=None)
        return False

    async def load(self, search_id: UUID, *, since: datetime) -> KeptSearch:
        """Return a search. Raises SearchExpired.

        It has expired where it was made before ``since``, or where the database has a version that
        contradicts the one whose hits were given out here.
        """
        unsaved = self._in_memory.get(search_id)
        if unsaved is None or unsaved.stored_depth is None:
            return self._joined(await self.searches.load(search_id, since=since))
        if unsaved.search.created_at < since:
            raise SearchExpired(EXPIRED)
        try:
            async with asyncio.timeout(self.save_seconds):
                stored = await self.searches.load(search_id, since=since)
        except (*NOT_SAVED, SearchExpired):
            return unsaved.search
        return self._joined(stored)

    def _joined(self, stored: KeptSearch) -> KeptSearch:
        """Return the deeper one of a stored search and its version in memory."""
        unsaved = self._in_memory.get(stored.id)
        if unsaved is None:
            return stored
        if stored.continues(unsaved.search):
            del self._in_memory[stored.id]
            return stored
        if unsaved.search.continues(stored):
            self._in_memory[stored.id] = _Unsaved(unsaved.search, stored.depth)
            return unsaved.search
        raise SearchExpired(EXPIRED)

    def _deepen_in_memory(self, deepened: _Unsaved, outage: Exception) -> bool:
        search = deepened.search
        # Another caller may have deepened it while this one waited.
        unsaved = self._in_memory.get(search.id, deepened)
        if unsaved.stored_depth is None or not search.continues(unsaved.search):
            return False
        self._keep_in_memory(_Unsaved(search, unsaved.stored_depth), outage)
        return True

    def _keep_in_memory(self, unsaved: _Unsaved, outage: Exception) -> None:
        logger.warning("a search is kept in memory: %s", str(outage) or "saving took too long")
        self._in_memory[unsaved.search.id] = unsaved
        if len(self._in_memory) > MAX_SEARCHES_IN_MEMORY:
            self._in_memory.popitem(last=False)

    async def delete_expired(self, before: datetime, *, keep: int) -> int:
        """Delete searches made before then, and all but the newest; return the count."""
        expired = [id_ for id_, each in self._in_memory.items() if each.search.created_at < before]
        for id_ in expired:
            del self._in_memory[id_]
        return len(expired) + await self.searches.delete_expired(before, keep=keep)
