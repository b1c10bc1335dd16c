"""What is known of a place is brought in line with what lies there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from domain import reconcile as module
from domain import stock as stock_module
from domain.errors import ImageNotFound, InvalidArgument, Misconfigured
from domain.filters import EVERYTHING
from domain.images import Source, Variant
from domain.objects import Finding, ListedObject, Stretch
from domain.read import read_all
from domain.uploads import UploadedImage
from tests.fakes.files import upload
from tests.fakes.imaging import picture_file

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from domain import UseCases
    from domain.images import Image
    from domain.stock import Stock
    from tests.fakes.catalog import MemoryCatalog
    from tests.fakes.objects import MemoryObjects
    from tests.fakes.places import MemoryPlaces
    from tests.fakes.storage import MemoryStorage
    from tests.fakes.work import MemoryWork

ROOT = "s3://photos/"


def picture(number: int) -> bytes:
    return picture_file(words=str(number))


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    for each in (module, stock_module):
        monkeypatch.setattr(each, "CHUNK", 2)


class Import:
    """Imports below ROOT, and what has become of it."""

    def __init__(self, use_cases: UseCases, catalog: MemoryCatalog) -> None:
        self.use_cases = use_cases
        self.catalog = catalog

    async def __call__(self, **options: bool) -> Stock:
        stock = await self.use_cases.reconcile(ROOT, **options)  # type: ignore[arg-type]  # tags are no option here
        await self.index()
        return stock

    async def index(self) -> None:
        async for _ in self.use_cases.index():
            pass

    async def images(self) -> dict[str, Image]:
        """The images of the library by the name of their source."""
        images = self.catalog._images.values()  # noqa: SLF001 - all of them, whatever they are
        return {image.source.location if image.source else "": image for image in images}

    async def names(self) -> set[str]:
        return {location.removeprefix(ROOT) for location in await self.images()}


@pytest.fixture
def take_in(use_cases: UseCases, catalog: MemoryCatalog) -> Import:
    return Import(use_cases, catalog)


def put(places: MemoryPlaces, *numbers: int, version: str = "1") -> None:
    for number in numbers:
        places.put(f"{ROOT}{number}", picture(number), version=version)


async def test_what_is_new_is_indexed_and_only_its_renditions_are_kept(
    take_in: Import, places: MemoryPlaces, storage: MemoryStorage
) -> None:
    put(places, 1, 2)
    stock = await take_in()
    assert {Finding.NEW: 2} == stock.counts
    assert {"1", "2"} == await take_in.names()
    one = (await take_in.images())[f"{ROOT}1"]
    assert Source(f"{ROOT}1", "1") == one.source
    for variant in Variant:
        assert (variant is not Variant.ORIGINAL) == (variant.key_of(one.id) in storage.objects)
    assert picture(1) == await read_all(await take_in.use_cases.read(one, Variant.ORIGINAL))


async def test_what_is_unchanged_is_left_and_written_nowhere(
    take_in: Import, places: MemoryPlaces, storage: MemoryStorage, work: MemoryWork
) -> None:
    put(places, 1, 2)
    await take_in()
    before = await take_in.images(), dict(storage.objects), dict(work.objects)
    assert {Finding.UNCHANGED: 2} == (await take_in()).counts
    assert before == (await take_in.images(), dict(storage.objects), dict(work.objects))


async def test_another_version_is_another_image(
    take_in: Import, places: MemoryPlaces, storage: MemoryStorage
) -> None:
    put(places, 1)
    await take_in()
    before = (await take_in.images())[f"{ROOT}1"]
    places.put(f"{ROOT}1", picture(9), version="2")
    with pytest.raises(ImageNotFound, match=r"original of image .* is not where it was"):
        await take_in.use_cases.read(before, Variant.ORIGINAL)
    assert await take_in.use_cases.read(before, Variant.LARGE)
    assert {Finding.CHANGED: 1} == (await take_in()).counts
    after = (await take_in.images())[f"{ROOT}1"]
    assert before.id != after.id
    assert Source(f"{ROOT}1", "2") == after.source
    assert {str(after.id)} == {key.partition("/")[0] for key in storage.objects}


async def test_what_has_vanished_goes_with_its_image(
    take_in: Import, places: MemoryPlaces, storage: MemoryStorage, objects: MemoryObjects
) -> None:
    put(places, 1, 2, 3)
    await take_in()
    places.remove(f"{ROOT}2")
    assert {Finding.UNCHANGED: 2, Finding.VANISHED: 1} == (await take_in()).counts
    assert {"1", "3"} == await take_in.names()
    assert 4 == len(storage.objects)
    assert {} == await objects.find([f"{ROOT}2"])


async def test_what_vanishes_before_it_is_indexed_is_never_indexed(
    take_in: Import, use_cases: UseCases, places: MemoryPlaces, work: MemoryWork
) -> None:
    put(places, 1, 2)
    await use_cases.reconcile(ROOT)
    places.remove(f"{ROOT}2")
    assert {Finding.UNFINISHED: 1, Finding.VANISHED: 1} == (await take_in()).counts
    assert {"1"} == await take_in.names()
    assert {} == work.entries


@pytest.mark.parametrize("changed", [False, True])
async def test_where_the_same_bytes_lie_elsewhere_the_image_stays_and_is_read_there(
    take_in: Import, places: MemoryPlaces, *, changed: bool
) -> None:
    for name in ("a", "b"):
        places.put(f"{ROOT}{name}", picture(1), version=name)
    await take_in()
    [before] = (await take_in.images()).values()
    assert before.source
    [other] = {"a", "b"} - {before.source.version}
    if changed:
        places.put(before.source.location, picture(2), version="new")
    else:
        places.remove(before.source.location)
    await take_in()
    after = next(each for each in (await take_in.images()).values() if each.id == before.id)
    assert Source(f"{ROOT}{other}", other) == after.source
    places.remove(f"{ROOT}{other}")
    await take_in(even_everything=True)
    assert before.id not in {image.id for image in (await take_in.images()).values()}


async def test_a_copy_that_vanishes_leaves_the_image_where_it_was_found_first(
    take_in: Import, places: MemoryPlaces
) -> None:
    for name in ("a", "b"):
        places.put(f"{ROOT}{name}", picture(1))
    await take_in()
    [before] = (await take_in.images()).values()
    assert before.source
    places.remove(f"{ROOT}{'b' if before.source.location.endswith('a') else 'a'}")
    await take_in()
    assert [before] == list((await take_in.images()).values())


async def test_an_image_that_was_uploaded_stays_when_an_object_like_it_vanishes(
    take_in: Import, use_cases: UseCases, places: MemoryPlaces
) -> None:
    [sent] = await use_cases.upload([upload(picture(1))])
    assert isinstance(sent, UploadedImage)
    put(places, 1, 2)
    await take_in()
    places.remove(f"{ROOT}1")
    await take_in()
    assert {sent.image.id} < {image.id for image in (await take_in.images()).values()}
    assert picture(1) == await read_all(await use_cases.read(sent.image, Variant.ORIGINAL))


async def test_what_a_user_deleted_comes_back_as_another_version_alone(
    take_in: Import, use_cases: UseCases, places: MemoryPlaces
) -> None:
    put(places, 1, 2)
    await take_in()
    gone = (await take_in.images())[f"{ROOT}1"]
    await use_cases.delete([gone.id])
    assert {Finding.UNCHANGED: 2} == (await take_in(retry=True)).counts
    assert {"2"} == await take_in.names()
    put(places, 1, version="2")
    assert {Finding.UNCHANGED: 1, Finding.CHANGED: 1} == (await take_in()).counts
    assert {"1", "2"} == await take_in.names()
    assert f"{ROOT}1" in {source.location for source in places.sources.objects}


async def test_what_was_refused_is_tried_again_when_it_changes_or_that_is_asked(
    take_in: Import, use_cases: UseCases, places: MemoryPlaces
) -> None:
    whole = Stretch.below(ROOT)
    places.put(f"{ROOT}1", b"no picture")
    await take_in()
    count, [refused] = await use_cases.index_found.refused(whole)
    assert (1, f"{ROOT}1") == (count, refused.location)
    assert "This file is no picture" in refused.reason
    assert {Finding.REFUSED: 1} == (await take_in()).counts
    assert {Finding.CHANGED: 1} == (await take_in(retry=True)).counts
    assert 1 == (await use_cases.index_found.refused(whole))[0]
    put(places, 1, version="2")
    assert {Finding.CHANGED: 1} == (await take_in()).counts
    assert (0, []) == await use_cases.index_found.refused(whole)
    assert {"1"} == await take_in.names()


async def test_a_listing_that_breaks_off_makes_nothing_vanish_and_keeps_what_it_found(
    take_in: Import, places: MemoryPlaces
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
    take_in: Import, places: MemoryPlaces
) -> None:
    assert {} == (await take_in()).counts
    put(places, 1, 2)
    await take_in()
    for name in (1, 2):
        places.remove(f"{ROOT}{name}")
    with pytest.raises(Misconfigured, match=r"all 2 objects would be removed: .*even-everything"):
        await take_in()
    assert {"1", "2"} == await take_in.names()
    assert {Finding.VANISHED: 2} == (await take_in(even_everything=True)).counts
    assert set() == await take_in.names()


async def test_other_places_are_none_of_its_business(
    take_in: Import, use_cases: UseCases, places: MemoryPlaces
) -> None:
    put(places, 1)
    places.put("s3://photos-too/2", picture(2))
    await use_cases.reconcile("s3://photos-too/")
    assert {Finding.NEW: 1} == (await take_in()).counts
    assert {"1", "s3://photos-too/2"} == await take_in.names()


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("cuts", [(), ("3",), ("2", "25", "4")])
async def test_many_are_gone_through_in_chunks_and_stretches(
    take_in: Import, places: MemoryPlaces, cuts: tuple[str, ...]
) -> None:
    places.cuts = cuts
    put(places, *range(10, 50, 2))
    assert {Finding.NEW: 20} == (await take_in()).counts
    for number in range(20, 30, 2):
        places.remove(f"{ROOT}{number}")
    put(places, *range(11, 50, 4))
    put(places, 30, 40, version="2")
    stock = await take_in()
    expected = {Finding.NEW: 10, Finding.CHANGED: 2, Finding.UNCHANGED: 13, Finding.VANISHED: 5}
    assert expected == stock.counts
    assert {f"{ROOT}{name}" for name in await take_in.names()} == {
        source.location for source in places.sources.objects
    }
    assert {Finding.UNCHANGED: 25} == (await take_in()).counts


async def test_a_dry_run_tells_what_would_be_done_and_does_nothing(
    take_in: Import, use_cases: UseCases, places: MemoryPlaces, work: MemoryWork
) -> None:
    put(places, 1, 2, 3)
    places.put(f"{ROOT}4", b"no picture")
    stock = await use_cases.reconcile(ROOT, dry_run=True)
    assert ({Finding.NEW: 4}, 4) == (stock.counts, len(stock.sample))
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
    assert {Finding.VANISHED: 4} == stock.counts
    assert before == await take_in.images()


async def test_tags_are_put_on_all_also_on_what_is_here_already(
    take_in: Import, use_cases: UseCases, places: MemoryPlaces
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
    take_in: Import, places: MemoryPlaces, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(places, 1, 2, 3)
    await take_in()

    async def backwards(_root: str, _stretch: Stretch) -> AsyncIterator[ListedObject]:
        for number in (3, 1):
            yield ListedObject(Source(f"{ROOT}{number}", "1"), 1)

    monkeypatch.setattr(places, "list", backwards)
    with pytest.raises(Misconfigured, match=r"not listed in order .* use --manifest"):
        await take_in()
    assert {"1", "2", "3"} == await take_in.names()
