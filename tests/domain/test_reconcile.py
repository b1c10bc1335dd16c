"""What is known of a place is brought in line with what lies there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from domain.entities.external_objects import KeyRange, ObjectChange
from domain.entities.images import Source, Variant
from domain.entities.uploads import UploadedImage
from domain.errors import ImageNotFound
from domain.use_cases.library.read import read_all
from tests.domain.imports import ROOT, Import, picture, put
from tests.fakes.files import upload

if TYPE_CHECKING:
    from domain import UseCases
    from tests.fakes.objects import MemoryExternalObjects
    from tests.fakes.places import MemoryObjectListing
    from tests.fakes.storage import MemoryStorage
    from tests.fakes.work import MemoryWorkQueue


async def test_what_is_new_is_indexed_and_only_its_renditions_are_kept(
    take_in: Import, places: MemoryObjectListing, storage: MemoryStorage
) -> None:
    put(places, 1, 2)
    stock = await take_in()
    assert {ObjectChange.NEW: 2} == stock.counts
    assert {"1", "2"} == await take_in.names()
    one = (await take_in.images())[f"{ROOT}1"]
    assert Source(f"{ROOT}1", "1") == one.source
    for variant in Variant:
        assert (variant is not Variant.ORIGINAL) == (variant.key_of(one.id) in storage.objects)
    assert picture(1) == await read_all(await take_in.use_cases.read(one, Variant.ORIGINAL))


async def test_what_is_unchanged_is_left_and_written_nowhere(
    take_in: Import, places: MemoryObjectListing, storage: MemoryStorage, work: MemoryWorkQueue
) -> None:
    put(places, 1, 2)
    await take_in()
    before = await take_in.images(), dict(storage.objects), dict(work.objects)
    assert {ObjectChange.UNCHANGED: 2} == (await take_in()).counts
    assert before == (await take_in.images(), dict(storage.objects), dict(work.objects))


async def test_another_version_is_another_image(
    take_in: Import, places: MemoryObjectListing, storage: MemoryStorage
) -> None:
    put(places, 1)
    await take_in()
    before = (await take_in.images())[f"{ROOT}1"]
    places.put(f"{ROOT}1", picture(9), version="2")
    with pytest.raises(ImageNotFound, match=r"original of image .* is not where it was"):
        await take_in.use_cases.read(before, Variant.ORIGINAL)
    assert await take_in.use_cases.read(before, Variant.LARGE)
    assert {ObjectChange.CHANGED: 1} == (await take_in()).counts
    after = (await take_in.images())[f"{ROOT}1"]
    assert before.id != after.id
    assert Source(f"{ROOT}1", "2") == after.source
    assert {str(after.id)} == {key.partition("/")[0] for key in storage.objects}


async def test_what_has_vanished_goes_with_its_image(
    take_in: Import,
    places: MemoryObjectListing,
    storage: MemoryStorage,
    objects: MemoryExternalObjects,
) -> None:
    put(places, 1, 2, 3)
    await take_in()
    places.remove(f"{ROOT}2")
    assert {ObjectChange.UNCHANGED: 2, ObjectChange.VANISHED: 1} == (await take_in()).counts
    assert {"1", "3"} == await take_in.names()
    assert 4 == len(storage.objects)
    assert {} == await objects.find([f"{ROOT}2"])


async def test_what_vanishes_before_it_is_indexed_is_never_indexed(
    take_in: Import, use_cases: UseCases, places: MemoryObjectListing, work: MemoryWorkQueue
) -> None:
    put(places, 1, 2)
    await use_cases.reconcile(ROOT)
    places.remove(f"{ROOT}2")
    assert {ObjectChange.UNFINISHED: 1, ObjectChange.VANISHED: 1} == (await take_in()).counts
    assert {"1"} == await take_in.names()
    assert {} == work.entries


@pytest.mark.parametrize("changed", [False, True])
async def test_where_the_same_bytes_lie_elsewhere_the_image_stays_and_is_read_there(
    take_in: Import, places: MemoryObjectListing, *, changed: bool
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
    await take_in(force=True)
    assert before.id not in {image.id for image in (await take_in.images()).values()}


async def test_a_copy_that_vanishes_leaves_the_image_where_it_was_found_first(
    take_in: Import, places: MemoryObjectListing
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
    take_in: Import, use_cases: UseCases, places: MemoryObjectListing
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
    take_in: Import, use_cases: UseCases, places: MemoryObjectListing
) -> None:
    put(places, 1, 2)
    await take_in()
    gone = (await take_in.images())[f"{ROOT}1"]
    await use_cases.delete([gone.id])
    assert {ObjectChange.UNCHANGED: 2} == (await take_in(retry=True)).counts
    assert {"2"} == await take_in.names()
    put(places, 1, version="2")
    assert {ObjectChange.UNCHANGED: 1, ObjectChange.CHANGED: 1} == (await take_in()).counts
    assert {"1", "2"} == await take_in.names()
    assert f"{ROOT}1" in {source.location for source in places.sources.objects}


async def test_what_was_refused_is_tried_again_when_it_changes_or_that_is_asked(
    take_in: Import, use_cases: UseCases, places: MemoryObjectListing
) -> None:
    whole = KeyRange.below(ROOT)
    places.put(f"{ROOT}1", b"no picture")
    await take_in()
    count, [refused] = await use_cases.index_found.refused(whole)
    assert (1, f"{ROOT}1") == (count, refused.location)
    assert "This file is no picture" in refused.reason
    assert {ObjectChange.REFUSED: 1} == (await take_in()).counts
    assert {ObjectChange.CHANGED: 1} == (await take_in(retry=True)).counts
    assert 1 == (await use_cases.index_found.refused(whole))[0]
    put(places, 1, version="2")
    assert {ObjectChange.CHANGED: 1} == (await take_in()).counts
    assert (0, []) == await use_cases.index_found.refused(whole)
    assert {"1"} == await take_in.names()
