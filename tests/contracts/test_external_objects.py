"""The contract of ExternalObjects, together with the tasks on them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from domain.entities.external_objects import (
    MISSING_GRACE_PERIOD,
    ImportCounts,
    KeyRange,
    ObjectState,
)
from domain.entities.filters import DELETED, EVERYTHING
from domain.entities.images import Exif, ImageChanges, ImageStatus, Source, first_uuid7, uuid7
from domain.entities.listing import Sort, Window
from domain.entities.work import MAX_ATTEMPTS, FoundObject, IndexedImage, WorkCounts
from infra.postgres.catalog.trash import PostgresTrash
from infra.postgres.work.external_objects import PostgresExternalObjects
from infra.postgres.work.missing_objects import PostgresMissingObjects
from infra.postgres.work.repair_queue import PostgresRepairQueue
from infra.postgres.work.work import PostgresWorkQueue
from tests.fakes.catalog import MemoryCatalog
from tests.fakes.external_objects import MemoryExternalObjects
from tests.fakes.images import image_with
from tests.fakes.repair_queue import MemoryRepairQueue
from tests.fakes.trash import MemoryTrash
from tests.fakes.work_queue import MemoryWorkQueue
from tests.postgres_library import PostgresLibrary

if TYPE_CHECKING:
    from collections.abc import Sequence

    from domain.entities.external_objects import RefusedObject
    from domain.entities.images import Image
    from domain.entities.work import Task
    from domain.ports import ExternalObjects, MissingObjects, RepairQueue, Trash, WorkQueue
    from tests.postgres_library import ImageLibrary

ROOT = "s3://photos/"
PHOTOS = KeyRange.below(ROOT)
EMBEDDING = (1.0, 0.0, 0.0)
TAKEN_AT = datetime(2024, 6, 15, 14, tzinfo=UTC)
NOW = datetime(2025, 1, 31, tzinfo=UTC)


@dataclass
class ImportedLibrary:
    """External objects, the queue of their tasks, and the catalog of their images."""

    catalog: ImageLibrary
    objects: ExternalObjects
    work: WorkQueue
    missing_objects: MissingObjects
    trash: Trash
    repair_queue: RepairQueue

    async def add_objects(self, *names: str, version: str = "1") -> dict[str, FoundObject]:
        """Add objects by name, and return them."""
        found = {name: found_object(name, version=version) for name in names}
        await self.objects.add(list(found.values()))
        return found

    async def index_all(self, *, contents: str | None = None, pixels: str | None = None) -> None:
        """Index all waiting objects, with the same contents or each with its own."""
        while tasks := await self.work.lease(100, seconds=60):
            await self.work.finish([indexed(task, contents, pixels) for task in tasks])

    async def missing(self) -> dict[str, bool]:
        known = await self.objects.list_known(PHOTOS, after="", limit=1_000)
        return {each.source.location: each.is_missing for each in known}

    async def counts(self, *, since: UUID | None = None) -> ImportCounts:
        return await self.missing_objects.count(PHOTOS, since=since or next_uuid7())

    async def refused(
        self,
        key_range: KeyRange = PHOTOS,
        *,
        since: UUID = UUID(int=0),  # noqa: B008 - a constant
        unfinished: Sequence[UUID] = (),
        limit: int = 2,
    ) -> tuple[int, Sequence[RefusedObject]]:
        return await self.objects.refused(
            key_range, since=since, unfinished=unfinished, limit=limit
        )

    async def forgotten(
        self, key_range: KeyRange = PHOTOS, *, grace_period: timedelta = timedelta()
    ) -> Sequence[UUID]:
        """Move missing images into the trash, then forget them, as the end of an import does."""
        await self.trashed(key_range)
        return await self.missing_objects.forget(key_range, grace_period=grace_period)

    async def trashed(self, key_range: KeyRange = PHOTOS) -> Sequence[UUID]:
        return await self.missing_objects.trash(key_range, NOW)

    async def states(self, key_range: KeyRange = PHOTOS) -> dict[str, ObjectState]:
        known = await self.objects.list_known(key_range, after="", limit=1_000)
        return {each.source.location.removeprefix(ROOT): each.state for each in known}

    async def image(self, found: FoundObject) -> Image | None:
        return (await self.catalog.get([found.id])).get(found.id)


def next_uuid7() -> UUID:
    """Return an id of the next millisecond: the ids of one millisecond are in no order."""
    return UUID(int=uuid7().int + (1 << 80))


def found_object(name: str, *, version: str = "1", tags: tuple[str, ...] = ()) -> FoundObject:
    return FoundObject(uuid7(), Source(ROOT + name, version), 100, tags)


def digest(contents: str) -> str:
    return hashlib.sha256(contents.encode()).hexdigest()


def indexed(
    task: Task,
    contents: str | None = None,
    pixels: str | None = None,
    taken_at: datetime | None = None,
) -> IndexedImage:
    found = task.subject
    assert isinstance(found, FoundObject)
    image = image_with(
        found.id,
        sha256=digest(contents or str(found.id)),
        pixel_sha256=digest(pixels) if pixels else None,
        source=found.source,
        tags=found.tags,
        exif=Exif(taken_at=taken_at) if taken_at else None,
    )
    return IndexedImage(task, image, EMBEDDING)


def _name(task: Task) -> str:
    assert isinstance(task.subject, FoundObject)
    return task.subject.source.location.removeprefix(ROOT)


@pytest.fixture
def library(catalog: ImageLibrary) -> ImportedLibrary:
    if isinstance(catalog, MemoryCatalog):
        work = MemoryWorkQueue(catalog)
        objects = MemoryExternalObjects(work)
        repair_queue = MemoryRepairQueue(catalog, work)
        return ImportedLibrary(catalog, objects, work, objects, MemoryTrash(catalog), repair_queue)
    assert isinstance(catalog, PostgresLibrary)
    assert catalog.model
    work_of_model = PostgresWorkQueue(catalog.engine, catalog.model)
    return ImportedLibrary(
        catalog,
        PostgresExternalObjects(catalog.engine, catalog.model),
        work_of_model,
        PostgresMissingObjects(catalog.engine),
        PostgresTrash(catalog.engine),
        PostgresRepairQueue(catalog.engine),
    )


async def test_added_objects_wait_until_their_tasks_are_finished(library: ImportedLibrary) -> None:
    found = {"a": found_object("a", tags=("sea", "sky")), "b": found_object("b")}
    await library.objects.add(list(found.values()))
    assert {"a": ObjectState.WAITING, "b": ObjectState.WAITING} == await library.states()
    assert 2 == await library.objects.count_waiting(PHOTOS)
    tasks = await library.work.lease(10, seconds=60)
    assert {each.id: each for each in found.values()} == {
        task.image_id: task.subject for task in tasks
    }
    assert 2 == await library.objects.count_waiting(PHOTOS)
    assert [] == await library.work.finish([indexed(task) for task in tasks])
    assert {"a": ObjectState.INDEXED, "b": ObjectState.INDEXED} == await library.states()
    assert 0 == await library.objects.count_waiting(PHOTOS)
    image = await library.image(found["a"])
    assert image
    assert (found["a"].source, ("sea", "sky")) == (image.source, image.tags)


async def test_known_objects_are_listed_by_code_point_in_pages(library: ImportedLibrary) -> None:
    names = ["a/b", "a-b", "A", "z", "ä", "a", "a.jpg", "\U0001f600", "\uffff", "_"]
    await library.add_objects(*names)
    locations: list[str] = []
    after = ""
    while page := await library.objects.list_known(PHOTOS, after=after, limit=3):
        after = page[-1].source.location
        locations += [each.source.location.removeprefix(ROOT) for each in page]
    assert sorted(names) == locations


async def test_a_key_range_includes_its_first_and_excludes_its_end(
    library: ImportedLibrary,
) -> None:
    await library.add_objects("a", "b", "c", "d")
    await library.objects.add([FoundObject(uuid7(), Source("s3://photos2/b", "1"), 1)])
    key_range = KeyRange(f"{ROOT}b", f"{ROOT}d")
    assert {"b", "c"} == set(await library.states(key_range))
    assert 2 == await library.objects.count_waiting(key_range)
    assert 4 == await library.objects.count_waiting(PHOTOS)
    assert 5 == await library.objects.count_waiting(KeyRange.below(""))


async def test_objects_are_found_by_location(library: ImportedLibrary) -> None:
    found = await library.add_objects("a", "b", "c", version="7")
    known = await library.objects.find([f"{ROOT}a", f"{ROOT}c", f"{ROOT}x"])
    assert {f"{ROOT}a", f"{ROOT}c"} == set(known)
    assert (found["a"].id, found["a"].source) == (known[f"{ROOT}a"].id, known[f"{ROOT}a"].source)
    assert {} == await library.objects.find([])


async def test_a_known_location_keeps_its_object_unless_it_is_replaced(
    library: ImportedLibrary,
) -> None:
    first = await library.add_objects("a")
    retried = await library.add_objects("a", "b", version="2")
    known = await library.objects.find([f"{ROOT}a", f"{ROOT}b"])
    assert [first["a"].id, retried["b"].id] == [known[f"{ROOT}{name}"].id for name in "ab"]
    assert 2 == len(await library.work.lease(10, seconds=60))


async def test_replacing_an_object_keeps_its_image_and_deletes_its_task(
    library: ImportedLibrary,
) -> None:
    old = await library.add_objects("a")
    await library.index_all()
    waiting = await library.add_objects("b")
    new = [found_object("a", version="2"), found_object("b", version="2")]
    await library.objects.add(new, replacing=[old["a"].id, waiting["b"].id])
    assert await library.image(old["a"])
    assert {"a": ObjectState.WAITING, "b": ObjectState.WAITING} == await library.states()
    tasks = await library.work.lease(10, seconds=60)
    assert {each.id for each in new} == {task.image_id for task in tasks}


async def test_the_result_of_an_object_that_went_missing_is_not_stored(
    library: ImportedLibrary,
) -> None:
    found = await library.add_objects("a")
    tasks = await library.work.lease(10, seconds=60)
    await library.objects.mark_missing([found["a"].id])
    assert [found["a"].id] == await library.work.finish([indexed(task) for task in tasks])
    assert await library.image(found["a"]) is None
    assert {} == await library.states()


async def test_a_missing_object_is_forgotten_with_its_image_after_the_grace_period(
    library: ImportedLibrary,
) -> None:
    found = await library.add_objects("a", "b")
    await library.index_all()
    for _ in range(2):
        await library.objects.mark_missing([found["a"].id, uuid7()])
    await library.objects.mark_missing([])
    assert {f"{ROOT}a": True, f"{ROOT}b": False} == await library.missing()
    assert ImportCounts(missing=1) == await library.counts()
    assert [] == await library.forgotten(grace_period=MISSING_GRACE_PERIOD)
    assert [] == await library.forgotten(KeyRange.below("s3://others/"))
    assert [found["a"].id] == await library.forgotten()
    assert {"b": ObjectState.INDEXED} == await library.states()
    assert await library.image(found["a"]) is None
    assert await library.image(found["b"])
    assert [] == await library.forgotten()


async def test_an_object_in_a_folder_that_could_not_be_listed_is_never_forgotten(
    library: ImportedLibrary,
) -> None:
    found = await library.add_objects("a", "b")
    await library.index_all()
    await library.objects.mark_missing([found["a"].id])
    await library.objects.mark_missing([each.id for each in found.values()], is_certain=False)
    assert ImportCounts(unlisted=2) == await library.counts()
    assert [] == await library.forgotten()
    await library.objects.mark_missing([found["a"].id])
    assert ImportCounts(missing=1, unlisted=1) == await library.counts()
    assert [found["a"].id] == await library.forgotten()


async def test_an_object_that_was_replaced_while_it_could_not_be_listed_is_forgotten(
    library: ImportedLibrary,
) -> None:
    old = (await library.add_objects("a"))["a"]
    await library.index_all()
    await library.objects.mark_missing([old.id], is_certain=False)
    new = (await library.add_objects("a", version="2"))["a"]
    await library.index_all()
    assert ImportCounts(missing=1) == await library.counts()
    await library.objects.mark_missing([new.id], is_certain=False)
    assert ImportCounts(missing=1, unlisted=1) == await library.counts()
    await library.objects.mark_present([new.id])
    assert [old.id] == await library.forgotten()
    assert await library.image(new)


async def test_an_object_that_is_present_again_is_not_forgotten(library: ImportedLibrary) -> None:
    found = await library.add_objects("a", "b")
    await library.index_all()
    ids = [each.id for each in found.values()]
    await library.objects.mark_missing(ids[:1])
    await library.objects.mark_missing(ids[1:], is_certain=False)
    await library.objects.mark_present(ids)
    assert {f"{ROOT}a": False, f"{ROOT}b": False} == await library.missing()
    assert ImportCounts() == await library.counts()
    assert [] == await library.forgotten()


async def test_a_location_has_the_object_that_was_there_last(library: ImportedLibrary) -> None:
    objects = [found_object("a", version=str(number)) for number in range(3)]
    replaced: list[UUID] = []
    for each in objects:
        await library.objects.add([each], replacing=replaced)
        await library.index_all(contents=each.source.version)
        replaced = [each.id]
        [known] = (await library.objects.find([f"{ROOT}a"])).values()
        assert (each.id, False) == (known.id, known.is_missing)
    await library.objects.mark_missing(replaced)
    [known] = await library.objects.list_known(PHOTOS, after="", limit=10)
    assert (objects[-1].id, True) == (known.id, known.is_missing)
    assert 3 == (await library.counts()).missing


async def test_known_bytes_are_recognised_without_a_new_image(library: ImportedLibrary) -> None:
    old = await library.add_objects("a")
    await library.index_all(contents="the same")
    await library.catalog.tag([old["a"].id], add=["mine"])
    moved = found_object("moved/b.jpg", tags=("sea",))
    await library.objects.mark_missing([old["a"].id])
    await library.objects.add([moved])
    [task] = await library.work.lease(10, seconds=60)
    assert not await library.work.recognise(task, digest("others"))
    assert ObjectState.WAITING is (await library.states())["moved/b.jpg"]
    assert await library.work.recognise(task, digest("the same"))
    assert {"moved/b.jpg": ObjectState.INDEXED} == await library.states()
    image = await library.image(old["a"])
    assert image
    assert (moved.source, "b.jpg", ("mine", "sea")) == (image.source, image.filename, image.tags)
    assert ImportCounts(recognised=1) == await library.counts(since=moved.id)
    assert WorkCounts(0, 0, 0) == await library.work.counts()
    assert [] == await library.forgotten()
    assert await library.work.recognise(task, digest("the same"))


async def test_a_copy_leaves_the_source_as_it_is(library: ImportedLibrary) -> None:
    old = await library.add_objects("a")
    await library.index_all(contents="the same")
    await library.add_objects("A copy")
    [task] = await library.work.lease(10, seconds=60)
    assert await library.work.recognise(task, digest("the same"))
    image = await library.image(old["a"])
    assert image
    assert old["a"].source == image.source


async def test_the_same_pixels_are_the_image_whose_files_are_all_missing(
    library: ImportedLibrary,
) -> None:
    old = await library.add_objects("a", "copy")
    await library.index_all(contents="plain", pixels="the same")
    before = await library.image(old["a"]) or await library.image(old["copy"])
    assert before
    await library.catalog.update(before.id, ImageChanges(alt_text="A quay", rating=4))
    rated, other = found_object("a", version="2"), found_object("other")
    await library.objects.add([rated], replacing=[old["a"].id])
    await library.objects.add([other])
    await library.objects.mark_missing([old["copy"].id])
    [first] = [each for each in await library.work.lease(10, seconds=60) if each.subject == rated]
    lost = await library.work.finish([indexed(first, "rated", "the same", taken_at=TAKEN_AT)])
    assert [rated.id] == lost
    after = (await library.catalog.get([before.id]))[before.id]
    assert (digest("rated"), rated.source) == (after.sha256, after.source)
    assert (before.created_at, "A quay", 4) == (after.created_at, after.alt_text, after.rating)
    assert after.exif
    assert TAKEN_AT == after.exif.taken_at
    assert {before.id} == set(await library.catalog.embeddings([before.id, rated.id]))
    assert [] == await library.forgotten()


async def test_a_missing_image_gets_the_file_that_was_moved_and_rewritten_before_it_was_missing(
    library: ImportedLibrary,
) -> None:
    old = await library.add_objects("a", "b")
    await library.index_all(contents="plain", pixels="the same")
    [before] = (await library.catalog.get([each.id for each in old.values()])).values()
    await library.catalog.update(before.id, ImageChanges(alt_text="A quay"))
    since = first_uuid7()
    moved = {name: found_object(f"moved/{name}", tags=("sea",)) for name in ("a", "described")}
    await library.objects.add(list(moved.values()))
    for task in await library.work.lease(10, seconds=60):
        assert [] == await library.work.finish([indexed(task, _name(task), "the same")])
    assert [] == await library.missing_objects.reunite(PHOTOS, since=since)
    await library.catalog.update(moved["described"].id, ImageChanges(rating=1))
    await library.objects.mark_missing([each.id for each in old.values()])
    assert [] == await library.missing_objects.reunite(PHOTOS, since=next_uuid7())
    for reunited in ([moved["a"].id], []):
        assert reunited == await library.missing_objects.reunite(PHOTOS, since=since)
    after = (await library.catalog.get([before.id]))[before.id]
    assert (moved["a"].source, ("sea",), "A quay") == (after.source, after.tags, after.alt_text)
    assert digest("moved/a") == after.sha256
    assert {before.id, moved["described"].id} == set(
        await library.catalog.embeddings([before.id, *(each.id for each in moved.values())])
    )
    assert {"moved/a", "moved/described"} == set(await library.states())
    assert [] == await library.forgotten()


async def test_the_same_pixels_in_another_file_beside_the_first_are_another_image(
    library: ImportedLibrary,
) -> None:
    found = await library.add_objects("a", "b")
    for task in await library.work.lease(10, seconds=60):
        name = str(task.image_id)
        assert [] == await library.work.finish([indexed(task, name, "the same")])
    assert 2 == len(await library.catalog.get([each.id for each in found.values()]))


async def missing_image(library: ImportedLibrary, found: FoundObject) -> Image:
    """Index an object, describe its image, and move it into the trash as missing."""
    await library.objects.add([found])
    await library.index_all(contents="plain", pixels="the same")
    changes = ImageChanges(alt_text="A quay", rating=4)
    image = await library.catalog.update(found.id, changes)
    await library.objects.mark_missing([found.id])
    assert [image.id] == await library.trashed()
    return image


async def bring_file_back(library: ImportedLibrary, found: FoundObject, how: str) -> FoundObject:
    """Let an import find the file of a missing object again, and return its object."""
    if how == "same version":
        await library.objects.mark_present([found.id])
        return found
    again = found_object("a" if how == "same pixels" else "moved", version="2", tags=("sea",))
    await library.objects.add([again])
    [task] = await library.work.lease(10, seconds=60)
    contents = "rated" if how == "same pixels" else "plain"
    is_known = await library.work.recognise(task, digest(contents))
    assert is_known == (how == "same bytes")
    if not is_known:
        assert [again.id] == await library.work.finish([indexed(task, contents, "the same")])
    return again


@pytest.mark.parametrize("how", ["same version", "same bytes", "same pixels"])
async def test_a_missing_image_is_in_the_trash_until_its_file_comes_back(
    library: ImportedLibrary, how: str
) -> None:
    before = await missing_image(library, found := found_object("a", tags=("mine",)))
    assert {} == await library.catalog.get([before.id])
    assert {} == await library.catalog.embeddings([before.id])
    assert (0, 1) == (
        await library.catalog.count(EVERYTHING),
        await library.catalog.count(DELETED),
    )
    assert [] == await library.trashed()
    assert ImportCounts(missing=1) == await library.counts()
    assert {"a": ObjectState.INDEXED} == await library.states()
    assert {} == await library.repair_queue.violations()
    assert [] == await library.repair_queue.unembedded()

    again = await bring_file_back(library, found, how)
    [after] = (await library.catalog.get([before.id])).values()
    tags = ("mine",) if how == "same version" else ("mine", "sea")
    assert (before.created_at, "A quay", 4, tags) == (
        after.created_at,
        after.alt_text,
        after.rating,
        after.tags,
    )
    assert (again.source, None) == (after.source, after.deleted_at)
    assert {before.id} == set(await library.catalog.embeddings([before.id]))
    assert [] == await library.repair_queue.unembedded()
    assert ImportCounts() == await library.counts()
    assert ([], []) == (await library.trashed(), await library.forgotten())


@pytest.mark.parametrize("how", ["same version", "same bytes", "same pixels"])
@pytest.mark.parametrize("is_missing_first", [False, True])
async def test_an_image_that_a_user_deleted_stays_deleted_when_its_file_comes_back(
    library: ImportedLibrary, how: str, *, is_missing_first: bool
) -> None:
    found = found_object("a")
    if is_missing_first:
        await missing_image(library, found)
        assert {found.id} == await library.trash.add([found.id], NOW + timedelta(days=1))
    else:
        await library.objects.add([found])
        await library.index_all(contents="plain", pixels="the same")
        assert {found.id} == await library.trash.add([found.id], NOW)
        await library.objects.mark_missing([found.id])
    assert ([], []) == (await library.trashed(), await library.forgotten())
    assert ImportCounts() == await library.counts()
    assert {"a": ObjectState.DELETED} == await library.states()
    again = await bring_file_back(library, found, how)
    assert ObjectState.DELETED is (await library.states())[again.source.location[len(ROOT) :]]
    assert 0 == await library.catalog.count(EVERYTHING)
    assert [found.id] == await library.trash.delete_expired(NOW + timedelta(days=2), limit=9)


async def test_only_the_import_forgets_a_missing_image(library: ImportedLibrary) -> None:
    image = await missing_image(library, found_object("a"))
    assert [] == await library.trash.delete_expired(NOW + timedelta(days=999), limit=9)
    assert [] == await library.forgotten(grace_period=MISSING_GRACE_PERIOD)
    assert {image.id} == await library.catalog.existing_ids([image.id])
    assert [image.id] == await library.forgotten()
    assert set() == await library.catalog.existing_ids([image.id])
    assert {} == await library.states()


async def test_an_image_is_forgotten_only_after_it_was_in_the_trash_for_the_grace_period(
    library: ImportedLibrary,
) -> None:
    image = await missing_image(library, found_object("a"))
    await library.trash.restore([image.id])
    grace_period = timedelta()
    assert [] == await library.missing_objects.forget(PHOTOS, grace_period=grace_period)
    assert {image.id: image} == await library.catalog.get([image.id])
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    assert [image.id] == await library.missing_objects.trash(PHOTOS, tomorrow)
    assert [] == await library.missing_objects.forget(PHOTOS, grace_period=grace_period)
    await library.trash.restore([image.id])
    assert [image.id] == await library.forgotten()


async def test_a_missing_image_that_a_user_restores_is_missing_again_for_the_next_import(
    library: ImportedLibrary,
) -> None:
    image = await missing_image(library, found_object("a"))
    assert {image.id: image} == await library.trash.restore([image.id])
    assert {image.id} == set(await library.catalog.embeddings([image.id]))
    assert [image.id] == await library.trashed()
    await library.trash.restore([image.id])
    assert await library.catalog.mark_copied(image.id)
    assert ([], []) == (await library.trashed(), await library.forgotten())
    assert {image.id} == set(await library.catalog.get([image.id]))


async def test_an_image_is_not_missing_while_a_file_of_it_may_exist(
    library: ImportedLibrary,
) -> None:
    found = await library.add_objects("a", "b")
    await library.index_all(contents="the same")
    [image_id] = await library.catalog.get([each.id for each in found.values()])
    await library.objects.mark_missing([found["a"].id, found["b"].id])
    await library.objects.mark_missing([found["b"].id], is_certain=False)
    assert [] == await library.trashed()
    await library.objects.mark_missing([found["b"].id])
    assert [] == await library.trashed(KeyRange.below("s3://others/"))
    assert [image_id] == await library.trashed(KeyRange(f"{ROOT}b", f"{ROOT}c"))
    await library.objects.mark_missing([found["a"].id], is_certain=False)
    assert ImportCounts(missing=1, unlisted=1) == await library.counts()
    assert {image_id} == await library.catalog.existing_ids([image_id])


async def test_an_older_object_of_a_location_that_could_not_be_listed_may_still_exist(
    library: ImportedLibrary,
) -> None:
    old = (await library.add_objects("a"))["a"]
    await library.index_all()
    new = found_object("a", version="2")
    await library.objects.add([new], replacing=[old.id])
    await library.index_all()
    await library.objects.mark_missing([new.id], is_certain=False)
    assert [] == await library.trashed()
    await library.objects.mark_present([new.id])
    assert [old.id] == await library.trashed()


@pytest.mark.parametrize("contents", ["plain", "rated"])
async def test_a_missing_image_that_failed_is_replaced_when_its_bytes_come_back(
    library: ImportedLibrary, contents: str
) -> None:
    found = (await library.add_objects("a"))["a"]
    await library.index_all(contents="plain", pixels="the same")
    await library.repair_queue.fail([found.id], "No.")
    await library.objects.mark_missing([found.id])
    assert [found.id] == await library.trashed()
    assert {"a": ObjectState.REFUSED} == await library.states()
    moved = found_object("moved")
    await library.objects.add([moved])
    [task] = await library.work.lease(10, seconds=60)
    assert not await library.work.recognise(task, digest(contents))
    replaced = [found.id] if contents == "plain" else []
    assert replaced == await library.work.finish([indexed(task, contents, "the same")])
    assert {moved.id} == set(await library.catalog.get([found.id, moved.id]))
    assert {found.id, moved.id} - set(replaced) == await library.catalog.existing_ids(
        [found.id, moved.id]
    )
    assert ObjectState.INDEXED is (await library.states())["moved"]


async def test_a_missing_image_that_was_to_be_indexed_again_gets_its_task_back(
    library: ImportedLibrary,
) -> None:
    found = (await library.add_objects("a"))["a"]
    await library.index_all()
    await library.repair_queue.reprocess([found.id])
    await library.objects.mark_missing([found.id])
    assert [found.id] == await library.trashed()
    assert ([], []) == (
        await library.work.lease(10, seconds=60),
        await library.repair_queue.unembedded(),
    )
    await library.objects.mark_present([found.id])
    [task] = await library.work.lease(10, seconds=60)
    assert found.id == task.image_id


async def test_an_image_in_the_trash_as_missing_gets_the_file_of_a_new_image_with_its_pixels(
    library: ImportedLibrary,
) -> None:
    since = first_uuid7()
    await library.add_objects("new")
    await library.index_all(contents="rated", pixels="the same")
    [other] = (await library.catalog.list(EVERYTHING, Sort(), Window(9))).images
    old = found_object("a")
    await missing_image(library, old)
    assert [other.id] == await library.missing_objects.reunite(PHOTOS, since=since)
    [after] = (await library.catalog.list(EVERYTHING, Sort(), Window(9))).images
    assert (old.id, other.source, "A quay") == (after.id, after.source, after.alt_text)
    assert {old.id} == set(await library.catalog.embeddings([old.id]))


@pytest.mark.parametrize("contents", ["deleted", "rated"])
@pytest.mark.parametrize("name", ["a", "moved"])
async def test_a_deleted_image_stays_deleted_while_its_file_is_touched_moved_or_rewritten(
    library: ImportedLibrary, name: str, contents: str
) -> None:
    old = await library.add_objects("a")
    await library.index_all(contents="deleted", pixels="the same")
    await library.catalog.delete([old["a"].id])
    assert {"a": ObjectState.DELETED} == await library.states()
    again = found_object(name, version="2")
    await library.objects.add([again], replacing=[old["a"].id])
    [task] = await library.work.lease(10, seconds=60)
    is_known = await library.work.recognise(task, digest(contents))
    assert (contents == "deleted") == is_known
    if not is_known:
        assert [again.id] == await library.work.finish([indexed(task, contents, "the same")])
    assert ObjectState.DELETED is (await library.states())[name]
    assert {} == await library.catalog.get([old["a"].id, again.id])
    assert ImportCounts(recognised=1) == await library.counts(since=again.id)
    assert [] == await library.forgotten()


async def test_objects_that_swap_their_bytes_swap_their_images(library: ImportedLibrary) -> None:
    old = await library.add_objects("a", "b")
    tasks = await library.work.lease(10, seconds=60)
    await library.work.finish([indexed(task, _name(task)) for task in tasks])
    since = first_uuid7()
    new = {name: found_object(name, version="2") for name in old}
    await library.objects.add(list(new.values()), replacing=[each.id for each in old.values()])
    other = {"a": "b", "b": "a"}
    for task in await library.work.lease(10, seconds=60):
        assert await library.work.recognise(task, digest(other[_name(task)]))
    for name, each in old.items():
        image = await library.image(each)
        assert image
        assert new[other[name]].source == image.source
    assert ImportCounts(recognised=2) == await library.counts(since=since)


async def test_an_image_gets_another_object_of_the_same_bytes_as_its_source(
    library: ImportedLibrary,
) -> None:
    found = await library.add_objects("a", "b", "c", version="7")
    await library.index_all(contents="the same")
    [image_id] = await library.catalog.get([each.id for each in found.values()])
    [holder] = [name for name, each in found.items() if each.id == image_id]
    first, second = (name for name in found if name != holder)
    assert set(await library.states()) == set(found)

    await library.objects.mark_missing([found[second].id])
    assert found[holder].source == await source_of(library, image_id)
    await library.objects.mark_missing([found[holder].id])
    assert found[first].source == await source_of(library, image_id)
    assert ImportCounts() == await library.counts(since=next_uuid7())
    await library.objects.mark_missing([found[first].id])
    assert [image_id] == await library.forgotten()
    assert {} == await library.catalog.get([image_id])


async def test_an_image_is_forgotten_when_all_its_objects_are_missing(
    library: ImportedLibrary,
) -> None:
    found = await library.add_objects("a", "b")
    await library.index_all(contents="the same")
    await library.objects.mark_missing([each.id for each in found.values()])
    forgotten = await library.forgotten()
    assert 1 == len(forgotten)
    assert {} == await library.catalog.get(forgotten)


async def source_of(library: ImportedLibrary, image_id: UUID) -> Source | None:
    return (await library.catalog.get([image_id]))[image_id].source


async def test_a_missing_object_keeps_an_uploaded_image_of_the_same_bytes(
    library: ImportedLibrary,
) -> None:
    sha256 = hashlib.sha256(b"the same").hexdigest()
    own = await library.catalog.add(image_with(sha256=sha256), EMBEDDING)
    found = await library.add_objects("a")
    await library.index_all(contents="the same")
    assert {"a": ObjectState.INDEXED} == await library.states()
    await library.objects.mark_missing([found["a"].id])
    assert ([], []) == (await library.trashed(), await library.forgotten())
    assert own == (await library.catalog.get([own.id]))[own.id]


async def test_an_object_whose_image_a_user_deleted_is_known_as_deleted(
    library: ImportedLibrary,
) -> None:
    found = await library.add_objects("a", "b", "c")
    await library.index_all()
    await library.catalog.delete([found["a"].id])
    assert ObjectState.DELETED is (await library.states())["a"]
    assert 0 == await library.objects.count_waiting(PHOTOS)


async def test_refused_objects_are_counted_and_listed_with_their_reasons(
    library: ImportedLibrary,
) -> None:
    await library.add_objects("b", "a", "c")
    for task in await library.work.lease(3, seconds=60):
        assert isinstance(task.subject, FoundObject)
        name = task.subject.source.location.removeprefix(ROOT)
        await library.work.fail(task, f"{name} is no picture.")
    assert {ObjectState.REFUSED} == set((await library.states()).values())
    count, named = await library.refused()
    assert (3, [f"{ROOT}a", f"{ROOT}b"]) == (count, [each.location for each in named])
    assert "a is no picture." == named[0].reason
    assert (0, []) == await library.refused(KeyRange.below("s3://others/"))
    assert 0 == await library.objects.count_waiting(PHOTOS)


async def test_what_was_refused_before_an_import_is_not_among_its_refusals(
    library: ImportedLibrary,
) -> None:
    before = await library.add_objects("a", "b")
    since = next_uuid7()
    new = FoundObject(UUID(int=since.int + 1), Source(f"{ROOT}c", "1"), 100)
    await library.objects.add([new])
    for task in await library.work.lease(3, seconds=60):
        await library.work.fail(task, "No.")
    count, [named] = await library.refused(since=since)
    assert (1, f"{ROOT}c") == (count, named.location)
    count, named_too = await library.refused(since=since, unfinished=[before["b"].id])
    assert (2, [f"{ROOT}b", f"{ROOT}c"]) == (count, [each.location for each in named_too])


async def test_files_with_the_bytes_of_another_file_or_of_an_upload_are_duplicates(
    library: ImportedLibrary,
) -> None:
    since = first_uuid7()
    uploaded = image_with(status=ImageStatus.PROCESSING, sha256=digest("uploaded"))
    await library.catalog.add_pending(uploaded)
    await library.work.lease(1, seconds=60)
    await library.add_objects("a", "b", "c")
    await library.index_all(contents="the same")
    await library.add_objects("d")
    await library.index_all(contents="uploaded")
    assert ImportCounts(recognised=3, duplicates=3) == await library.counts(since=since)


async def test_an_object_whose_leases_expire_again_and_again_is_refused(
    library: ImportedLibrary,
) -> None:
    await library.add_objects("a")
    for _ in range(MAX_ATTEMPTS + 1):
        tasks: Sequence[Task] = await library.work.lease(1, seconds=0)
    assert [] == tasks
    assert {"a": ObjectState.REFUSED} == await library.states()
    count, [named] = await library.refused()
    assert (1, f"{ROOT}a") == (count, named.location)


async def test_a_refused_object_that_is_added_again_waits(library: ImportedLibrary) -> None:
    found = await library.add_objects("a")
    [task] = await library.work.lease(1, seconds=60)
    await library.work.fail(task, "No.")
    retried = replace(found["a"], id=uuid7())
    await library.objects.add([retried], replacing=[found["a"].id])
    assert {"a": ObjectState.WAITING} == await library.states()
    assert (0, []) == await library.refused()
    await library.index_all()
    image = await library.image(retried)
    assert image
    assert ImageStatus.READY is image.status


async def test_an_object_of_a_failed_image_is_refused_until_it_is_retried(
    library: ImportedLibrary,
) -> None:
    sha256 = hashlib.sha256(b"the same").hexdigest()
    image = image_with(status=ImageStatus.PROCESSING, sha256=sha256)
    await library.catalog.add_pending(image)
    [task_of_image] = await library.work.lease(1, seconds=60)
    found = await library.add_objects("a", "b")
    await library.index_all(contents="the same")
    assert {ObjectState.INDEXED} == set((await library.states()).values())
    await library.work.fail(task_of_image, "No.")
    assert {ObjectState.REFUSED} == set((await library.states()).values())
    count, named = await library.refused(limit=1)
    assert (2, f"{ROOT}a", "No.") == (count, named[0].location, named[0].reason)

    retried = found_object("a")
    await library.objects.add([retried], replacing=[found["a"].id])
    await library.index_all(contents="the same")
    assert {ObjectState.INDEXED} == set((await library.states()).values())
    assert [retried.id] == list(await library.catalog.get([image.id, retried.id]))
    await library.objects.mark_missing([retried.id, found["b"].id])
    assert [retried.id] == await library.forgotten()


@pytest.mark.parametrize("is_deleted", [False, True])
async def test_the_other_objects_of_a_failed_image_follow_one_whose_pixels_are_recognised(
    library: ImportedLibrary, *, is_deleted: bool
) -> None:
    before = (await library.add_objects("before"))["before"]
    await library.index_all(contents="plain", pixels="the same")
    pending = image_with(status=ImageStatus.PROCESSING, sha256=digest("rated"))
    await library.catalog.add_pending(pending)
    [task_of_image] = await library.work.lease(1, seconds=60)
    since = first_uuid7()
    first = (await library.add_objects("first"))["first"]
    await library.index_all(contents="rated")
    await library.work.fail(task_of_image, "No.")
    await library.objects.mark_missing([before.id])
    if is_deleted:
        await library.catalog.delete([before.id])

    await library.add_objects("second")
    await library.index_all(contents="rated", pixels="the same")
    assert {} == await library.catalog.get([pending.id])
    expected = ObjectState.DELETED if is_deleted else ObjectState.INDEXED
    states = await library.states()
    assert {"first": expected, "second": expected} == {
        name: state for name, state in states.items() if name != "before"
    }
    assert 2 == (await library.counts(since=since)).recognised
    await library.objects.mark_missing([first.id])
    assert [] == await library.forgotten()
