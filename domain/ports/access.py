"""API keys and the clock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from domain.entities.keys import ApiKey


class Keys(Protocol):
    """API keys, stored as digests."""

    async def add(self, key: ApiKey) -> None:
        """Store a key."""

    async def find(self, sha256: str) -> ApiKey | None:
        """Return the key with this digest, revoked or not."""

    async def list(self) -> Sequence[ApiKey]:
        """Return all keys, oldest first."""

    async def revoke(self, key_id: UUID, at: datetime) -> bool:
        """Revoke a key, and return whether it was in force."""


class Clock(Protocol):
    """The current time."""

    def __call__(self) -> datetime:
        """Return the current instant, in UTC."""
