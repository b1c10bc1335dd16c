"""What a server does by itself while it runs."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from domain.sweep import Sweep, tidy
from tests.fakes.catalog import MemoryCatalog
from tests.fakes.searches import MemorySearches
from tests.fakes.storage import MemoryStorage

if TYPE_CHECKING:
    import pytest


class FlakySearches(MemorySearches):
    """Fails the first time, and tells when it was asked a third time."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.asked_thrice = asyncio.Event()

    async def forget(self, before: datetime, *, keep: int) -> int:
        self.asked += 1
        if self.asked == 1:
            raise ConnectionRefusedError
        if self.asked == 3:
            self.asked_thrice.set()
        return await super().forget(before, keep=keep)


async def test_old_searches_are_forgotten_again_and_again_also_after_an_outage(
    caplog: pytest.LogCaptureFixture,
) -> None:
    searches = FlakySearches()
    sweep = Sweep(MemoryCatalog(), MemoryStorage(), searches, lambda: datetime.now(UTC))
    tidying = asyncio.create_task(tidy(sweep, every=0))
    await asyncio.wait_for(searches.asked_thrice.wait(), timeout=30)
    tidying.cancel()
    await asyncio.wait([tidying])
    assert ["old searches could not be forgotten; trying again"] == caplog.messages
