"""Collecting what uploads that were never completed leave behind."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from domain.entities.images import uuid7
from domain.entities.upload_targets import TARGET_LIFETIME, AnnouncedFile, OfferedTarget
from domain.entities.uploads import UploadedImage
from domain.runtime.periodic import delete_expired_targets
from domain.use_cases.maintenance.sweep_targets import (
    CHUNK,
    LEFT_BEHIND,
    SweepTargets,
    TargetSweepReport,
)
from tests.fakes.imaging import picture_file
from tests.fakes.staging import MemoryStaging
from tests.fakes.targets import MemoryUploadTargets

if TYPE_CHECKING:
    from uuid import UUID

    import pytest

    from domain import UseCases
    from tests.fakes.clock import SettableClock

MOMENT = timedelta(microseconds=1)
DATA = picture_file()


async def sent(use_cases: UseCases, staging: MemoryStaging) -> UUID:
    [offer] = await use_cases.create_upload_targets([AnnouncedFile("a", "image/png", len(DATA))])
    assert isinstance(offer, OfferedTarget)
    staging.put(offer.target.id, DATA)
    return offer.target.id


async def test_expired_targets_go_with_what_was_sent_to_them_and_others_stay(
    use_cases: UseCases,
    staging: MemoryStaging,
    *,
    targets: MemoryUploadTargets,
    clock: SettableClock,
) -> None:
    await sent(use_cases, staging)
    clock.pass_time(MOMENT)
    young = await sent(use_cases, staging)
    clock.pass_time(TARGET_LIFETIME - MOMENT)

    assert 1 == (await use_cases.sweep_targets()).targets
    assert [young] == list(targets.kept)
    assert [young] == list(staging.files)
    [outcome] = await use_cases.complete_uploads([young])
    assert isinstance(outcome, UploadedImage)
    assert TargetSweepReport(0, 0) == await use_cases.sweep_targets()


async def test_bytes_that_belong_to_no_target_go_when_none_can_be_that_old(
    use_cases: UseCases, staging: MemoryStaging, clock: SettableClock
) -> None:
    staging.put(uuid7(), b"sent again after it was completed")
    clock.pass_time(LEFT_BEHIND)
    assert TargetSweepReport(0, 0) == await use_cases.sweep_targets()
    clock.pass_time(MOMENT)
    assert TargetSweepReport(0, 1) == await use_cases.sweep_targets()
    assert {} == staging.files


async def test_many_are_removed_a_chunk_at_a_time(
    use_cases: UseCases, staging: MemoryStaging, clock: SettableClock
) -> None:
    for _ in range(CHUNK + 1):
        staging.put(uuid7(), b"")
    clock.pass_time(LEFT_BEHIND + MOMENT)
    assert TargetSweepReport(0, CHUNK + 1) == await use_cases.sweep_targets()
    assert {} == staging.files


class FlakyTargets(MemoryUploadTargets):
    """Fails the first time, and tells when it was asked a third time."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.asked_thrice = asyncio.Event()

    async def delete_expired(self, expired_by: datetime) -> list[UUID]:
        self.asked += 1
        if self.asked == 1:
            raise ConnectionRefusedError
        if self.asked == 3:
            self.asked_thrice.set()
        return await super().delete_expired(expired_by)


async def test_expired_targets_are_forgotten_again_and_again_also_after_an_outage(
    caplog: pytest.LogCaptureFixture,
) -> None:
    targets = FlakyTargets()
    sweep = SweepTargets(targets, MemoryStaging(), lambda: datetime.now(UTC))
    tidying = asyncio.create_task(delete_expired_targets(sweep, every=0))
    await asyncio.wait_for(targets.asked_thrice.wait(), timeout=30)
    tidying.cancel()
    await asyncio.wait([tidying])
    assert ["expired upload targets could not be deleted; trying again"] == caplog.messages
