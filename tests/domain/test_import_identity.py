"""Images that are imported keep their identity while their files move, change and go missing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from domain.entities.external_objects import (
    MISSING_GRACE_PERIOD,
    ImportCounts,
    ObjectChange,
    UnlistedFolder,
)
from domain.entities.filters import DELETED, EVERYTHING
from domain.entities.images import ImageChanges, ImageStatus, Variant
from domain.entities.queries import ByText
from domain.entities.upload_targets import AnnouncedFile, OfferedTarget
from domain.entities.uploads import UploadedImage
from domain.use_cases.imports.forget_missing import MissingReport
from domain.use_cases.library.read import read_all
from tests.domain.imports import ROOT, Importer, picture, rewritten
from tests.fakes.files import upload

if TYPE_CHECKING:
    from domain.entities.images import Image
    from domain.use_cases.imports.summary import ImportSummary
    from tests.fakes.clock import SettableClock
    from tests.fakes.encoder import FakeEncoder
    from tests.fakes.imaging import FakeImaging
    from tests.fakes.object_listing import MemoryObjectListing

DISK = f"{ROOT}disk/"


class Album:
    """Imported pictures that a person has described, and what it cost to import them again."""

    def __init__(
        self,
        importer: Importer,
        listing: MemoryObjectListing,
        encoder: FakeEncoder,
        imaging: FakeImaging,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        self.importer = importer
        self.listing = listing
        self.encoder = encoder
        self.decoded = self.read = 0
        decode, open_file = imaging.decode, listing.external_files.open

        async def count_decoded(data: bytes, **options: Any) -> object:  # noqa: ANN401 - passed through
            self.decoded += 1
            return await decode(data, **options)

        async def count_read(*arguments: object) -> object:
            self.read += 1
            return await open_file(*arguments)  # type: ignore[arg-type]  # passed through

        monkeypatch.setattr(imaging, "decode", count_decoded)
        monkeypatch.setattr(listing.external_files, "open", count_read)

    async def add(self, **files: bytes) -> dict[str, Image]:
        """Import files, describe their images, and return these by name."""
        for name, data in files.items():
            self.listing.put(ROOT + name, data)
        await self.importer()
        for image in self.importer.catalog.all():
            await self.importer.use_cases.update(image.id, ImageChanges(alt_text="A quay"))
            await self.importer.use_cases.tag([image.id], ["mine"])
        self.decoded = self.read = 0
        self.encoder.pictures.clear()
        return await self.images()

    def move(self, before: str, after: str) -> None:
        data = next(
            data
            for source, data in self.listing.external_files.files.items()
            if source.location == ROOT + before
        )
        self.listing.remove(ROOT + before)
        self.listing.put(ROOT + after, data, version="moved")

    async def images(self) -> dict[str, Image]:
        return {
            location.removeprefix(ROOT): image
            for location, image in (await self.importer.images()).items()
        }

    async def import_again(self) -> ImportSummary:
        summary = await self.importer()
        assert (0, 0) == (self.decoded, len(self.encoder.pictures))
        return summary


@pytest.fixture
def album(
    importer: Importer,
    object_listing: MemoryObjectListing,
    encoder: FakeEncoder,
    imaging: FakeImaging,
    monkeypatch: pytest.MonkeyPatch,
) -> Album:
    return Album(importer, object_listing, encoder, imaging, monkeypatch)


def facts(image: Image) -> tuple[object, ...]:
    """Return what people see and edit, without what the file says."""
    return image.id, image.created_at, image.alt_text, image.tags, image.rating, image.status


async def test_a_renamed_folder_is_read_once_and_neither_decoded_nor_embedded(
    album: Album,
) -> None:
    before = await album.add(a=picture(1), b=picture(2))
    album.move("a", "new/a")
    album.move("b", "new/b2")
    await album.import_again()
    after = await album.images()
    assert {"new/a": facts(before["a"]), "new/b2": facts(before["b"])} == {
        name: facts(image) for name, image in after.items()
    }
    assert "b2" == after["new/b2"].filename
    assert (2, ImportCounts(recognised=2)) == (album.read, album.importer.became)
    assert {ObjectChange.UNCHANGED: 2} == (await album.import_again()).counts
    assert 2 == album.read


async def test_a_touched_file_is_read_once_and_neither_decoded_nor_embedded(album: Album) -> None:
    before = await album.add(a=picture(1), b=picture(2))
    album.move("a", "a")
    assert {ObjectChange.CHANGED: 1, ObjectChange.UNCHANGED: 1} == (
        await album.import_again()
    ).counts
    assert {name: facts(each) for name, each in before.items()} == {
        name: facts(each) for name, each in (await album.images()).items()
    }
    assert 1 == album.read


async def test_a_file_with_other_metadata_and_the_same_pixels_is_the_same_image(
    album: Album,
) -> None:
    before = (await album.add(a=picture(1)))["a"]
    album.listing.put(f"{ROOT}a", rewritten(1), version="2")
    await album.importer()
    after = (await album.images())["a"]
    assert facts(before) == facts(after)
    assert len(rewritten(1)) == after.byte_size
    assert before.sha256 != after.sha256
    assert 0 == album.importer.became.missing


async def test_files_that_swap_their_names_keep_their_images(album: Album) -> None:
    before = await album.add(a=picture(1), b=picture(2))
    album.move("a", "c")
    album.move("b", "a")
    album.move("c", "b")
    await album.import_again()
    after = await album.images()
    assert (facts(before["a"]), facts(before["b"])) == (facts(after["b"]), facts(after["a"]))


async def test_a_copy_is_the_same_image_until_both_files_are_gone(
    album: Album, clock: SettableClock
) -> None:
    before = (await album.add(a=picture(1), other=picture(2)))["a"]
    album.listing.put(f"{ROOT}copy", picture(1))
    await album.import_again()
    assert {"a", "other"} == set(await album.images())
    album.listing.remove(f"{ROOT}a")
    await album.import_again()
    assert facts(before) == facts((await album.images())["copy"])
    clock.pass_time(MISSING_GRACE_PERIOD)
    await album.import_again()
    assert {"copy", "other"} == set(await album.images())
    album.listing.remove(f"{ROOT}copy")
    await album.import_again()
    clock.pass_time(MISSING_GRACE_PERIOD)
    await album.import_again()
    assert {"other"} == set(await album.images())


@pytest.mark.parametrize("error", [None, "It may not be read."])
async def test_images_below_an_empty_or_unreadable_folder_stay_for_ever(
    album: Album, clock: SettableClock, error: str | None
) -> None:
    await album.add(**{"disk/1": picture(1), "disk/2": picture(2), "other": picture(3)})
    before = await album.images()
    album.listing.unlisted[DISK] = UnlistedFolder(DISK, error)
    for _ in range(3):
        summary = await album.import_again()
        assert {ObjectChange.UNCHANGED: 1, ObjectChange.UNLISTED: 2} == summary.counts
        assert (1, DISK) == (summary.unlisted_count, summary.unlisted[0].location)
        assert ImportCounts(unlisted=2) == album.importer.became
        clock.pass_time(MISSING_GRACE_PERIOD)
    assert before == await album.images()
    album.listing.unlisted.clear()
    summary = await album.import_again()
    assert {ObjectChange.UNCHANGED: 1, ObjectChange.RETURNED: 2} == summary.counts
    assert (before, 0) == (await album.images(), album.read)


async def test_an_empty_folder_counts_as_vanished_only_when_forced(
    album: Album, clock: SettableClock
) -> None:
    await album.add(**{"disk/1": picture(1), "other": picture(3)})
    album.listing.unlisted[DISK] = UnlistedFolder(DISK)
    await album.import_again()
    assert {"disk/1", "other"} == set(await album.images())
    for trashed in (1, 0):
        await album.importer(force=True)
        assert {"other"} == set(await album.images())
        assert {"disk/1"} == album.importer.missing_names()
        assert MissingReport(trashed) == album.importer.missing
        clock.pass_time(MISSING_GRACE_PERIOD / 2)
    await album.importer(force=True)
    assert ({"other"}, set()) == (set(await album.images()), album.importer.missing_names())
    assert MissingReport(forgotten=1) == album.importer.missing


async def test_files_that_moved_out_of_a_folder_leave_it_empty_and_keep_their_images(
    album: Album,
) -> None:
    before = (await album.add(**{"disk/1": picture(1)}))["disk/1"]
    album.move("disk/1", "album/1")
    album.listing.unlisted[DISK] = UnlistedFolder(DISK)
    await album.import_again()
    assert facts(before) == facts((await album.images())["album/1"])
    assert ImportCounts(recognised=1) == album.importer.became


async def test_an_unreadable_folder_without_known_pictures_is_named_and_an_empty_one_is_not(
    album: Album,
) -> None:
    album.listing.unlisted[DISK] = UnlistedFolder(DISK, "It may not be read.")
    album.listing.unlisted[f"{ROOT}empty/"] = UnlistedFolder(f"{ROOT}empty/")
    album.listing.put(f"{ROOT}a", picture(1))
    summary = await album.importer()
    assert [DISK] == [each.location for each in summary.unlisted]
    assert {"a"} == set(await album.images())


async def test_files_that_come_back_within_the_grace_period_are_not_read_again(
    album: Album, clock: SettableClock
) -> None:
    await album.add(a=picture(1), b=picture(2))
    before = await album.images()
    album.listing.remove(f"{ROOT}a")
    await album.import_again()
    assert ({"b"}, {"a"}) == (set(await album.images()), album.importer.missing_names())
    clock.pass_time(MISSING_GRACE_PERIOD / 2)
    album.listing.put(f"{ROOT}a", picture(1))
    assert ObjectChange.RETURNED in (await album.import_again()).counts
    clock.pass_time(MISSING_GRACE_PERIOD)
    await album.import_again()
    assert (before, 0) == (await album.images(), album.read)


async def test_a_location_with_new_pixels_gets_its_old_image_back_with_the_old_file(
    album: Album,
) -> None:
    before = (await album.add(a=picture(1)))["a"]
    album.listing.put(f"{ROOT}a", picture(2), version="2")
    await album.importer()
    [new] = album.importer.catalog.all()
    assert {before.id} == album.importer.catalog.missing
    album.listing.put(f"{ROOT}a", picture(1), version="3")
    album.decoded = 0
    album.encoder.pictures.clear()
    await album.import_again()
    [after] = album.importer.catalog.all()
    assert {new.id} == album.importer.catalog.missing
    assert (facts(before), f"{ROOT}a", "3") == (
        facts(after),
        after.source and after.source.location,
        after.source and after.source.version,
    )
    assert ImportCounts(recognised=1, missing=1) == album.importer.became


@pytest.mark.parametrize("how", ["as before", "moved", "rewritten"])
async def test_a_missing_image_is_not_shown_until_it_comes_back_whole_with_its_file(
    album: Album, clock: SettableClock, how: str
) -> None:
    before = (await album.add(a=picture(1), b=picture(2)))["a"]
    embeddings = await album.importer.catalog.embeddings([before.id])
    album.listing.remove(f"{ROOT}a")
    await album.import_again()
    use_cases = album.importer.use_cases
    assert {} == await use_cases.get([before.id])
    found = await use_cases.search(ByText("red"))
    assert before.id not in {each.image.id for each in found.found}
    assert (1, 1) == (
        await use_cases.list.count(EVERYTHING),
        await use_cases.list.count(DELETED),
    )
    clock.pass_time(MISSING_GRACE_PERIOD / 2)
    await album.import_again()
    assert ImportCounts(missing=1) == album.importer.became

    name = "moved" if how == "moved" else "a"
    data = rewritten(1) if how == "rewritten" else picture(1)
    album.listing.put(f"{ROOT}{name}", data, version="1" if how == "as before" else "2")
    await album.importer()
    after = (await album.images())[name]
    assert (facts(before), None) == (facts(after), after.deleted_at)
    assert embeddings == await album.importer.catalog.embeddings([before.id])
    assert data == await read_all(await use_cases.read(after, Variant.ORIGINAL))
    assert 0 == album.importer.became.missing
    clock.pass_time(MISSING_GRACE_PERIOD)
    await album.importer()
    assert {"b", name} == set(await album.images())


@pytest.mark.parametrize("is_missing_first", [False, True])
@pytest.mark.parametrize("how", ["as before", "moved", "rewritten"])
async def test_a_deleted_image_stays_deleted_although_its_file_vanishes_and_comes_back(
    album: Album, how: str, *, is_missing_first: bool
) -> None:
    before = (await album.add(a=picture(1), b=picture(2)))["a"]
    use_cases = album.importer.use_cases
    if not is_missing_first:
        assert {before.id} == await use_cases.delete([before.id])
    album.listing.remove(f"{ROOT}a")
    await album.import_again()
    if is_missing_first:
        assert {before.id} == await use_cases.delete([before.id])
    assert set() == album.importer.catalog.missing
    name = "moved" if how == "moved" else "a"
    data = rewritten(1) if how == "rewritten" else picture(1)
    album.listing.put(f"{ROOT}{name}", data, version="1" if how == "as before" else "2")
    await album.importer()
    assert ImportCounts() == replace(album.importer.became, recognised=0)
    assert {"b"} == set(await album.images())
    assert {before.id} == set(await use_cases.restore([before.id]))


async def test_a_missing_image_that_a_user_restores_is_shown_until_the_next_import(
    album: Album,
) -> None:
    before = (await album.add(a=picture(1), b=picture(2)))["a"]
    album.listing.remove(f"{ROOT}a")
    await album.import_again()
    assert {before.id: before} == await album.importer.use_cases.restore([before.id])
    assert before == (await album.images())["a"]
    await album.import_again()
    assert ({"b"}, {"a"}) == (set(await album.images()), album.importer.missing_names())


async def test_a_missing_image_whose_bytes_are_uploaded_is_kept_without_its_file(
    album: Album, clock: SettableClock
) -> None:
    before = (await album.add(a=picture(1), b=picture(2)))["a"]
    album.listing.remove(f"{ROOT}a")
    await album.import_again()
    use_cases = album.importer.use_cases
    announced = AnnouncedFile("a.png", "image/png", 1_000, before.sha256)
    [offer] = await use_cases.create_upload_targets([announced])
    assert isinstance(offer, OfferedTarget)
    assert (None, True) == (offer.existing, offer.form is not None)

    [sent] = await use_cases.upload([upload(picture(1))])
    assert isinstance(sent, UploadedImage)
    assert (facts(before), None) == (facts(sent.image), sent.image.source)
    for _ in range(2):
        await album.importer()
        clock.pass_time(MISSING_GRACE_PERIOD)
    [after] = (await use_cases.get([before.id])).values()
    assert picture(1) == await read_all(await use_cases.read(after, Variant.ORIGINAL))


async def test_emptying_the_trash_leaves_missing_images_to_the_import(album: Album) -> None:
    before = (await album.add(a=picture(1), b=picture(2)))["a"]
    album.listing.remove(f"{ROOT}a")
    await album.import_again()
    use_cases = album.importer.use_cases
    assert 0 == await replace(use_cases.empty_trash, trash_lifetime=timedelta(0))()
    album.listing.put(f"{ROOT}a", picture(1))
    await album.import_again()
    assert before == (await album.images())["a"]


async def test_an_image_that_failed_while_it_was_missing_is_replaced_when_its_bytes_come_back(
    album: Album,
) -> None:
    before = (await album.add(a=picture(1), b=picture(2)))["a"]
    failed = replace(before, status=ImageStatus.FAILED, failure_reason="No.")
    album.importer.catalog.put(failed, ())
    album.listing.remove(f"{ROOT}a")
    await album.importer()
    assert {before.id} == album.importer.catalog.missing
    album.listing.put(f"{ROOT}moved", picture(1))
    await album.importer()
    after = (await album.images())["moved"]
    assert (ImageStatus.READY, True) == (after.status, before.id != after.id)
    assert set() == await album.importer.catalog.existing_ids([before.id])
