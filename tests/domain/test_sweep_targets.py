"""Sweeping expired upload targets and their files."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from domain.entities.images import uuid7
from domain.entities.upload_targets import TARGET_LIFETIME, AnnouncedFile, OfferedTarget
from domain.entities.uploads import UploadedImage
from domain.runtime.periodic import delete_expired_targets
from domain.use_cases.maintenance.sweep_targets import (
    STAGED_BATCH_SIZE,
    STAGED_FILE_LIFETIME,
    SweepTargets,
    TargetSweepReport,
)
from tests.fakes.imaging import picture_file
from tests.fakes.staging import MemoryStaging
from tests.fakes.upload_targets import MemoryUploadTargets

if TYPE_CHECKING:
    from uuid import UUID

    import pytest

    from domain import UseCases
    from tests.fakes.clock import SettableClock

MICROSECOND = timedelta(microseconds=1)
DATA = picture_file()


async def sent(use_cases: UseCases, staging: MemoryStaging) -> UUID:
    [offer] = await use_cases.create_upload_targets([AnnouncedFile("a", "image/png", len(DATA))])
    assert isinstance(offer, OfferedTarget)
    staging.put(offer.target.id, DATA)
    return offer.target.id


async def test_expired_targets_are_deleted_with_their_files_and_valid_ones_are_kept(
    use_cases: UseCases,
    staging: MemoryStaging,
    *,
    upload_targets: MemoryUploadTargets,
    clock: SettableClock,
) -> None:
    await sent(use_cases, staging)
    clock.pass_time(MICROSECOND)
    valid = await sent(use_cases, staging)
    clock.pass_time(TARGET_LIFETIME - MICROSECOND)

    assert 1 == (await use_cases.sweep_targets()).targets
    assert [valid] == list(upload_targets.kept)
    assert [valid] == list(staging.files)
    [outcome] = await use_cases.complete_uploads([valid])
    assert isinstance(outcome, UploadedImage)
    assert TargetSweepReport(0, 0) == await use_cases.sweep_targets()


async def test_files_without_a_target_are_deleted_when_they_are_too_old_for_any(
    use_cases: UseCases, staging: MemoryStaging, clock: SettableClock
) -> None:
    staging.put(uuid7(), b"sent again after it was completed")
    clock.pass_time(STAGED_FILE_LIFETIME)
    assert TargetSweepReport(0, 0) == await use_cases.sweep_targets()
    clock.pass_time(MICROSECOND)
    assert TargetSweepReport(0, 1) == await use_cases.sweep_targets()
    assert {} == staging.files


async def test_many_files_are_deleted_in_batches(
    use_cases: UseCases, staging: MemoryStaging, clock: SettableClock
) -> None:
    for _ in range(STAGED_BATCH_SIZE + 1):
        staging.put(uuid7(), b"")
    clock.pass_time(STAGED_FILE_LIFETIME + MICROSECOND)
    assert TargetSweepReport(0, STAGED_BATCH_SIZE + 1) == await use_cases.sweep_targets()
    assert {} == staging.files


class FlakyTargets(MemoryUploadTargets):
    """Fails the first call, and sets an event at the third one."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0
        self.third_call = asyncio.Event()

    async def delete_expired(self, expired_by: datetime) -> list[UUID]:
        self.calls += 1
        if self.calls == 1:
            raise ConnectionRefusedError
        if self.calls == 3:
            self.third_call.set()
        return await super().delete_expired(expired_by)


async def test_expired_targets_are_deleted_periodically_also_after_an_outage(
    caplog: pytest.LogCaptureFixture,
) -> None:
    targets = FlakyTargets()
    sweep = SweepTargets(targets, MemoryStaging(), lambda: datetime.now(UTC))
    deleting = asyncio.create_task(delete_expired_targets(sweep, every=0))
    await asyncio.wait_for(targets.third_call.wait(), timeout=30)
    deleting.cancel()
    await asyncio.wait([deleting])
    assert ["expired upload targets could not be deleted; trying again"] == caplog.messages
