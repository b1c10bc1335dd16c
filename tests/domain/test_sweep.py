"""Sweeping orphaned bytes and expired searches."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from domain.entities.images import Variant, uuid7
from domain.entities.queries import BySearch, ByText
from domain.entities.searches import SEARCH_LIFETIME
from domain.entities.uploads import UploadedImage
from domain.errors import Misconfigured, Remedy, SearchExpired
from domain.use_cases.maintenance.sweep import (
    ORPHAN_GRACE_PERIOD,
    SWEEP_BATCH_SIZE,
    Sweep,
    SweepReport,
)
from tests.fakes.catalog import MemoryCatalog
from tests.fakes.claims import claim_storage
from tests.fakes.files import upload
from tests.fakes.imaging import picture_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from domain import UseCases
    from tests.fakes.clock import SettableClock
    from tests.fakes.kept_searches import MemoryKeptSearches
    from tests.fakes.storage import MemoryStorage

MICROSECOND = timedelta(microseconds=1)
AN_ID = UUID("01a20ef3-7f68-76c9-b1dc-bca94db9a249")


async def test_an_empty_library_has_nothing_to_sweep(use_cases: UseCases) -> None:
    assert SweepReport(0, 0, 0) == await use_cases.sweep()


async def test_orphaned_bytes_are_deleted_and_those_of_images_are_kept(
    use_cases: UseCases, storage: MemoryStorage, clock: SettableClock
) -> None:
    [outcome] = await use_cases.upload([upload(picture_file())])
    assert isinstance(outcome, UploadedImage)
    await storage.write(Variant.LARGE.key_of(uuid7()), b"lost", content_type="image/webp")
    clock.pass_time(ORPHAN_GRACE_PERIOD + MICROSECOND)

    assert SweepReport(3, 1, 0) == await use_cases.sweep()
    assert {variant.key_of(outcome.image.id) for variant in outcome.image.required_variants} == set(
        storage.objects
    )
    assert SweepReport(2, 0, 0) == await use_cases.sweep()


async def test_young_orphans_are_kept_for_the_grace_period(
    use_cases: UseCases, storage: MemoryStorage, clock: SettableClock
) -> None:
    await storage.write(Variant.ORIGINAL.key_of(uuid7()), b"young", content_type="image/png")
    clock.pass_time(ORPHAN_GRACE_PERIOD)

    assert SweepReport(1, 0, 0) == await use_cases.sweep(force=True)
    clock.pass_time(MICROSECOND)
    assert SweepReport(1, 1, 0) == await use_cases.sweep(force=True)


@pytest.mark.parametrize(
    "key",
    [
        "readme.txt",
        f"{AN_ID}",
        f"{AN_ID}/notes.txt",
        f"{AN_ID.hex}/original",
        f"{{{AN_ID}}}/original",
        f"backup/{AN_ID}/original",
    ],
)
async def test_foreign_objects_in_the_bucket_are_kept(
    key: str, *, use_cases: UseCases, storage: MemoryStorage, clock: SettableClock
) -> None:
    storage.objects[key] = b"foreign"
    storage.modified[key] = clock.now
    clock.pass_time(2 * ORPHAN_GRACE_PERIOD)

    assert SweepReport(1, 0, 0) == await use_cases.sweep()
    assert {key: b"foreign"} == storage.objects


class CountingCatalog(MemoryCatalog):
    """Records the largest number of images that one query asks for."""

    most = 0

    async def existing_ids(self, ids: Sequence[UUID]) -> set[UUID]:
        self.most = max(self.most, len(ids))
        return await super().existing_ids(ids)


async def test_the_catalog_is_queried_in_batches(
    storage: MemoryStorage, searches: MemoryKeptSearches, clock: SettableClock
) -> None:
    counting = CountingCatalog()
    for _ in range(2 * SWEEP_BATCH_SIZE + 7):
        await storage.write(Variant.ORIGINAL.key_of(uuid7()), b"", content_type="image/png")
    clock.pass_time(ORPHAN_GRACE_PERIOD + MICROSECOND)

    claiming = claim_storage(counting, storage)
    await Sweep(counting, storage, claiming, searches, clock)(force=True)
    assert (counting.most, storage.objects) == (SWEEP_BATCH_SIZE, {})


@pytest.mark.parametrize(
    "orphans",
    [SWEEP_BATCH_SIZE - 1, SWEEP_BATCH_SIZE, SWEEP_BATCH_SIZE + 1, 2 * SWEEP_BATCH_SIZE + 7],
)
async def test_a_large_storage_is_swept_in_batches(
    orphans: int, *, use_cases: UseCases, storage: MemoryStorage, clock: SettableClock
) -> None:
    for number in range(orphans):
        if number == 3:
            await use_cases.upload([upload(picture_file())])
        await storage.write(Variant.ORIGINAL.key_of(uuid7()), b"", content_type="image/png")
    clock.pass_time(ORPHAN_GRACE_PERIOD + MICROSECOND)
    checked: list[int] = []

    assert SweepReport(orphans + 2, orphans, 0) == await use_cases.sweep(progress=checked.append)
    assert len(storage.objects) == 2
    assert [*range(SWEEP_BATCH_SIZE, orphans + 3, SWEEP_BATCH_SIZE), orphans + 2] == checked


async def test_expired_searches_are_deleted(use_cases: UseCases, clock: SettableClock) -> None:
    old = (await use_cases.search(ByText("red"))).search_id
    clock.pass_time(MICROSECOND)
    young = (await use_cases.search(ByText("red"))).search_id
    clock.pass_time(SEARCH_LIFETIME)

    assert SweepReport(0, 0, 1) == await use_cases.sweep()
    assert young == (await use_cases.search(BySearch(young))).search_id
    with pytest.raises(SearchExpired):
        await use_cases.search(BySearch(old))


async def test_bytes_left_by_a_crash_during_a_deletion_are_swept(
    use_cases: UseCases, catalog: MemoryCatalog, *, storage: MemoryStorage, clock: SettableClock
) -> None:
    [outcome] = await use_cases.upload([upload(picture_file())])
    assert isinstance(outcome, UploadedImage)
    clock.pass_time(ORPHAN_GRACE_PERIOD + MICROSECOND)
    # A crash between the row and the bytes.
    await catalog.delete([outcome.image.id])

    assert SweepReport(2, 2, 0) == await use_cases.sweep(force=True)
    assert storage.objects == {}


async def test_a_sweep_of_an_empty_library_has_to_be_forced(
    storage: MemoryStorage, use_cases: UseCases, clock: SettableClock
) -> None:
    await storage.write(Variant.ORIGINAL.key_of(uuid7()), b"left", content_type="image/png")
    clock.pass_time(timedelta(days=2))
    with pytest.raises(Misconfigured, match=r"^The library has no images, ") as refusal:
        await use_cases.sweep()
    assert Remedy.CHECK_STORAGE is refusal.value.remedy
    assert 1 == len(storage.objects)
    assert 1 == (await use_cases.sweep(force=True)).removed_objects
