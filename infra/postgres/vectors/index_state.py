"""Whether the index of a model is built, which it is not during a first load."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from infra.postgres.models.active import ActiveModel

BUILT_LIFETIME_SECONDS = 60.0
"""How long it is taken for granted that an index exists. Where it was dropped meanwhile, PostgreSQL
scans the table for the same statement: searches are slower, and find what they should."""

MISSING_LIFETIME_SECONDS = 5.0
"""How long searches go on without an index that was missing."""

SELECT_IS_VALID = text("""
    SELECT EXISTS (SELECT FROM pg_index WHERE indexrelid = to_regclass(:index) AND indisvalid)
""")


class IndexState:
    """Remembers for a while whether the index of one model is built."""

    def __init__(self) -> None:
        self._is_built = False
        self._expires_at = float("-inf")

    async def is_built(self, connection: AsyncConnection, model: ActiveModel) -> bool:
        """Return whether the index can be scanned."""
        now = time.monotonic()
        if now >= self._expires_at:
            statement, values = SELECT_IS_VALID, {"index": model.index}
            self._is_built = bool(await connection.scalar(statement, values))
            lifetime = BUILT_LIFETIME_SECONDS if self._is_built else MISSING_LIFETIME_SECONDS
            self._expires_at = now + lifetime
        return self._is_built
