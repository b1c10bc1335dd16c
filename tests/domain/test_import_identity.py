"""Images that are imported keep their identity while their files move, change and go missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from domain.entities.external_objects import (
    MISSING_GRACE_PERIOD,
    ImportCounts,
    ObjectChange,
    UnlistedFolder,
)
from domain.entities.images import ImageChanges
from tests.domain.imports import ROOT, Importer, picture, rewritten

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
    for _ in range(2):
        await album.importer(force=True)
        assert {"disk/1", "other"} == set(await album.images())
        clock.pass_time(MISSING_GRACE_PERIOD / 2)
    await album.importer(force=True)
    assert {"other"} == set(await album.images())


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
    assert 2 == len(album.importer.catalog.all())
    album.listing.put(f"{ROOT}a", picture(1), version="3")
    album.decoded = 0
    album.encoder.pictures.clear()
    await album.import_again()
    [after] = [each for each in album.importer.catalog.all() if each.id == before.id]
    assert (facts(before), f"{ROOT}a", "3") == (
        facts(after),
        after.source and after.source.location,
        after.source and after.source.version,
    )
    assert ImportCounts(recognised=1, missing=1) == album.importer.became
