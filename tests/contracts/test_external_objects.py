"""The contract of ExternalObjects, together with the tasks on them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from domain.entities.external_objects import KeyRange, ObjectState
from domain.entities.images import ImageStatus, Source, uuid7
from domain.entities.work import ATTEMPTS, FoundObject, IndexedImage
from infra.postgres.work.external_objects import PostgresExternalObjects
from infra.postgres.work.work import PostgresWorkQueue
from tests.fakes.catalog import MemoryCatalog
from tests.fakes.images import image_with
from tests.fakes.objects import MemoryExternalObjects
from tests.fakes.work import MemoryWorkQueue
from tests.postgres_library import PostgresLibrary

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from domain.entities.images import Image
    from domain.entities.work import Task
    from domain.ports import ExternalObjects, WorkQueue
    from tests.postgres_library import ImageLibrary

ROOT = "s3://photos/"
PHOTOS = KeyRange.below(ROOT)
EMBEDDING = (1.0, 0.0, 0.0)


@dataclass
class ImportedLibrary:
    """External objects, the queue of their tasks, and the catalog of their images."""

    catalog: ImageLibrary
    objects: ExternalObjects
    work: WorkQueue

    async def add_objects(self, *names: str, version: str = "1") -> dict[str, FoundObject]:
        """Add objects by name, and return them."""
        found = {name: found_object(name, version=version) for name in names}
        await self.objects.add(list(found.values()))
        return found

    async def index_all(self, *, contents: str | None = None) -> None:
        """Index all waiting objects, with the same contents or each with its own."""
        while tasks := await self.work.lease(100, seconds=60):
            await self.work.finish([indexed(task, contents) for task in tasks])

    async def states(self, key_range: KeyRange = PHOTOS) -> dict[str, ObjectState]:
        known = await self.objects.list_known(key_range, after="", limit=1_000)
        return {each.source.location.removeprefix(ROOT): each.state for each in known}

    async def image(self, found: FoundObject) -> Image | None:
        return (await self.catalog.get([found.id])).get(found.id)


def found_object(name: str, *, version: str = "1", tags: tuple[str, ...] = ()) -> FoundObject:
    return FoundObject(uuid7(), Source(ROOT + name, version), 100, tags)


def indexed(task: Task, contents: str | None = None) -> IndexedImage:
    found = task.subject
    assert isinstance(found, FoundObject)
    sha256 = hashlib.sha256((contents or str(found.id)).encode()).hexdigest()
    image = image_with(found.id, sha256=sha256, source=found.source, tags=found.tags)
    return IndexedImage(task, image, EMBEDDING)


@pytest.fixture
def library(catalog: ImageLibrary) -> ImportedLibrary:
    if isinstance(catalog, MemoryCatalog):
        work = MemoryWorkQueue(catalog)
        return ImportedLibrary(catalog, MemoryExternalObjects(work), work)
    assert isinstance(catalog, PostgresLibrary)
    assert catalog.model
    work_of_model = PostgresWorkQueue(catalog.engine, catalog.model)
    return ImportedLibrary(
        catalog, PostgresExternalObjects(catalog.engine, catalog.model), work_of_model
    )


async def test_added_objects_wait_until_their_tasks_are_finished(library: ImportedLibrary) -> None:
    found = {"a": found_object("a", tags=("sea", "sky")), "b": found_object("b")}
    assert [] == await library.objects.add(list(found.values()))
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


async def test_replacing_an_object_deletes_its_image_and_its_task(
    library: ImportedLibrary,
) -> None:
    old = await library.add_objects("a")
    await library.index_all()
    waiting = await library.add_objects("b")
    new = [found_object("a", version="2"), found_object("b", version="2")]
    deleted = await library.objects.add(new, replacing=[old["a"].id, waiting["b"].id])
    assert [old["a"].id] == deleted
    assert await library.image(old["a"]) is None
    tasks = await library.work.lease(10, seconds=60)
    assert {each.id for each in new} == {task.image_id for task in tasks}


async def test_the_result_of_an_object_that_was_deleted_is_not_stored(
    library: ImportedLibrary,
) -> None:
    found = await library.add_objects("a")
    tasks = await library.work.lease(10, seconds=60)
    assert [] == await library.objects.delete([found["a"].id])
    assert [found["a"].id] == await library.work.finish([indexed(task) for task in tasks])
    assert await library.image(found["a"]) is None
    assert {} == await library.states()


async def test_deleting_an_object_deletes_its_image_only(library: ImportedLibrary) -> None:
    found = await library.add_objects("a", "b")
    await library.index_all()
    assert [found["a"].id] == await library.objects.delete([found["a"].id, uuid7()])
    assert {"b": ObjectState.INDEXED} == await library.states()
    assert await library.image(found["a"]) is None
    assert await library.image(found["b"])
    assert [] == await library.objects.delete([found["a"].id])
    assert [] == await library.objects.delete([])


async def test_an_image_gets_another_object_of_the_same_bytes_as_its_source(
    library: ImportedLibrary,
) -> None:
    found = await library.add_objects("a", "b", "c", version="7")
    await library.index_all(contents="the same")
    [image_id] = await library.catalog.get([each.id for each in found.values()])
    [holder] = [name for name, each in found.items() if each.id == image_id]
    first, second = (name for name in found if name != holder)
    assert set(await library.states()) == set(found)

    assert [] == await library.objects.delete([found[second].id])
    assert found[holder].source == await source_of(library, image_id)
    assert [] == await library.objects.delete([found[holder].id])
    assert found[first].source == await source_of(library, image_id)
    assert [image_id] == await library.objects.delete([found[first].id])
    assert {} == await library.catalog.get([image_id])


async def test_deleting_all_objects_of_an_image_at_once_deletes_it(
    library: ImportedLibrary,
) -> None:
    found = await library.add_objects("a", "b")
    await library.index_all(contents="the same")
    deleted = await library.objects.delete([each.id for each in found.values()])
    assert 1 == len(deleted)
    assert {} == await library.catalog.get(deleted)


async def source_of(library: ImportedLibrary, image_id: UUID) -> Source | None:
    return (await library.catalog.get([image_id]))[image_id].source


async def test_deleting_an_object_keeps_an_uploaded_image_of_the_same_bytes(
    library: ImportedLibrary,
) -> None:
    sha256 = hashlib.sha256(b"the same").hexdigest()
    own = await library.catalog.add(image_with(sha256=sha256), EMBEDDING)
    found = await library.add_objects("a")
    await library.index_all(contents="the same")
    assert {"a": ObjectState.INDEXED} == await library.states()
    assert [] == await library.objects.delete([found["a"].id])
    assert own == (await library.catalog.get([own.id]))[own.id]


async def test_an_object_whose_image_a_user_deleted_is_known_as_deleted(
    library: ImportedLibrary,
) -> None:
    found = await library.add_objects("a", "b", "c")
    await library.index_all()
    await library.catalog.delete([found["a"].id])
    assert ObjectState.DELETED is (await library.states())["a"]
    assert 0 == await library.objects.count_waiting(PHOTOS)
    assert [] == await library.objects.delete([found["a"].id])


async def test_refused_objects_are_counted_and_listed_with_their_reasons(
    library: ImportedLibrary,
) -> None:
    await library.add_objects("b", "a", "c")
    for task in await library.work.lease(3, seconds=60):
        assert isinstance(task.subject, FoundObject)
        name = task.subject.source.location.removeprefix(ROOT)
        await library.work.fail(task, f"{name} is no picture.")
    assert {ObjectState.REFUSED} == set((await library.states()).values())
    count, named = await library.objects.refused(PHOTOS, limit=2)
    assert (3, [f"{ROOT}a", f"{ROOT}b"]) == (count, [each.location for each in named])
    assert "a is no picture." == named[0].reason
    assert (0, []) == await library.objects.refused(KeyRange.below("s3://others/"), limit=2)
    assert 0 == await library.objects.count_waiting(PHOTOS)


async def test_an_object_whose_leases_expire_again_and_again_is_refused(
    library: ImportedLibrary,
) -> None:
    await library.add_objects("a")
    for _ in range(ATTEMPTS + 1):
        tasks: Sequence[Task] = await library.work.lease(1, seconds=0)
    assert [] == tasks
    assert {"a": ObjectState.REFUSED} == await library.states()
    count, [named] = await library.objects.refused(PHOTOS, limit=2)
    assert (1, f"{ROOT}a") == (count, named.location)


async def test_a_refused_object_that_is_added_again_waits(library: ImportedLibrary) -> None:
    found = await library.add_objects("a")
    [task] = await library.work.lease(1, seconds=60)
    await library.work.fail(task, "No.")
    retried = replace(found["a"], id=uuid7())
    assert [] == await library.objects.add([retried], replacing=[found["a"].id])
    assert {"a": ObjectState.WAITING} == await library.states()
    assert (0, []) == await library.objects.refused(PHOTOS, limit=2)
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
    count, named = await library.objects.refused(PHOTOS, limit=1)
    assert (2, f"{ROOT}a", "No.") == (count, named[0].location, named[0].reason)

    retried = found_object("a")
    assert [] == await library.objects.add([retried], replacing=[found["a"].id])
    await library.index_all(contents="the same")
    assert {ObjectState.INDEXED} == set((await library.states()).values())
    assert [retried.id] == list(await library.catalog.get([image.id, retried.id]))
    assert [retried.id] == await library.objects.delete([retried.id, found["b"].id])
