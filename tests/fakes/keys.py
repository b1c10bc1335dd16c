"""API keys in memory."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from domain.entities.keys import ApiKey


class MemoryKeys:
    """A dictionary of keys."""

    def __init__(self) -> None:
        self._keys: dict[UUID, ApiKey] = {}

    async def add(self, key: ApiKey) -> None:
        self._keys[key.id] = key

    async def find(self, sha256: str) -> ApiKey | None:
        return next((key for key in self._keys.values() if key.sha256 == sha256), None)

    async def list(self) -> Sequence[ApiKey]:
        return sorted(self._keys.values(), key=lambda key: (key.created_at, key.id))

    async def revoke(self, key_id: UUID, at: datetime) -> bool:
        key = self._keys.get(key_id)
        if key is None or key.revoked_at is not None:
            return False
        self._keys[key_id] = replace(key, revoked_at=at)
        return True
