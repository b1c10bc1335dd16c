"""Periodic background tasks."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from domain.runtime.periodic import delete_expired_searches, refresh_scans, restore_tasks
from domain.use_cases.maintenance.restore_tasks import RestoreTasks
from domain.use_cases.maintenance.sweep import Sweep
from tests.fakes.catalog import MemoryCatalog
from tests.fakes.claims import claim_storage
from tests.fakes.kept_searches import MemoryKeptSearches
from tests.fakes.repair_queue import MemoryRepairQueue
from tests.fakes.storage import MemoryStorage

if TYPE_CHECKING:
    from domain.runtime.loaded_models import LoadedModels
    from tests.domain.library_with_tasks import LibraryWithTasks
    from tests.domain.model_loader import FakeModelLoader


class FlakySearches(MemoryKeptSearches):
    """Fails the first call, and sets an event at the third one."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0
        self.third_call = asyncio.Event()

    async def delete_expired(self, before: datetime, *, keep: int) -> int:
        self.calls += 1
        if self.calls == 1:
            raise ConnectionRefusedError
        if self.calls == 3:
            self.third_call.set()
        return await super().delete_expired(before, keep=keep)


async def test_expired_searches_are_deleted_periodically_also_after_an_outage(
    caplog: pytest.LogCaptureFixture,
) -> None:
    searches = FlakySearches()
    catalog, storage = MemoryCatalog(), MemoryStorage()
    claiming = claim_storage(catalog, storage)
    sweep = Sweep(catalog, storage, claiming, searches, lambda: datetime.now(UTC))
    deleting = asyncio.create_task(delete_expired_searches(sweep, every=0))
    await asyncio.wait_for(searches.third_call.wait(), timeout=30)
    deleting.cancel()
    await asyncio.wait([deleting])
    assert ["expired searches could not be deleted; trying again"] == caplog.messages


async def test_tasks_that_processing_images_lack_are_added_at_once(
    library: LibraryWithTasks, caplog: pytest.LogCaptureFixture
) -> None:
    image = await library.add_pending()
    library.catalog.pending.clear()
    restore = RestoreTasks(MemoryRepairQueue(library.catalog, library.work_queue))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(restore_tasks(restore), timeout=0.01)
    assert library.work_queue.has_task(image.id)
    assert 0 == await restore()
    assert ["1 images were PROCESSING without a task; they have one now"] == caplog.messages


async def test_loaded_models_read_their_parameters_of_scans_at_each_change(
    loader: FakeModelLoader, loaded_models: LoadedModels, caplog: pytest.LogCaptureFixture
) -> None:
    waits = 0
    done = asyncio.Event()

    async def wait() -> None:
        nonlocal waits
        waits += 1
        if waits == 1:
            raise ConnectionRefusedError
        if waits == 4:
            done.set()
            await asyncio.Event().wait()

    refreshing = asyncio.create_task(refresh_scans(loaded_models.live, wait))
    await asyncio.wait_for(done.wait(), timeout=30)
    refreshing.cancel()
    await asyncio.wait([refreshing])
    assert ["old", "old"] == loader.refreshed
    assert ["the parameters of searches could not be read; trying again"] == caplog.messages
