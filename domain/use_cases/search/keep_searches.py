"""Keeps searches in the database, and in memory while the database accepts no changes."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from dataclasses import dataclass, field
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

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class KeepSearches:
    """Saves and loads searches. Searching is reading: it goes on while nothing can be saved.

    A search that was kept in memory can be continued on this server only, until it restarts.
    """

    searches: KeptSearches
    save_seconds: float = SAVE_SECONDS
    _in_memory: OrderedDict[UUID, KeptSearch] = field(default_factory=OrderedDict)

    async def save(self, search: KeptSearch) -> None:
        """Save a search, in memory where the database does not save it in time."""
        try:
            async with asyncio.timeout(self.save_seconds):
                await self.searches.save(search)
        except (Unavailable, Overloaded, TimeoutError) as outage:
            self._keep_in_memory(search, outage)

    async def deepen(self, search: KeptSearch, *, known_depth: int) -> KeptSearch:
        """Save a deepened search, unless another caller deepened it first; return what is kept."""
        if stored := self._in_memory.get(search.id):
            if stored.depth == known_depth:
                self._in_memory[search.id] = search
            return self._in_memory[search.id]
        try:
            async with asyncio.timeout(self.save_seconds):
                return await self.searches.deepen(search, known_depth=known_depth)
        except (Unavailable, Overloaded, TimeoutError) as outage:
            # Another caller may have deepened it while this one waited.
            if stored := self._in_memory.get(search.id):
                return stored
            self._keep_in_memory(search, outage)
            return search

    async def load(self, search_id: UUID, *, since: datetime) -> KeptSearch:
        """Return a search. Raises SearchExpired for one that was made before ``since``."""
        search = self._in_memory.get(search_id)
        if search is None:
            return await self.searches.load(search_id, since=since)
        if search.created_at < since:
            raise SearchExpired("This search has expired; search again.")
        return search

    def _keep_in_memory(self, search: KeptSearch, outage: Exception) -> None:
        logger.warning("a search is kept in memory: %s", str(outage) or "saving took too long")
        self._in_memory[search.id] = search
        if len(self._in_memory) > MAX_SEARCHES_IN_MEMORY:
            self._in_memory.popitem(last=False)

    async def delete_expired(self, before: datetime, *, keep: int) -> int:
        """Delete searches made before then, and all but the newest; return the count."""
        expired = [id_ for id_, each in self._in_memory.items() if each.created_at < before]
        for id_ in expired:
            del self._in_memory[id_]
        return len(expired) + await self.searches.delete_expired(before, keep=keep)
