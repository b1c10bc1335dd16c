"""Reconciling the known objects with a listing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from domain.entities.external_objects import (
    MISSING_GRACE_PERIOD,
    ImportCounts,
    ObjectChange,
)
from domain.entities.images import Source, Variant, uuid7
from domain.entities.passed_over import PassedOver
from domain.entities.uploads import UploadedImage
from domain.entities.work import FoundObject
from domain.errors import ImageNotFound
from domain.use_cases.imports.forget_missing import MissingReport
from domain.use_cases.library.read import read_all
from tests.domain.imports import ROOT, Importer, picture, put, rewritten
from tests.fakes.files import upload

if TYPE_CHECKING:
    from domain import UseCases
    from tests.fakes.clock import SettableClock
    from tests.fakes.external_objects import MemoryExternalObjects
    from tests.fakes.object_listing import MemoryObjectListing
    from tests.fakes.storage import MemoryStorage
    from tests.fakes.work_queue import MemoryWorkQueue


async def test_new_objects_are_indexed_and_only_thumbnails_are_stored(
    importer: Importer, object_listing: MemoryObjectListing, storage: MemoryStorage
) -> None:
    put(object_listing, 1, 2)
    summary = await importer()
    assert {ObjectChange.NEW: 2} == summary.counts
    assert {"1", "2"} == await importer.names()
    one = (await importer.images())[f"{ROOT}1"]
    assert Source(f"{ROOT}1", "1") == one.source
    for variant in Variant:
        assert (variant is Variant.THUMBNAIL) == (variant.key_of(one.id) in storage.objects)
    assert picture(1) == await read_all(await importer.use_cases.read(one, Variant.ORIGINAL))


async def test_what_is_excluded_is_not_part_of_a_listing(
    importer: Importer, use_cases: UseCases, object_listing: MemoryObjectListing
) -> None:
    put(object_listing, 1, 2)
    object_listing.put(f"{ROOT}@eaDir/1", picture(3))
    await importer()
    assert {"1", "2"} == await importer.names()
    summary = await use_cases.reconcile(ROOT, exclude=["1"])
    assert {ObjectChange.UNCHANGED: 1, ObjectChange.VANISHED: 1} == summary.counts


async def test_the_place_of_one_object_is_told_from_that_of_several(
    use_cases: UseCases, object_listing: MemoryObjectListing
) -> None:
    put(object_listing, 1)
    assert await use_cases.reconcile.is_object(f"{ROOT}1")
    assert not await use_cases.reconcile.is_object(ROOT)


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


async def test_new_bytes_at_a_location_become_a_new_image_and_the_old_one_is_missing(
    importer: Importer,
    object_listing: MemoryObjectListing,
    storage: MemoryStorage,
    clock: SettableClock,
) -> None:
    put(object_listing, 1)
    await importer()
    await importer.use_cases.render_imported()
    before = (await importer.images())[f"{ROOT}1"]
    object_listing.put(f"{ROOT}1", picture(9), version="2")
    with pytest.raises(ImageNotFound, match=r"original of image .* is missing at its source"):
        await importer.use_cases.read(before, Variant.ORIGINAL)
    assert await importer.use_cases.read(before, Variant.LARGE)
    assert {ObjectChange.CHANGED: 1} == (await importer()).counts
    after = (await importer.images())[f"{ROOT}1"]
    assert before.id != after.id
    assert Source(f"{ROOT}1", "2") == after.source
    assert ImportCounts(missing=1) == importer.became
    assert ([after], {before.id}) == (importer.catalog.all(), importer.catalog.missing)
    clock.pass_time(MISSING_GRACE_PERIOD)
    assert {ObjectChange.UNCHANGED: 1} == (await importer()).counts
    assert (MissingReport(forgotten=1), ImportCounts()) == (importer.missing, importer.became)
    assert {str(after.id)} == {key.partition("/")[0] for key in storage.objects}


async def test_the_image_of_a_vanished_object_is_in_the_trash_for_the_grace_period(
    importer: Importer,
    object_listing: MemoryObjectListing,
    storage: MemoryStorage,
    external_objects: MemoryExternalObjects,
    clock: SettableClock,
) -> None:
    put(object_listing, 1, 2, 3)
    await importer()
    object_listing.remove(f"{ROOT}2")
    for trashed in (1, 0):
        assert {ObjectChange.UNCHANGED: 2, ObjectChange.VANISHED: 1} == (await importer()).counts
        assert ({"1", "3"}, {"2"}) == (await importer.names(), importer.missing_names())
        assert (MissingReport(trashed), ImportCounts(missing=1)) == (
            importer.missing,
            importer.became,
        )
        assert 3 == len(storage.objects)
        clock.pass_time(MISSING_GRACE_PERIOD / 2)
    await importer()
    assert ({"1", "3"}, set()) == (await importer.names(), importer.missing_names())
    assert 2 == len(storage.objects)
    assert {} == await external_objects.find([f"{ROOT}2"])
    assert {ObjectChange.UNCHANGED: 2} == (await importer()).counts


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
    importer: Importer,
    object_listing: MemoryObjectListing,
    clock: SettableClock,
    *,
    changed: bool,
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
    assert (Source(f"{ROOT}{other}", other), other) == (after.source, after.filename)
    assert ImportCounts() == importer.became
    object_listing.remove(f"{ROOT}{other}")
    await importer(force=True)
    assert ImportCounts(missing=1) == replace(importer.became, recognised=0)
    assert {before.id} == importer.catalog.missing
    clock.pass_time(MISSING_GRACE_PERIOD)
    await importer(force=True)
    assert before.id not in await importer.catalog.existing_ids([before.id])


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
    importer: Importer,
    use_cases: UseCases,
    object_listing: MemoryObjectListing,
    clock: SettableClock,
) -> None:
    [sent] = await use_cases.upload([upload(picture(1))])
    assert isinstance(sent, UploadedImage)
    put(object_listing, 1, 2)
    await importer()
    object_listing.remove(f"{ROOT}1")
    await importer()
    clock.pass_time(MISSING_GRACE_PERIOD)
    await importer()
    assert {sent.image.id} < {image.id for image in (await importer.images()).values()}
    assert picture(1) == await read_all(await use_cases.read(sent.image, Variant.ORIGINAL))


async def test_a_deleted_image_comes_back_only_with_new_pixels(
    importer: Importer, use_cases: UseCases, object_listing: MemoryObjectListing
) -> None:
    put(object_listing, 1, 2)
    await importer()
    gone = (await importer.images())[f"{ROOT}1"]
    await use_cases.delete([gone.id])
    assert {ObjectChange.UNCHANGED: 2} == (await importer(retry=True)).counts
    assert {"2"} == await importer.names()
    for version, data in enumerate((picture(1), rewritten(1), picture(1))):
        object_listing.put(f"{ROOT}1", data, version=f"touched {version}")
        assert {ObjectChange.UNCHANGED: 1, ObjectChange.CHANGED: 1} == (await importer()).counts
        assert {"2"} == await importer.names()
    object_listing.remove(f"{ROOT}1")
    object_listing.put(f"{ROOT}moved", picture(1))
    await importer()
    assert {"2"} == await importer.names()
    object_listing.put(f"{ROOT}moved", picture(9), version="2")
    await importer()
    assert {"moved", "2"} == await importer.names()
    assert f"{ROOT}moved" in {source.location for source in object_listing.external_files.files}


async def test_a_refused_object_is_retried_when_it_changes_or_on_request(
    importer: Importer, use_cases: UseCases, object_listing: MemoryObjectListing
) -> None:
    object_listing.put(f"{ROOT}1", b"no picture")
    first = await importer()
    count, [refused] = await use_cases.index_found.refused(first)
    assert (1, f"{ROOT}1") == (count, refused.location)
    assert "This file is no picture" in refused.reason
    again = await importer()
    assert {ObjectChange.REFUSED: 1} == again.counts
    retried = await importer(retry=True)
    assert {ObjectChange.CHANGED: 1} == retried.counts
    assert 1 == (await use_cases.index_found.refused(retried))[0]
    put(object_listing, 1, version="2")
    changed = await importer()
    assert {ObjectChange.CHANGED: 1} == changed.counts
    assert (0, []) == await use_cases.index_found.refused(changed)
    assert {"1"} == await importer.names()


async def test_files_that_are_no_pictures_are_passed_over_and_not_read(
    importer: Importer, use_cases: UseCases, object_listing: MemoryObjectListing
) -> None:
    put(object_listing, 1)
    for name in ("1.xmp", "1.MP4", "@eaDir/1.jpg/THUMB.jpg", ".DS_Store", "._1.jpg", "notes.txt"):
        object_listing.put(ROOT + name, b"no picture")
    summary = await importer()
    assert {ObjectChange.NEW: 1} == summary.counts
    assert {
        PassedOver.SIDECAR: 1,
        PassedOver.VIDEO: 1,
        PassedOver.SYSTEM: 3,
        PassedOver.OTHER: 1,
    } == summary.passed_over
    assert {"1"} == await importer.names()
    assert (0, []) == await use_cases.index_found.refused(summary)


async def test_what_an_earlier_version_refused_is_passed_over_and_known_images_are_kept(
    importer: Importer, use_cases: UseCases, object_listing: MemoryObjectListing
) -> None:
    sidecar, image = f"{ROOT}1.xmp", f"{ROOT}really a picture.txt"
    object_listing.put(sidecar, b"no picture")
    object_listing.put(image, picture(1))
    found = [await object_listing.stat(location) for location in (sidecar, image)]
    await use_cases.reconcile.external_objects.add(
        [FoundObject(uuid7(), each.source, each.byte_size) for each in found]
    )
    async for _ in use_cases.index():
        pass
    for _ in range(2):
        summary = await importer()
        assert {PassedOver.SIDECAR: 1} == summary.passed_over
        assert {ObjectChange.UNCHANGED: 1} == summary.counts
        assert {"really a picture.txt"} == await importer.names()
