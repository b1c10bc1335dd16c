"""What a server does by itself while it runs."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from domain.runtime.periodic import delete_expired_searches
from domain.use_cases.maintenance.sweep import Sweep
from tests.fakes.catalog import MemoryCatalog
from tests.fakes.searches import MemoryKeptSearches
from tests.fakes.storage import MemoryStorage

if TYPE_CHECKING:
    import pytest


class FlakySearches(MemoryKeptSearches):
    """Fails the first time, and tells when it was asked a third time."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.asked_thrice = asyncio.Event()

    async def delete_expired(self, before: datetime, *, keep: int) -> int:
        self.asked += 1
        if self.asked == 1:
            raise ConnectionRefusedError
        if self.asked == 3:
            self.asked_thrice.set()
        return await super().delete_expired(before, keep=keep)


async def test_old_searches_are_forgotten_again_and_again_also_after_an_outage(
    caplog: pytest.LogCaptureFixture,
) -> None:
    searches = FlakySearches()
    sweep = Sweep(MemoryCatalog(), MemoryStorage(), searches, lambda: datetime.now(UTC))
    tidying = asyncio.create_task(delete_expired_searches(sweep, every=0))
    await asyncio.wait_for(searches.asked_thrice.wait(), timeout=30)
    tidying.cancel()
    await asyncio.wait([tidying])
    assert ["expired searches could not be deleted; trying again"] == caplog.messages
