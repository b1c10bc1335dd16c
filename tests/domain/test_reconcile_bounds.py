"""Imports that break off, are not believed, are many, or only asked about."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from domain.entities.external_objects import KeyRange, ListedObject, ObjectChange
from domain.entities.filters import EVERYTHING
from domain.entities.images import Source
from domain.entities.uploads import UploadedImage
from domain.errors import InvalidArgument, Misconfigured, Remedy
from domain.use_cases.imports import reconcile as module
from domain.use_cases.imports import summary as stock_module
from tests.domain.imports import ROOT, Import, picture, put
from tests.fakes.files import upload

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from domain import UseCases
    from tests.fakes.places import MemoryObjectListing
    from tests.fakes.work import MemoryWorkQueue


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    for each in (module, stock_module):
        monkeypatch.setattr(each, "CHUNK", 2)


async def test_a_listing_that_breaks_off_makes_nothing_vanish_and_keeps_what_it_found(
    take_in: Import, places: MemoryObjectListing
) -> None:
    put(places, 2, 4)
    await take_in()
    put(places, 1, 3, 5)
    places.remove(f"{ROOT}2")
    places.breaks_behind = 2
    with pytest.raises(ConnectionResetError):
        await take_in()
    await take_in.index()
    assert {"2", "4"} <= await take_in.names()
    places.breaks_behind = None
    await take_in()
    assert {"1", "3", "4", "5"} == await take_in.names()


async def test_a_place_with_nothing_left_is_not_believed_unless_that_is_asked(
    take_in: Import, places: MemoryObjectListing
) -> None:
    assert {} == (await take_in()).counts
    put(places, 1, 2)
    await take_in()
    for name in (1, 2):
        places.remove(f"{ROOT}{name}")
    with pytest.raises(Misconfigured, match=r"all 2 objects would be deleted\.") as refusal:
        await take_in()
    assert Remedy.CHECK_PLACE is refusal.value.remedy
    assert {"1", "2"} == await take_in.names()
    assert {ObjectChange.VANISHED: 2} == (await take_in(force=True)).counts
    assert set() == await take_in.names()


async def test_other_places_are_none_of_its_business(
    take_in: Import, use_cases: UseCases, places: MemoryObjectListing
) -> None:
    put(places, 1)
    places.put("s3://photos-too/2", picture(2))
    await use_cases.reconcile("s3://photos-too/")
    assert {ObjectChange.NEW: 1} == (await take_in()).counts
    assert {"1", "s3://photos-too/2"} == await take_in.names()


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("cuts", [(), ("3",), ("2", "25", "4")])
async def test_many_are_gone_through_in_chunks_and_stretches(
    take_in: Import, places: MemoryObjectListing, cuts: tuple[str, ...]
) -> None:
    places.cuts = cuts
    put(places, *range(10, 50, 2))
    assert {ObjectChange.NEW: 20} == (await take_in()).counts
    for number in range(20, 30, 2):
        places.remove(f"{ROOT}{number}")
    put(places, *range(11, 50, 4))
    put(places, 30, 40, version="2")
    stock = await take_in()
    expected = {
        ObjectChange.NEW: 10,
        ObjectChange.CHANGED: 2,
        ObjectChange.UNCHANGED: 13,
        ObjectChange.VANISHED: 5,
    }
    assert expected == stock.counts
    assert {f"{ROOT}{name}" for name in await take_in.names()} == {
        source.location for source in places.sources.objects
    }
    assert {ObjectChange.UNCHANGED: 25} == (await take_in()).counts


async def test_a_dry_run_tells_what_would_be_done_and_does_nothing(
    take_in: Import, use_cases: UseCases, places: MemoryObjectListing, work: MemoryWorkQueue
) -> None:
    put(places, 1, 2, 3)
    places.put(f"{ROOT}4", b"no picture")
    stock = await use_cases.reconcile(ROOT, dry_run=True)
    assert ({ObjectChange.NEW: 4}, 4) == (stock.counts, len(stock.sample))
    assert sum(map(len, places.sources.objects.values())) == stock.bytes_to_index
    assert ({}, {}) == (work.objects, work.entries)
    assert 0 < (await use_cases.estimate(stock.sample) or 0)
    assert await use_cases.estimate(stock.sample[:1]) is None
    assert 0 == await use_cases.list.count(EVERYTHING)
    await take_in()
    for number in range(1, 5):
        places.remove(f"{ROOT}{number}")
    before = await take_in.images()
    stock = await use_cases.reconcile(ROOT, dry_run=True)
    assert {ObjectChange.VANISHED: 4} == stock.counts
    assert before == await take_in.images()


async def test_tags_are_put_on_all_also_on_what_is_here_already(
    take_in: Import, use_cases: UseCases, places: MemoryObjectListing
) -> None:
    [sent] = await use_cases.upload([upload(picture(1))], tags=["mine"])
    assert isinstance(sent, UploadedImage)
    put(places, 1, 2)
    await use_cases.reconcile(ROOT, tags=["sea", " sea"])
    await take_in.index()
    images = (await take_in.images()).values()
    assert [("mine", "sea"), ("sea",)] == sorted(image.tags for image in images)
    with pytest.raises(InvalidArgument, match="A tag is empty"):
        await use_cases.reconcile(ROOT, tags=[""])


async def test_a_listing_out_of_order_is_refused_and_nothing_vanishes(
    take_in: Import, places: MemoryObjectListing, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(places, 1, 2, 3)
    await take_in()

    async def backwards(_root: str, _stretch: KeyRange) -> AsyncIterator[ListedObject]:
        for number in (3, 1):
            yield ListedObject(Source(f"{ROOT}{number}", "1"), 1)

    monkeypatch.setattr(places, "list", backwards)
    with pytest.raises(
        Misconfigured, match=r"not listed in order: s3.*/1 follows s3.*/3\."
    ) as refusal:
        await take_in()
    assert Remedy.LIST_OBJECTS is refusal.value.remedy
    assert {"1", "2", "3"} == await take_in.names()
