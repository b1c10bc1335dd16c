"""The identity of a library, and the marker of a storage, in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID

from domain.entities.claims import StorageClaim
from domain.use_cases.maintenance.claim_storage import ClaimStorage

if TYPE_CHECKING:
    from domain.ports import Catalog, Storage

LIBRARY_ID = UUID("01a20ef3-0000-7000-8000-000000000001")


@dataclass
class MemoryIdentity:
    """A library with a known id."""

    id: UUID = LIBRARY_ID

    async def library_id(self) -> UUID:
        return self.id


@dataclass
class MemoryClaims:
    """A storage that the library with the known id has claimed, unless told otherwise."""

    claim: StorageClaim | None = field(default_factory=lambda: StorageClaim(LIBRARY_ID))

    @property
    def place(self) -> str:
        return "memory"

    async def read_claim(self) -> StorageClaim | None:
        return self.claim

    async def add_claim(self, claim: StorageClaim) -> StorageClaim:
        self.claim = self.claim or claim
        return self.claim

    async def replace_claim(self, claim: StorageClaim) -> None:
        self.claim = claim


def claim_storage(catalog: Catalog, storage: Storage) -> ClaimStorage:
    """Return the use case over a storage that is claimed already."""
    return ClaimStorage(
        MemoryIdentity(), MemoryClaims(), catalog, storage, lambda: datetime.now(UTC)
    )
