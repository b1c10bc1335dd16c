"""Taking in what a list names."""

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
    from tests.fakes.places import MemoryObjectListing

ROOT = "s3://photos/"


async def entries(*named: str | ManifestEntry) -> AsyncIterator[ManifestEntry]:
    for each in named:
        yield ManifestEntry(each) if isinstance(each, str) else each


@pytest.fixture
def places(places: MemoryObjectListing) -> MemoryObjectListing:
    for number in range(5):
        places.put(f"{ROOT}{number}", picture_file(words=str(number)))
    return places


async def sources(catalog: MemoryCatalog) -> set[Source | None]:
    return {image.source for image in catalog._images.values()}  # noqa: SLF001 - all of them


async def index(use_cases: UseCases) -> None:
    async for _ in use_cases.index():
        pass


async def test_what_is_named_is_looked_up_and_indexed_and_nothing_else(
    use_cases: UseCases,
    places: MemoryObjectListing,
    catalog: MemoryCatalog,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "OBJECT_BATCH_SIZE", 2)
    told: list[int] = []

    def tell(stock: ImportSummary) -> None:
        told.append(stock.listed)

    named = [f"{ROOT}{number}" for number in (3, 1, 9, 1)]
    stock = await use_cases.reconcile_manifest(entries(*named), progress=tell)
    assert {ObjectChange.NEW: 2, ObjectChange.UNFINISHED: 1} == stock.counts
    assert (3, 3) == (told[-1], stock.listed)
    assert (1, f"{ROOT}9") == (stock.missing_count, stock.missing[0].location)
    assert KeyRange.below(ROOT) == stock.key_range
    await index(use_cases)
    assert {Source(f"{ROOT}{number}", "1") for number in (1, 3)} == await sources(catalog)
    assert 5 == len(places.sources.objects)


async def test_nothing_vanishes_because_it_is_not_named(
    use_cases: UseCases, places: MemoryObjectListing, catalog: MemoryCatalog
) -> None:
    await use_cases.reconcile(ROOT)
    await index(use_cases)
    places.put(f"{ROOT}2", picture_file(words="new"), version="2")
    stock = await use_cases.reconcile_manifest(entries(f"{ROOT}1", f"{ROOT}2"))
    assert {ObjectChange.UNCHANGED: 1, ObjectChange.CHANGED: 1} == stock.counts
    await index(use_cases)
    assert set(places.sources.objects) == await sources(catalog)


async def test_what_a_manifest_says_is_believed_until_the_bytes_are_read(
    use_cases: UseCases, places: MemoryObjectListing, catalog: MemoryCatalog
) -> None:
    assert f"{ROOT}1" in {source.location for source in places.sources.objects}
    right = ManifestEntry(f"{ROOT}1", "1", 20)
    stock = await use_cases.reconcile_manifest(entries(right, ManifestEntry(f"{ROOT}2", "0", 20)))
    assert {ObjectChange.NEW: 2} == stock.counts
    await index(use_cases)
    assert {Source(f"{ROOT}1", "1")} == await sources(catalog)
    count, [refused] = await use_cases.index_found.refused(stock.key_range)
    assert (1, f"{ROOT}2") == (count, refused.location)


async def test_a_dry_run_of_a_manifest_changes_nothing(
    use_cases: UseCases, places: MemoryObjectListing, catalog: MemoryCatalog
) -> None:
    assert places.sources.objects
    for _ in range(2):
        stock = await use_cases.reconcile_manifest(entries(f"{ROOT}1"), dry_run=True)
        assert {ObjectChange.NEW: 1} == stock.counts
    await index(use_cases)
    assert set() == await sources(catalog)
