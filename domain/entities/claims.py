"""Claims: which library the files of a storage belong to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID


@dataclass(frozen=True, slots=True)
class StorageClaim:
    """The contents of the marker in a storage."""

    library_id: UUID
    unknown_before: datetime | None = None
    """Set where the storage had files before it was claimed: files of that time that belong to no
    image may be another library's, so a sweep keeps them."""
