"""Looking for what a library lacks, and mending it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from domain.entities.images import ImageStatus, Variant
from domain.errors import InvalidContent, Misconfigured
from domain.use_cases.maintenance.check import LOST, CheckLibrary, Fault
from tests.domain.libraries import RED, Library
from tests.fakes.encoder import COLOURS
from tests.fakes.files import upload
from tests.fakes.gaps import MemoryRepairQueue
from tests.fakes.images import image_with
from tests.fakes.imaging import picture_file

if TYPE_CHECKING:
    from domain import UseCases
    from domain.entities.images import Image
    from domain.entities.uploads import UploadedImage
    from domain.use_cases.indexing import IndexImages
    from tests.fakes.catalog import MemoryCatalog
    from tests.fakes.sources import MemoryExternalFiles
    from tests.fakes.storage import MemoryStorage
    from tests.fakes.work import MemoryWorkQueue


@pytest.fixture
def check(
    catalog: MemoryCatalog,
    storage: MemoryStorage,
    sources: MemoryExternalFiles,
    work: MemoryWorkQueue,
) -> CheckLibrary:
    return CheckLibrary(catalog, storage, sources, MemoryRepairQueue(catalog, work))


async def take_in(use_cases: UseCases, colour: str = "red") -> Image:
    [taken] = await use_cases.upload([upload(picture_file(COLOURS[colour]))])
    uploaded: UploadedImage = taken  # type: ignore[assignment]  # not refused
    return uploaded.image


async def test_a_library_in_order_has_no_faults(check: CheckLibrary, by_colour: object) -> None:
    assert by_colour
    faults = await check()
    assert faults.images == faults.originals_read > 0
    assert not faults.counts


@pytest.mark.parametrize("variant", [Variant.LARGE, Variant.THUMBNAIL])
async def test_a_rendition_that_is_missing_is_made_anew(
    check: CheckLibrary,
    use_cases: UseCases,
    index: IndexImages,
    storage: MemoryStorage,
    variant: Variant,
) -> None:
    image = await take_in(use_cases)
    await storage.delete([variant.key_of(image.id)])
    assert {Fault.NO_RENDITION: [image.id]} == (await check()).examples
    assert 1 == (await check(repair=True)).mended
    assert [1] == [ended async for ended in index()]
    assert not (await check()).counts
    assert image == (await use_cases.get([image.id]))[image.id]


async def test_what_has_lost_its_original_fails_until_it_is_uploaded_again(
    check: CheckLibrary, use_cases: UseCases, storage: MemoryStorage
) -> None:
    image, _ = [await take_in(use_cases, colour) for colour in ("red", "blue")]
    await storage.delete([Variant.ORIGINAL.key_of(image.id)])
    assert {Fault.NO_ORIGINAL: [image.id]} == (await check()).examples
    assert 1 == (await check(repair=True)).mended
    failed = (await use_cases.get([image.id]))[image.id]
    assert (ImageStatus.FAILED, LOST) == (failed.status, failed.failure_reason)
    assert not (await check()).counts
    again = await take_in(use_cases)
    assert again.id != image.id
    assert ImageStatus.READY is again.status
    assert not (await check()).counts


async def test_where_most_originals_are_missing_nothing_is_changed_unless_it_is_meant(
    check: CheckLibrary, use_cases: UseCases, storage: MemoryStorage
) -> None:
    image = await take_in(use_cases)
    storage.objects.clear()
    storage.modified.clear()
    with pytest.raises(Misconfigured, match="1 of 1 originals are missing"):
        await check(repair=True)
    assert image == (await use_cases.get([image.id]))[image.id]
    assert 1 == (await check(repair=True, force=True)).mended


async def test_an_original_that_is_not_what_it_was_is_found_when_it_is_read(
    check: CheckLibrary, use_cases: UseCases, storage: MemoryStorage
) -> None:
    image = await take_in(use_cases)
    storage.objects[Variant.ORIGINAL.key_of(image.id)] += b"!"
    assert not (await check(sample=0)).counts
    assert {Fault.DAMAGED: [image.id]} == (await check()).examples


async def test_a_sample_is_as_large_as_was_asked_for(
    check: CheckLibrary, by_colour: dict[str, Image]
) -> None:
    assert len(by_colour) > 3
    assert 3 == (await check(sample=3)).originals_read


@pytest.mark.parametrize("changed", [True, False])
async def test_an_original_elsewhere_that_has_gone_or_changed_is_told(
    check: CheckLibrary,
    index: IndexImages,
    library: Library,
    *,
    changed: bool,
) -> None:
    found = library.find()
    assert [1] == [ended async for ended in index()]
    if changed:
        library.sources.objects[found.source] = RED + b" other"
    else:
        library.sources.objects.clear()
    assert {Fault.NO_SOURCE: [found.id]} == (await check()).examples
    assert 0 == (await check(repair=True)).mended


async def test_what_is_not_embedded_is_written_down_for_the_workers(
    check: CheckLibrary, index: IndexImages, library: Library
) -> None:
    image = await library.expect()
    library.work.is_on(image.id)
    library.work.entries.clear()
    assert {Fault.UNEMBEDDED: [image.id]} == (await check()).examples
    assert 1 == (await check(repair=True)).mended
    assert [1] == [ended async for ended in index()]
    assert not (await check()).counts


async def test_an_image_that_comes_while_all_are_looked_through_is_no_fault(
    check: CheckLibrary,
    use_cases: UseCases,
    storage: MemoryStorage,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    listed = storage.list

    async def list_and_take_in():  # type: ignore[no-untyped-def]  # noqa: ANN202 - as it was
        async for stored in listed():
            yield stored
        await take_in(use_cases)

    monkeypatch.setattr(storage, "list", list_and_take_in)
    faults = await check()
    assert (1, 0) == (faults.images, faults.counts.total())


async def test_images_without_any_bytes_are_counted_and_a_few_named(
    check: CheckLibrary, catalog: MemoryCatalog
) -> None:
    for _ in range(7):
        await catalog.add(image_with(), (1.0, *[0.0] * 15))
    faults = await check()
    assert 7 == faults.counts[Fault.NO_ORIGINAL]
    assert 5 == len(faults.examples[Fault.NO_ORIGINAL])


async def test_an_original_elsewhere_that_may_not_be_read_is_a_fault_and_an_outage_is_none(
    check: CheckLibrary, index: IndexImages, library: Library, sources: MemoryExternalFiles
) -> None:
    found = library.find()
    assert [1] == [ended async for ended in index()]
    sources.refusal = InvalidContent("“a.png” cannot be read.")
    assert {Fault.NO_SOURCE: [found.id]} == (await check()).examples
    sources.refusal = ConnectionResetError()
    with pytest.raises(ConnectionResetError):
        await check()
