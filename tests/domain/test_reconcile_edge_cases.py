"""Incomplete, empty, large and dry imports."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from domain.entities.external_objects import (
    MISSING_GRACE_PERIOD,
    ImportCounts,
    KeyRange,
    ListedObject,
    ObjectChange,
)
from domain.entities.filters import EVERYTHING
from domain.entities.images import Source
from domain.entities.uploads import UploadedImage
from domain.errors import InvalidArgument, Misconfigured, Remedy
from domain.use_cases.imports import reconcile as module
from domain.use_cases.imports import summary as summary_module
from tests.domain.imports import ROOT, Importer, picture, put
from tests.fakes.files import upload

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from domain import UseCases
    from tests.fakes.clock import SettableClock
    from tests.fakes.object_listing import MemoryObjectListing
    from tests.fakes.work_queue import MemoryWorkQueue


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    for each in (module, summary_module):
        monkeypatch.setattr(each, "OBJECT_BATCH_SIZE", 2)


async def test_after_an_incomplete_listing_nothing_is_missing_and_what_it_found_is_kept(
    importer: Importer, object_listing: MemoryObjectListing
) -> None:
    put(object_listing, 2, 4)
    await importer()
    put(object_listing, 1, 3, 5)
    object_listing.remove(f"{ROOT}2")
    object_listing.fails_after = 2
    with pytest.raises(ConnectionResetError):
        await importer()
    await importer.index()
    assert {"2", "4"} <= await importer.names()
    object_listing.fails_after = None
    await importer()
    assert ImportCounts(missing=1) == importer.became
    assert ({"1", "3", "4", "5"}, {"2"}) == (await importer.names(), importer.missing_names())


async def test_after_an_empty_listing_everything_is_missing_only_when_forced(
    importer: Importer, object_listing: MemoryObjectListing, clock: SettableClock
) -> None:
    assert {} == (await importer()).counts
    put(object_listing, 1, 2)
    await importer()
    for name in (1, 2):
        object_listing.remove(f"{ROOT}{name}")
    with pytest.raises(
        Misconfigured, match=r"all 2 known objects would count as missing\."
    ) as refusal:
        await importer()
    assert Remedy.CHECK_PLACE is refusal.value.remedy
    assert {"1", "2"} == await importer.names()
    clock.pass_time(MISSING_GRACE_PERIOD)
    assert {ObjectChange.VANISHED: 2} == (await importer(force=True)).counts
    assert (set(), {"1", "2"}) == (await importer.names(), importer.missing_names())
    clock.pass_time(MISSING_GRACE_PERIOD)
    await importer(force=True)
    assert (set(), set()) == (await importer.names(), importer.missing_names())


async def test_objects_of_other_roots_are_not_touched(
    importer: Importer, use_cases: UseCases, object_listing: MemoryObjectListing
) -> None:
    put(object_listing, 1)
    object_listing.put("s3://photos-too/2", picture(2))
    await use_cases.reconcile("s3://photos-too/")
    assert {ObjectChange.NEW: 1} == (await importer()).counts
    assert {"1", "s3://photos-too/2"} == await importer.names()


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("cuts", [(), ("3",), ("2", "25", "4")])
async def test_many_objects_are_reconciled_in_batches_and_ranges(
    importer: Importer,
    object_listing: MemoryObjectListing,
    clock: SettableClock,
    cuts: tuple[str, ...],
) -> None:
    object_listing.cuts = cuts
    put(object_listing, *range(10, 50, 2))
    assert {ObjectChange.NEW: 20} == (await importer()).counts
    for number in range(20, 30, 2):
        object_listing.remove(f"{ROOT}{number}")
    put(object_listing, *range(11, 50, 4))
    for number in (30, 40):
        object_listing.put(f"{ROOT}{number}", picture(number + 100), version="2")
    summary = await importer()
    expected = {
        ObjectChange.NEW: 10,
        ObjectChange.CHANGED: 2,
        ObjectChange.UNCHANGED: 13,
        ObjectChange.VANISHED: 5,
    }
    assert expected == summary.counts
    assert ImportCounts(missing=7) == importer.became
    assert 7 == importer.missing.trashed
    clock.pass_time(MISSING_GRACE_PERIOD)
    await importer()
    assert {f"{ROOT}{name}" for name in await importer.names()} == {
        source.location for source in object_listing.external_files.files
    }
    assert {ObjectChange.UNCHANGED: 25} == (await importer()).counts


async def test_a_dry_run_reports_the_changes_and_makes_none(
    importer: Importer,
    use_cases: UseCases,
    object_listing: MemoryObjectListing,
    work_queue: MemoryWorkQueue,
) -> None:
    put(object_listing, 1, 2, 3)
    object_listing.put(f"{ROOT}4", b"no picture")
    summary = await use_cases.reconcile(ROOT, dry_run=True)
    assert ({ObjectChange.NEW: 4}, 4) == (summary.counts, len(summary.sample))
    assert sum(map(len, object_listing.external_files.files.values())) == summary.bytes_to_index
    assert ({}, {}) == (work_queue.objects, work_queue.entries)
    assert 0 < (await use_cases.estimate(summary.sample) or 0)
    assert await use_cases.estimate(summary.sample[:1]) is None
    assert 0 == await use_cases.list.count(EVERYTHING)
    await importer()
    for number in range(1, 5):
        object_listing.remove(f"{ROOT}{number}")
    before = await importer.images()
    summary = await use_cases.reconcile(ROOT, dry_run=True)
    assert {ObjectChange.VANISHED: 4} == summary.counts
    assert before == await importer.images()


async def test_tags_are_added_to_all_images_also_to_existing_ones(
    importer: Importer, use_cases: UseCases, object_listing: MemoryObjectListing
) -> None:
    [sent] = await use_cases.upload([upload(picture(1))], tags=["mine"])
    assert isinstance(sent, UploadedImage)
    put(object_listing, 1, 2)
    await use_cases.reconcile(ROOT, tags=["sea", " sea"])
    await importer.index()
    images = (await importer.images()).values()
    assert [("mine", "sea"), ("sea",)] == sorted(image.tags for image in images)
    with pytest.raises(InvalidArgument, match="A tag is empty"):
        await use_cases.reconcile(ROOT, tags=[""])


async def test_a_listing_out_of_order_is_refused_and_nothing_is_missing(
    importer: Importer, object_listing: MemoryObjectListing, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(object_listing, 1, 2, 3)
    await importer()

    async def list_backwards(_root: str, _range: KeyRange) -> AsyncIterator[ListedObject]:
        for number in (3, 1):
            yield ListedObject(Source(f"{ROOT}{number}", "1"), 1)

    monkeypatch.setattr(object_listing, "list", list_backwards)
    with pytest.raises(
        Misconfigured, match=r"not listed in order: s3.*/1 follows s3.*/3\."
    ) as refusal:
        await importer()
    assert Remedy.LIST_OBJECTS is refusal.value.remedy
    assert {"1", "2", "3"} == await importer.names()
