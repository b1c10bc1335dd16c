"""Reconciling the known objects with a manifest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from domain.entities.external_objects import KeyRange, ObjectChange
from domain.entities.images import Source
from domain.use_cases.imports import reconcile_manifest as module
from domain.use_cases.imports.reconcile_manifest import ManifestEntry
from tests.fakes.imaging import picture_file

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from domain import UseCases
    from domain.use_cases.imports.summary import ImportSummary
    from tests.fakes.catalog import MemoryCatalog
    from tests.fakes.object_listing import MemoryObjectListing

ROOT = "s3://photos/"


async def entries(*named: str | ManifestEntry) -> AsyncIterator[ManifestEntry]:
    for each in named:
        yield ManifestEntry(each) if isinstance(each, str) else each


@pytest.fixture
def object_listing(object_listing: MemoryObjectListing) -> MemoryObjectListing:
    for number in range(5):
        object_listing.put(f"{ROOT}{number}", picture_file((number, 0, 1)))
    return object_listing


async def image_sources(catalog: MemoryCatalog) -> set[Source | None]:
    return {image.source for image in catalog._images.values()}  # noqa: SLF001 - all of them


async def index(use_cases: UseCases) -> None:
    async for _ in use_cases.index():
        pass


async def test_only_the_objects_of_a_manifest_are_looked_up_and_indexed(
    use_cases: UseCases,
    object_listing: MemoryObjectListing,
    catalog: MemoryCatalog,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "OBJECT_BATCH_SIZE", 2)
    counts: list[int] = []

    def record(summary: ImportSummary) -> None:
        counts.append(summary.listed)

    named = [f"{ROOT}{number}" for number in (3, 1, 9, 1)]
    summary = await use_cases.reconcile_manifest(entries(*named), progress=record)
    assert {ObjectChange.NEW: 2, ObjectChange.UNFINISHED: 1} == summary.counts
    assert (3, 3) == (counts[-1], summary.listed)
    assert (1, f"{ROOT}9") == (summary.missing_count, summary.missing[0].location)
    assert KeyRange.below(ROOT) == summary.key_range
    await index(use_cases)
    assert {Source(f"{ROOT}{number}", "1") for number in (1, 3)} == await image_sources(catalog)
    assert 5 == len(object_listing.external_files.files)


async def test_objects_that_a_manifest_does_not_name_are_kept(
    use_cases: UseCases, object_listing: MemoryObjectListing, catalog: MemoryCatalog
) -> None:
    await use_cases.reconcile(ROOT)
    await index(use_cases)
    object_listing.put(f"{ROOT}2", picture_file((9, 9, 1)), version="2")
    summary = await use_cases.reconcile_manifest(entries(f"{ROOT}1", f"{ROOT}2"))
    assert {ObjectChange.UNCHANGED: 1, ObjectChange.CHANGED: 1} == summary.counts
    await index(use_cases)
    replaced = {Source(f"{ROOT}2", "1")}
    assert {*object_listing.external_files.files, *replaced} == await image_sources(catalog)


async def test_the_version_of_a_manifest_is_checked_when_the_bytes_are_read(
    use_cases: UseCases, object_listing: MemoryObjectListing, catalog: MemoryCatalog
) -> None:
    assert f"{ROOT}1" in {source.location for source in object_listing.external_files.files}
    right = ManifestEntry(f"{ROOT}1", "1", 20)
    summary = await use_cases.reconcile_manifest(entries(right, ManifestEntry(f"{ROOT}2", "0", 20)))
    assert {ObjectChange.NEW: 2} == summary.counts
    await index(use_cases)
    assert {Source(f"{ROOT}1", "1")} == await image_sources(catalog)
    count, [refused] = await use_cases.index_found.refused(summary)
    assert (1, f"{ROOT}2") == (count, refused.location)


async def test_a_dry_run_of_a_manifest_changes_nothing(
    use_cases: UseCases, object_listing: MemoryObjectListing, catalog: MemoryCatalog
) -> None:
    assert object_listing.external_files.files
    for _ in range(2):
        summary = await use_cases.reconcile_manifest(entries(f"{ROOT}1"), dry_run=True)
        assert {ObjectChange.NEW: 1} == summary.counts
    await index(use_cases)
    assert set() == await image_sources(catalog)
