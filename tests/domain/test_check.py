"""Checking the library, and repairing it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from domain.entities.faults import DEFAULT_SCRUB_LIFETIME, Fault
from domain.entities.images import ImageStatus, Variant, uuid7
from domain.entities.work import MAX_ATTEMPTS
from domain.errors import AccessRefused, InvalidContent, Misconfigured, Overloaded, Unavailable
from domain.use_cases.maintenance import check as check_module
from domain.use_cases.maintenance import scrub as scrub_module
from domain.use_cases.maintenance.check import ORIGINAL_MISSING_REASON, CheckLibrary
from domain.use_cases.maintenance.scrub import CheckOriginal, Scrub
from domain.use_cases.maintenance.sweep import ORPHAN_GRACE_PERIOD
from tests.domain.library_with_tasks import RED, LibraryWithTasks
from tests.fakes.claims import claim_storage
from tests.fakes.encoder import COLOURS
from tests.fakes.files import upload
from tests.fakes.images import image_with
from tests.fakes.imaging import picture_file
from tests.fakes.repair_queue import MemoryRepairQueue
from tests.fakes.scrubs import MemoryScrubs
from tests.fakes.trash import MemoryTrash

if TYPE_CHECKING:
    from domain import UseCases
    from domain.entities.images import Image
    from domain.entities.storage import Blob, ByteRange
    from domain.entities.uploads import UploadedImage
    from domain.use_cases.indexing import IndexImages
    from tests.fakes.catalog import MemoryCatalog
    from tests.fakes.clock import SettableClock
    from tests.fakes.external_files import MemoryExternalFiles
    from tests.fakes.storage import MemoryStorage
    from tests.fakes.work_queue import MemoryWorkQueue


@pytest.fixture
def scrubs(catalog: MemoryCatalog) -> MemoryScrubs:
    return MemoryScrubs(catalog)


@pytest.fixture
def check(  # noqa: PLR0913 - one parameter for each fake
    catalog: MemoryCatalog,
    storage: MemoryStorage,
    *,
    external_files: MemoryExternalFiles,
    work_queue: MemoryWorkQueue,
    scrubs: MemoryScrubs,
    clock: SettableClock,
) -> CheckLibrary:
    return CheckLibrary(
        catalog,
        storage,
        claim_storage(catalog, storage),
        CheckOriginal(storage, external_files, scrubs, clock),
        scrubs,
        MemoryRepairQueue(catalog, work_queue),
        clock,
        DEFAULT_SCRUB_LIFETIME,
    )


async def upload_picture(use_cases: UseCases, colour: str = "red") -> Image:
    [outcome] = await use_cases.upload([upload(picture_file(COLOURS[colour]))])
    uploaded: UploadedImage = outcome  # type: ignore[assignment]  # not refused
    return uploaded.image


async def test_a_complete_library_has_no_faults(check: CheckLibrary, by_colour: object) -> None:
    assert by_colour
    report = await check()
    assert report.images == report.originals_read > 0
    assert not report.counts


async def indexed_object(index: IndexImages, library: LibraryWithTasks) -> Image:
    found = library.add_object()
    assert [1] == [ended async for ended in index()]
    return await library.image(found.id)


@pytest.mark.parametrize(
    ("is_external", "variant"),
    [(False, Variant.THUMBNAIL), (True, Variant.THUMBNAIL), (True, Variant.LARGE)],
)
async def test_a_missing_rendition_is_made_again(  # noqa: PLR0913 - one parameter for each part
    check: CheckLibrary,
    use_cases: UseCases,
    index: IndexImages,
    library: LibraryWithTasks,
    *,
    is_external: bool,
    variant: Variant,
) -> None:
    upload_or_import = indexed_object(index, library) if is_external else upload_picture(use_cases)
    image = await upload_or_import
    await use_cases.render_imported()
    await library.storage.delete([variant.key_of(image.id)])
    assert {Fault.NO_RENDITION: [image.id]} == (await check()).examples
    assert 1 == (await check(repair=True)).repaired
    assert [1] == [ended async for ended in index()]
    assert not (await check()).counts
    repaired = (await use_cases.get([image.id]))[image.id]
    assert (image.status, image.perceptual_hash) == (repaired.status, repaired.perceptual_hash)


async def test_large_of_an_original_in_storage_may_be_missing_and_is_no_orphan(
    check: CheckLibrary, use_cases: UseCases, library: LibraryWithTasks
) -> None:
    image = await upload_picture(use_cases)
    assert Variant.LARGE.key_of(image.id) not in library.storage.objects
    assert not (await check()).counts
    await use_cases.read(image, Variant.LARGE)
    assert Variant.LARGE.key_of(image.id) in library.storage.objects
    assert not (await check()).counts


async def test_an_image_without_its_original_is_failed_until_it_is_uploaded_again(
    check: CheckLibrary, use_cases: UseCases, storage: MemoryStorage
) -> None:
    image, _ = [await upload_picture(use_cases, colour) for colour in ("red", "blue")]
    await storage.delete([Variant.ORIGINAL.key_of(image.id)])
    assert {Fault.NO_ORIGINAL: [image.id]} == (await check()).examples
    assert 1 == (await check(repair=True)).repaired
    failed = (await use_cases.get([image.id]))[image.id]
    assert (ImageStatus.FAILED, ORIGINAL_MISSING_REASON) == (failed.status, failed.failure_reason)
    assert not (await check()).counts
    again = await upload_picture(use_cases)
    assert again.id != image.id
    assert ImageStatus.READY is again.status
    assert not (await check()).counts


async def test_a_repair_where_most_originals_are_missing_has_to_be_forced(
    check: CheckLibrary, use_cases: UseCases, storage: MemoryStorage
) -> None:
    image = await upload_picture(use_cases)
    storage.objects.clear()
    storage.modified.clear()
    with pytest.raises(Misconfigured, match="1 of 1 originals are missing"):
        await check(repair=True)
    assert image == (await use_cases.get([image.id]))[image.id]
    assert 1 == (await check(repair=True, force=True)).repaired


async def test_a_damaged_original_is_found_by_its_digest(
    check: CheckLibrary, use_cases: UseCases, storage: MemoryStorage
) -> None:
    image = await upload_picture(use_cases)
    storage.objects[Variant.ORIGINAL.key_of(image.id)] += b"!"
    assert not (await check(sample=0)).counts
    assert {Fault.DAMAGED: [image.id]} == (await check()).examples


async def test_the_sample_has_the_requested_size(
    check: CheckLibrary, by_colour: dict[str, Image]
) -> None:
    assert len(by_colour) > 3
    assert 3 == (await check(sample=3)).originals_read


@pytest.mark.parametrize("changed", [True, False])
async def test_an_external_original_that_is_missing_or_changed_is_a_fault(
    check: CheckLibrary,
    index: IndexImages,
    library: LibraryWithTasks,
    *,
    changed: bool,
) -> None:
    found = library.add_object()
    assert [1] == [ended async for ended in index()]
    if changed:
        library.external_files.files[found.source] = RED + b" other"
    else:
        library.external_files.files.clear()
    assert {Fault.NO_SOURCE: [found.id]} == (await check()).examples
    assert 0 == (await check(repair=True)).repaired


async def test_a_missing_image_is_not_a_fault_and_its_original_is_not_read(
    check: CheckLibrary,
    index: IndexImages,
    library: LibraryWithTasks,
    clock: SettableClock,
    scrubs: MemoryScrubs,
) -> None:
    found = library.add_object()
    assert [1] == [ended async for ended in index()]
    library.external_files.files.clear()
    assert {Fault.NO_SOURCE: [found.id]} == (await check()).examples
    await MemoryTrash(library.catalog).add_missing([found.id], clock())
    clock.pass_time(2 * DEFAULT_SCRUB_LIFETIME)
    report = await check(scrub=True)
    assert (0, 0, 0) == (report.images, report.originals_read, report.counts.total())
    assert [] == await scrubs.faulty()


async def test_images_without_an_embedding_are_enqueued(
    check: CheckLibrary, index: IndexImages, library: LibraryWithTasks
) -> None:
    image = await library.add_pending()
    library.work_queue.has_task(image.id)
    library.work_queue.entries.clear()
    assert {Fault.UNEMBEDDED: [image.id]} == (await check()).examples
    assert 1 == (await check(repair=True)).repaired
    assert [1] == [ended async for ended in index()]
    assert not (await check()).counts


async def test_an_image_added_during_the_check_is_not_a_fault(
    check: CheckLibrary,
    use_cases: UseCases,
    storage: MemoryStorage,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    listed = storage.list

    async def list_and_upload():  # type: ignore[no-untyped-def]  # noqa: ANN202 - the signature of list
        async for stored in listed():
            yield stored
        await upload_picture(use_cases)

    monkeypatch.setattr(storage, "list", list_and_upload)
    report = await check()
    assert (1, 0) == (report.images, report.counts.total())


async def test_all_faulty_images_are_counted_and_a_few_are_named(
    check: CheckLibrary, catalog: MemoryCatalog
) -> None:
    for _ in range(7):
        await catalog.add(image_with(), (1.0, *[0.0] * 15))
    report = await check()
    assert 7 == report.counts[Fault.NO_ORIGINAL]
    assert 5 == len(report.examples[Fault.NO_ORIGINAL])


async def test_an_unreadable_external_original_is_a_fault_and_an_outage_is_not(
    check: CheckLibrary,
    index: IndexImages,
    library: LibraryWithTasks,
    external_files: MemoryExternalFiles,
) -> None:
    found = library.add_object()
    assert [1] == [ended async for ended in index()]
    external_files.refusal = InvalidContent("“a.png” cannot be read.")
    assert {Fault.NO_SOURCE: [found.id]} == (await check()).examples
    external_files.refusal = ConnectionResetError()
    with pytest.raises(ConnectionResetError):
        await check()


async def test_originals_are_read_again_when_they_are_due(
    check: CheckLibrary, use_cases: UseCases, storage: MemoryStorage, clock: SettableClock
) -> None:
    images = [await upload_picture(use_cases, colour) for colour in ("red", "blue", "green")]
    await use_cases.delete([images[2].id])
    scrub = Scrub(check.scrubs, check.check_original, clock)
    assert 0 == await scrub()
    clock.pass_time(DEFAULT_SCRUB_LIFETIME + timedelta(seconds=1))
    assert 3 == await scrub()
    assert 0 == await scrub()
    assert 0 == (await check(sample=0)).originals_read
    storage.objects[Variant.ORIGINAL.key_of(images[0].id)] += b"!"
    clock.pass_time(DEFAULT_SCRUB_LIFETIME + timedelta(seconds=1))
    assert 0 == await replace(scrub, lifetime=timedelta(0))()
    assert 3 == await scrub()
    # The fault is known: a check reads this original in any case.
    report = await check(sample=0)
    assert (1, {Fault.DAMAGED: [images[0].id]}) == (report.originals_read, report.examples)
    storage.objects[Variant.ORIGINAL.key_of(images[0].id)] = picture_file(COLOURS["red"])
    assert not (await check(sample=0)).counts
    assert 0 == (await check(sample=0)).originals_read


class FailingReads:
    """Lets the originals of some images be unreadable, and notes the pauses after them."""

    def __init__(self, storage: MemoryStorage, monkeypatch: pytest.MonkeyPatch) -> None:
        self.unreadable: set[str] = set()
        self.error: Exception = Unavailable(
            "The server's disk does not work at the moment; try again later."
        )
        self.attempts: list[str] = []
        self.pauses: list[float] = []
        self._open = storage.open
        monkeypatch.setattr(storage, "open", self.open)
        # Not of asyncio as a whole: other event loops of the process sleep, too.
        monkeypatch.setattr(scrub_module, "asyncio", SimpleNamespace(sleep=self.sleep))

    async def open(self, key: str, byte_range: ByteRange | None = None) -> Blob:
        self.attempts.append(key)
        if key in self.unreadable:
            raise self.error
        return await self._open(key, byte_range)

    async def sleep(self, seconds: float) -> None:
        if seconds >= 1:
            self.pauses.append(seconds)


@pytest.fixture
def reads(storage: MemoryStorage, monkeypatch: pytest.MonkeyPatch) -> FailingReads:
    return FailingReads(storage, monkeypatch)


# A disk, a folder whose permissions were changed, and a store that is busy or refuses.
UNREADABLE = [Unavailable("away"), PermissionError("denied"), Overloaded("busy"), ValueError("?")]


@pytest.mark.parametrize("error", UNREADABLE)
async def test_an_original_that_cannot_be_read_keeps_no_other_from_being_read(
    check: CheckLibrary,
    use_cases: UseCases,
    *,
    reads: FailingReads,
    clock: SettableClock,
    error: Exception,
) -> None:
    images = [await upload_picture(use_cases, colour) for colour in ("red", "blue", "green")]
    scrub = Scrub(check.scrubs, check.check_original, clock)
    clock.pass_time(DEFAULT_SCRUB_LIFETIME + timedelta(seconds=1))
    reads.unreadable = {Variant.ORIGINAL.key_of(images[0].id)}
    reads.error = error
    with pytest.raises(type(error)):
        await scrub()
    assert [] == reads.pauses
    reads.unreadable.clear()
    assert 1 == await scrub()


@pytest.mark.parametrize("error", UNREADABLE)
async def test_a_check_reports_an_original_that_cannot_be_read_and_reads_the_others(  # noqa: PLR0913 - all that it looks at
    check: CheckLibrary,
    use_cases: UseCases,
    *,
    reads: FailingReads,
    clock: SettableClock,
    error: Exception,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(check_module, "CHECK_PAGE_SIZE", 2)
    images = []
    for colour in ("red", "blue", "green"):
        images.append(await upload_picture(use_cases, colour))
        clock.pass_time(timedelta(seconds=1))
    clock.pass_time(DEFAULT_SCRUB_LIFETIME)
    reads.unreadable = {Variant.ORIGINAL.key_of(images[1].id)}
    reads.error = error
    report = await check(sample=0, scrub=True)
    assert (2, {Fault.UNREADABLE: [images[1].id]}) == (report.originals_read, report.examples)
    assert 1 == caplog.text.count("1 originals could not be read")
    reads.unreadable.clear()
    report = await check(sample=0, scrub=True)
    assert (1, {}) == (report.originals_read, report.examples)


async def test_a_group_of_originals_that_cannot_be_read_delays_no_others(  # noqa: PLR0913 - all that it looks at
    check: CheckLibrary,
    use_cases: UseCases,
    *,
    reads: FailingReads,
    clock: SettableClock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(scrub_module, "SCRUB_BATCH_SIZE", 3)
    monkeypatch.setattr(scrub_module, "MAX_UNREADABLE_TRIES", 2)
    keys = []
    for colour in COLOURS:
        keys.append(Variant.ORIGINAL.key_of((await upload_picture(use_cases, colour)).id))
        clock.pass_time(timedelta(seconds=1))
    scrub = Scrub(check.scrubs, check.check_original, clock)
    clock.pass_time(DEFAULT_SCRUB_LIFETIME)
    # Two batches of an old disk, and one of another.
    reads.unreadable = {*keys[:6], keys[9]}
    reads.attempts.clear()
    with pytest.raises(Unavailable):
        await scrub()
    assert set(keys) - reads.unreadable <= set(reads.attempts)
    assert 4 == len(set(keys[:6]) & set(reads.attempts))
    assert [] == reads.pauses
    assert 1 == caplog.text.count("no original of 3 could be read (The server's disk does not work")
    reads.unreadable.clear()
    assert 7 == await scrub()
    assert 0 == await scrub()


async def test_a_storage_that_refuses_the_keys_is_one_sentence_and_no_fault_of_an_image(
    check: CheckLibrary,
    use_cases: UseCases,
    reads: FailingReads,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(check_module, "MAX_REFUSED_TRIES", 3)
    monkeypatch.setattr(check_module, "READ_CONCURRENCY", 1)
    images = [await upload_picture(use_cases, colour) for colour in COLOURS]
    keys = [Variant.ORIGINAL.key_of(image.id) for image in images]
    reads.unreadable, reads.error = set(keys), AccessRefused("The bucket refuses the keys.")
    reads.attempts.clear()
    report = await check()
    assert (len(images), 0, {}) == (report.images, report.originals_read, report.counts)
    assert ("The bucket refuses the keys.",) == report.refused
    assert 3 == len(reads.attempts)
    # One that is refused alone is a fault of its own.
    reads.unreadable = {keys[0]}
    report = await check()
    assert ({Fault.UNREADABLE: [images[0].id]}, ()) == (report.examples, report.refused)


async def test_each_bucket_that_refuses_the_keys_is_one_sentence_beside_the_faults_of_others(  # noqa: PLR0913 - all that it looks at
    check: CheckLibrary,
    use_cases: UseCases,
    index: IndexImages,
    *,
    library: LibraryWithTasks,
    external_files: MemoryExternalFiles,
    storage: MemoryStorage,
) -> None:
    image = await upload_picture(use_cases, "blue")
    library.add_object()
    assert [1] == [ended async for ended in index()]
    storage.objects[Variant.ORIGINAL.key_of(image.id)] += b"!"
    external_files.refusal = InvalidContent("“a.png” may not be read.")
    external_files.refusal.__cause__ = AccessRefused("The other bucket refuses the keys.")
    report = await check()
    assert {Fault.DAMAGED: [image.id]} == report.examples
    assert ("The other bucket refuses the keys.",) == report.refused


async def test_a_full_scrub_continues_where_it_was_interrupted(
    check: CheckLibrary, by_colour: dict[str, Image], clock: SettableClock
) -> None:
    clock.pass_time(DEFAULT_SCRUB_LIFETIME + timedelta(seconds=1))
    await check(sample=2)
    report = await check(sample=0, scrub=True)
    assert len(by_colour) - 2 == report.originals_read
    assert 0 == (await check(sample=0, scrub=True)).originals_read


async def test_bytes_without_an_image_are_a_fault_when_no_sweep_has_removed_them(
    check: CheckLibrary, use_cases: UseCases, storage: MemoryStorage, clock: SettableClock
) -> None:
    image = await upload_picture(use_cases)
    lost = uuid7()
    await storage.write(Variant.LARGE.key_of(lost), b"", content_type="image/webp")
    clock.pass_time(2 * ORPHAN_GRACE_PERIOD)
    assert not (await check()).counts
    clock.pass_time(timedelta(seconds=1))
    assert {Fault.ORPHANED: [lost]} == (await check()).examples
    await use_cases.delete([image.id])
    await use_cases.sweep()
    assert not (await check()).counts


async def test_a_task_that_is_retried_without_an_end_is_a_fault(
    check: CheckLibrary, library: LibraryWithTasks
) -> None:
    image = await library.add_pending()
    library.work_queue.has_task(image.id)
    library.work_queue.entries[image.id].attempts = MAX_ATTEMPTS + 2
    assert {Fault.UNBOUNDED: [image.id]} == (await check()).examples
