"""Reconciling the known objects with a listing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from domain.entities.external_objects import KeyRange, ObjectChange
from domain.entities.images import Source, Variant
from domain.entities.uploads import UploadedImage
from domain.errors import ImageNotFound
from domain.use_cases.library.read import read_all
from tests.domain.imports import ROOT, Importer, picture, put
from tests.fakes.files import upload

if TYPE_CHECKING:
    from domain import UseCases
    from tests.fakes.external_objects import MemoryExternalObjects
    from tests.fakes.object_listing import MemoryObjectListing
    from tests.fakes.storage import MemoryStorage
    from tests.fakes.work_queue import MemoryWorkQueue


async def test_new_objects_are_indexed_and_only_renditions_are_stored(
    importer: Importer, object_listing: MemoryObjectListing, storage: MemoryStorage
) -> None:
    put(object_listing, 1, 2)
    summary = await importer()
    assert {ObjectChange.NEW: 2} == summary.counts
    assert {"1", "2"} == await importer.names()
    one = (await importer.images())[f"{ROOT}1"]
    assert Source(f"{ROOT}1", "1") == one.source
    for variant in Variant:
        assert (variant is not Variant.ORIGINAL) == (variant.key_of(one.id) in storage.objects)
    assert picture(1) == await read_all(await importer.use_cases.read(one, Variant.ORIGINAL))


async def test_unchanged_objects_are_not_written(
    importer: Importer,
    object_listing: MemoryObjectListing,
    storage: MemoryStorage,
    work_queue: MemoryWorkQueue,
) -> None:
    put(object_listing, 1, 2)
    await importer()
    before = await importer.images(), dict(storage.objects), dict(work_queue.objects)
    assert {ObjectChange.UNCHANGED: 2} == (await importer()).counts
    assert before == (await importer.images(), dict(storage.objects), dict(work_queue.objects))


async def test_a_new_version_becomes_a_new_image(
    importer: Importer, object_listing: MemoryObjectListing, storage: MemoryStorage
) -> None:
    put(object_listing, 1)
    await importer()
    before = (await importer.images())[f"{ROOT}1"]
    object_listing.put(f"{ROOT}1", picture(9), version="2")
    with pytest.raises(ImageNotFound, match=r"original of image .* is missing at its source"):
        await importer.use_cases.read(before, Variant.ORIGINAL)
    assert await importer.use_cases.read(before, Variant.LARGE)
    assert {ObjectChange.CHANGED: 1} == (await importer()).counts
    after = (await importer.images())[f"{ROOT}1"]
    assert before.id != after.id
    assert Source(f"{ROOT}1", "2") == after.source
    assert {str(after.id)} == {key.partition("/")[0] for key in storage.objects}


async def test_a_vanished_object_is_deleted_with_its_image(
    importer: Importer,
    object_listing: MemoryObjectListing,
    storage: MemoryStorage,
    external_objects: MemoryExternalObjects,
) -> None:
    put(object_listing, 1, 2, 3)
    await importer()
    object_listing.remove(f"{ROOT}2")
    assert {ObjectChange.UNCHANGED: 2, ObjectChange.VANISHED: 1} == (await importer()).counts
    assert {"1", "3"} == await importer.names()
    assert 4 == len(storage.objects)
    assert {} == await external_objects.find([f"{ROOT}2"])


async def test_an_object_that_vanishes_before_it_is_indexed_is_never_indexed(
    importer: Importer,
    use_cases: UseCases,
    object_listing: MemoryObjectListing,
    work_queue: MemoryWorkQueue,
) -> None:
    put(object_listing, 1, 2)
    await use_cases.reconcile(ROOT)
    object_listing.remove(f"{ROOT}2")
    assert {ObjectChange.UNFINISHED: 1, ObjectChange.VANISHED: 1} == (await importer()).counts
    assert {"1"} == await importer.names()
    assert {} == work_queue.entries


@pytest.mark.parametrize("changed", [False, True])
async def test_an_image_gets_another_object_with_the_same_bytes_as_its_source(
    importer: Importer, object_listing: MemoryObjectListing, *, changed: bool
) -> None:
    for name in ("a", "b"):
        object_listing.put(f"{ROOT}{name}", picture(1), version=name)
    await importer()
    [before] = (await importer.images()).values()
    assert before.source
    [other] = {"a", "b"} - {before.source.version}
    if changed:
        object_listing.put(before.source.location, picture(2), version="new")
    else:
        object_listing.remove(before.source.location)
    await importer()
    after = next(each for each in (await importer.images()).values() if each.id == before.id)
    assert Source(f"{ROOT}{other}", other) == after.source
    object_listing.remove(f"{ROOT}{other}")
    await importer(force=True)
    assert before.id not in {image.id for image in (await importer.images()).values()}


async def test_a_vanished_copy_leaves_the_source_of_the_image_as_it_is(
    importer: Importer, object_listing: MemoryObjectListing
) -> None:
    for name in ("a", "b"):
        object_listing.put(f"{ROOT}{name}", picture(1))
    await importer()
    [before] = (await importer.images()).values()
    assert before.source
    object_listing.remove(f"{ROOT}{'b' if before.source.location.endswith('a') else 'a'}")
    await importer()
    assert [before] == list((await importer.images()).values())


async def test_an_uploaded_image_stays_when_an_object_with_the_same_bytes_vanishes(
    importer: Importer, use_cases: UseCases, object_listing: MemoryObjectListing
) -> None:
    [sent] = await use_cases.upload([upload(picture(1))])
    assert isinstance(sent, UploadedImage)
    put(object_listing, 1, 2)
    await importer()
    object_listing.remove(f"{ROOT}1")
    await importer()
    assert {sent.image.id} < {image.id for image in (await importer.images()).values()}
    assert picture(1) == await read_all(await use_cases.read(sent.image, Variant.ORIGINAL))


async def test_a_deleted_image_does_not_come_back_as_a_new_version_of_the_same_bytes(
    importer: Importer, use_cases: UseCases, object_listing: MemoryObjectListing
) -> None:
    put(object_listing, 1, 2)
    await importer()
    gone = (await importer.images())[f"{ROOT}1"]
    await use_cases.delete([gone.id])
    assert {ObjectChange.UNCHANGED: 2} == (await importer(retry=True)).counts
    assert {"2"} == await importer.names()
    put(object_listing, 1, version="2")
    assert {ObjectChange.UNCHANGED: 1, ObjectChange.CHANGED: 1} == (await importer()).counts
    assert {"2"} == await importer.names()
    assert f"{ROOT}1" in {source.location for source in object_listing.external_files.files}


async def test_a_refused_object_is_retried_when_it_changes_or_on_request(
    importer: Importer, use_cases: UseCases, object_listing: MemoryObjectListing
) -> None:
    whole = KeyRange.below(ROOT)
    object_listing.put(f"{ROOT}1", b"no picture")
    await importer()
    count, [refused] = await use_cases.index_found.refused(whole)
    assert (1, f"{ROOT}1") == (count, refused.location)
    assert "This file is no picture" in refused.reason
    assert {ObjectChange.REFUSED: 1} == (await importer()).counts
    assert {ObjectChange.CHANGED: 1} == (await importer(retry=True)).counts
    assert 1 == (await use_cases.index_found.refused(whole))[0]
    put(object_listing, 1, version="2")
    assert {ObjectChange.CHANGED: 1} == (await importer()).counts
    assert (0, []) == await use_cases.index_found.refused(whole)
    assert {"1"} == await importer.names()
