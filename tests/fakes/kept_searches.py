"""Kept searches in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.errors import SearchExpired

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from domain.entities.searches import KeptSearch


class MemoryKeptSearches:
    """A dictionary of searches.

    Saving raises ``error`` on demand, and loading raises ``load_error``.
    """

    error: Exception | None = None
    load_error: Exception | None = None

    def __init__(self) -> None:
        self._searches: dict[UUID, KeptSearch] = {}

    async def save(self, search: KeptSearch) -> None:
        if self.error:
            raise self.error
        self._searches[search.id] = search

    async def deepen(self, search: KeptSearch, *, known_depth: int) -> bool:
        if self.error:
            raise self.error
        stored = self._searches.get(search.id)
        if stored is not None and stored.depth != known_depth:
            return False
        self._searches[search.id] = search
        return True

    async def load(self, search_id: UUID, *, since: datetime) -> KeptSearch:
        if self.load_error:
            raise self.load_error
        search = self._searches.get(search_id)
        if search is None or search.created_at < since:
            raise SearchExpired("This search is no longer kept; search again.")
        return search

    async def delete_expired(self, before: datetime, *, keep: int) -> int:
        by_age = sorted(self._searches.values(), key=lambda search: search.created_at, reverse=True)
        old = [s.id for place, s in enumerate(by_age) if place >= keep or s.created_at < before]
        for id_ in old:
            del self._searches[id_]
        return len(old)
