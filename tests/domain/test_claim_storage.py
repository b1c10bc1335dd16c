"""The claim of a library on its storage: who may open it, and what a sweep leaves alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from domain.entities.claims import StorageClaim
from domain.entities.images import Variant, uuid7
from domain.errors import Misconfigured, Remedy
from domain.use_cases.maintenance.claim_storage import ClaimStorage
from domain.use_cases.maintenance.sweep import ORPHAN_GRACE_PERIOD, Sweep
from tests.fakes.catalog import MemoryCatalog
from tests.fakes.claims import LIBRARY_ID, MemoryClaims, MemoryIdentity
from tests.fakes.images import image_with
from tests.fakes.kept_searches import MemoryKeptSearches

if TYPE_CHECKING:
    from domain.entities.images import Image
    from tests.fakes.clock import SettableClock
    from tests.fakes.storage import MemoryStorage

OTHER_ID = UUID("01a20ef3-0000-7000-8000-000000000002")


class Library:
    """A database beside a storage, which other databases may have, too."""

    def __init__(
        self, id_: UUID, claims: MemoryClaims, storage: MemoryStorage, clock: SettableClock
    ) -> None:
        self.catalog = MemoryCatalog()
        self.storage = storage
        self.claim = ClaimStorage(MemoryIdentity(id_), claims, self.catalog, storage, clock)
        self.sweep = Sweep(self.catalog, storage, self.claim, MemoryKeptSearches(), clock)

    async def add(self) -> Image:
        image = await self.catalog.add(image_with(), [1.0] * 16)
        for key in Variant.keys_of([image.id]):
            await self.storage.write(key, b"bytes", content_type="image/png")
        return image


@pytest.fixture
def claims() -> MemoryClaims:
    return MemoryClaims(None)


@pytest.fixture
def mine(claims: MemoryClaims, storage: MemoryStorage, clock: SettableClock) -> Library:
    return Library(LIBRARY_ID, claims, storage, clock)


@pytest.fixture
def other(claims: MemoryClaims, storage: MemoryStorage, clock: SettableClock) -> Library:
    return Library(OTHER_ID, claims, storage, clock)


async def test_a_new_library_claims_an_empty_storage_and_others_are_refused(
    mine: Library, other: Library, claims: MemoryClaims
) -> None:
    assert StorageClaim(LIBRARY_ID) == await mine.claim() == await mine.claim() == claims.claim
    with pytest.raises(Misconfigured) as refusal:
        await other.claim()
    assert (
        f"The files in memory belong to another library, {LIBRARY_ID}; this database is the "
        f"library {OTHER_ID}." == refusal.value.message
    )
    assert Remedy.CLAIM_STORAGE is refusal.value.remedy


async def test_a_library_from_before_there_were_markers_adopts_its_files(
    mine: Library, clock: SettableClock
) -> None:
    await mine.add()
    assert StorageClaim(LIBRARY_ID, clock()) == await mine.claim()


@pytest.mark.parametrize("is_deleted", [False, True])
async def test_a_library_whose_files_are_elsewhere_is_refused(
    mine: Library, other: Library, claims: MemoryClaims, *, is_deleted: bool
) -> None:
    image = await mine.add()
    if is_deleted:
        mine.catalog._deleted[image.id] = mine.catalog._images.pop(image.id)  # noqa: SLF001
    mine.storage.objects.clear()
    mine.storage.modified.clear()
    with pytest.raises(Misconfigured, match="memory has no files of this library's images"):
        await mine.claim()
    await other.add()
    with pytest.raises(Misconfigured, match="memory has no files of this library's images"):
        await mine.claim()
    assert claims.claim is None


async def test_an_empty_library_does_not_claim_files_without_a_marker(
    mine: Library, other: Library, claims: MemoryClaims
) -> None:
    await other.add()
    with pytest.raises(Misconfigured, match="There are files in memory, and this library has no"):
        await mine.claim()
    assert claims.claim is None
    assert OTHER_ID == (await other.claim()).library_id


async def test_a_library_takes_files_over_where_that_is_asked_for(
    mine: Library, other: Library, clock: SettableClock
) -> None:
    await other.add()
    await other.claim()
    assert StorageClaim(LIBRARY_ID, clock()) == await mine.claim(force=True)
    assert LIBRARY_ID == (await mine.claim()).library_id
    with pytest.raises(Misconfigured):
        await other.claim()


async def test_a_damaged_marker_does_not_stop_a_library_that_takes_files_over(
    mine: Library, claims: MemoryClaims, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def read_damaged() -> StorageClaim | None:
        raise Misconfigured("The marker is damaged.")

    monkeypatch.setattr(claims, "read_claim", read_damaged)
    with pytest.raises(Misconfigured, match="damaged"):
        await mine.claim()
    assert StorageClaim(LIBRARY_ID) == await mine.claim(force=True) == claims.claim


async def test_a_sweep_of_one_library_removes_nothing_of_another(
    mine: Library, other: Library, clock: SettableClock
) -> None:
    await mine.add()
    await other.add()
    clock.pass_time(2 * ORPHAN_GRACE_PERIOD)
    before = dict(mine.storage.objects)
    report = await mine.sweep()
    assert (6, 0, 3) == (report.objects, report.removed_objects, report.kept_objects)
    with pytest.raises(Misconfigured, match="belong to another library"):
        await other.sweep()
    with pytest.raises(Misconfigured, match="belong to another library"):
        await other.sweep(force=True)
    assert before == mine.storage.objects


async def test_orphans_from_after_the_adoption_are_swept_and_earlier_ones_on_request(
    mine: Library, clock: SettableClock
) -> None:
    await mine.add()
    early, late = Variant.keys_of([uuid7()])[0], Variant.keys_of([uuid7()])[0]
    await mine.storage.write(early, b"", content_type="image/png")
    clock.pass_time(timedelta(seconds=1))
    await mine.claim()
    await mine.storage.write(late, b"", content_type="image/png")
    clock.pass_time(ORPHAN_GRACE_PERIOD + timedelta(seconds=1))
    report = await mine.sweep()
    assert (1, 1) == (report.removed_objects, report.kept_objects)
    assert early in mine.storage.objects
    assert late not in mine.storage.objects
    report = await mine.sweep(force=True)
    assert (1, 0) == (report.removed_objects, report.kept_objects)
    assert early not in mine.storage.objects


async def test_of_two_libraries_that_claim_at_the_same_moment_one_wins(
    mine: Library, other: Library, claims: MemoryClaims, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_claim = claims.add_claim

    async def add_after_other(claim: StorageClaim) -> StorageClaim:
        await add_claim(replace(claim, library_id=OTHER_ID))
        return await add_claim(claim)

    monkeypatch.setattr(claims, "add_claim", add_after_other)
    with pytest.raises(Misconfigured, match="belong to another library"):
        await mine.claim()
    assert OTHER_ID == (await other.claim()).library_id
