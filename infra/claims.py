"""The file that marks whose files a storage has: its name and its contents."""

from __future__ import annotations

import json
from datetime import datetime
from uuid import UUID

from domain.entities.claims import StorageClaim
from domain.errors import Misconfigured, Remedy

CLAIM_NAME = "pictograph-library.json"
"""No key of an image, and no name of a shard: no listing of images shows it."""


def claim_to_bytes(claim: StorageClaim) -> bytes:
    """Return the contents of the file."""
    unknown_before = claim.unknown_before and claim.unknown_before.isoformat()
    values = {"library": str(claim.library_id), "unknown_before": unknown_before}
    return f"{json.dumps(values)}\n".encode()


def claim_of(data: bytes, place: str) -> StorageClaim:
    """Return the claim of a file's contents. Raises Misconfigured for a damaged file."""
    try:
        values = json.loads(data)
        instant = values["unknown_before"]
        return StorageClaim(UUID(values["library"]), instant and datetime.fromisoformat(instant))
    except (ValueError, TypeError, KeyError, AttributeError):
        raise Misconfigured(
            f"The file {CLAIM_NAME} in {place} is damaged: it does not name a library."
        ).with_remedy(Remedy.CLAIM_STORAGE) from None
