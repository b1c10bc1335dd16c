"""What every catalog of found objects promises, beside the work on them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from domain.entities.external_objects import KeyRange, ObjectState
from domain.entities.images import ImageStatus, Source, uuid7
from domain.entities.work import MAX_ATTEMPTS, FoundObject, IndexedImage
from infra.postgres.work.external_objects import PostgresExternalObjects
from infra.postgres.work.work import PostgresWorkQueue
from tests.fakes.catalog import MemoryCatalog
from tests.fakes.external_objects import MemoryExternalObjects
from tests.fakes.images import image_with
from tests.fakes.work_queue import MemoryWorkQueue
from tests.postgres_library import PostgresLibrary

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from domain.entities.images import Image
    from domain.entities.work import Task
    from domain.ports import ExternalObjects, WorkQueue
    from tests.postgres_library import ImageLibrary

ROOT = "s3://photos/"
WHOLE = KeyRange.below(ROOT)
VECTOR = (1.0, 0.0, 0.0)


@dataclass
class Library:
    """Found objects, the work on them, and the images that they become."""

    catalog: ImageLibrary
    objects: ExternalObjects
    work: WorkQueue

    async def find(self, *names: str, version: str = "1") -> dict[str, FoundObject]:
        """Write objects down."""
        found = {name: found_at(name, version=version) for name in names}
        await self.objects.add(list(found.values()))
        return found

    async def index(self, *, contents: str | None = None) -> None:
        """Make images of all that waits, of one file with these contents or each of its own."""
        while tasks := await self.work.lease(100, seconds=60):
            await self.work.finish([indexed(task, contents) for task in tasks])

    async def states(self, key_range: KeyRange = WHOLE) -> dict[str, ObjectState]:
        known = await self.objects.list_known(key_range, after="", limit=1_000)
        return {each.source.location.removeprefix(ROOT): each.state for each in known}

    async def image(self, found: FoundObject) -> Image | None:
        return (await self.catalog.get([found.id])).get(found.id)


def found_at(name: str, *, version: str = "1", tags: tuple[str, ...] = ()) -> FoundObject:
    return FoundObject(uuid7(), Source(ROOT + name, version), 100, tags)


def indexed(task: Task, contents: str | None = None) -> IndexedImage:
    found = task.subject
    assert isinstance(found, FoundObject)
    sha256 = hashlib.sha256((contents or str(found.id)).encode()).hexdigest()
    image = image_with(found.id, sha256=sha256, source=found.source, tags=found.tags)
    return IndexedImage(task, image, VECTOR)


@pytest.fixture
def library(catalog: ImageLibrary) -> Library:
    if isinstance(catalog, MemoryCatalog):
        work = MemoryWorkQueue(catalog)
        return Library(catalog, MemoryExternalObjects(work), work)
    assert isinstance(catalog, PostgresLibrary)
    assert catalog.model
    work_of_model = PostgresWorkQueue(catalog.engine, catalog.model)
    return Library(catalog, PostgresExternalObjects(catalog.engine, catalog.model), work_of_model)


async def test_what_is_written_down_waits_and_is_worked_on(library: Library) -> None:
    found = {"a": found_at("a", tags=("sea", "sky")), "b": found_at("b")}
    assert [] == await library.objects.add(list(found.values()))
    assert {"a": ObjectState.WAITING, "b": ObjectState.WAITING} == await library.states()
    assert 2 == await library.objects.count_waiting(WHOLE)
    tasks = await library.work.lease(10, seconds=60)
    assert {each.id: each for each in found.values()} == {
        task.image_id: task.subject for task in tasks
    }
    assert 2 == await library.objects.count_waiting(WHOLE)
    assert [] == await library.work.finish([indexed(task) for task in tasks])
    assert {"a": ObjectState.INDEXED, "b": ObjectState.INDEXED} == await library.states()
    assert 0 == await library.objects.count_waiting(WHOLE)
    image = await library.image(found["a"])
    assert image
    assert (found["a"].source, ("sea", "sky")) == (image.source, image.tags)


async def test_known_objects_come_by_code_point_a_chunk_at_a_time(library: Library) -> None:
    names = ["a/b", "a-b", "A", "z", "ä", "a", "a.jpg", "\U0001f600", "\uffff", "_"]
    await library.find(*names)
    seen: list[str] = []
    after = ""
    while chunk := await library.objects.list_known(WHOLE, after=after, limit=3):
        after = chunk[-1].source.location
        seen += [each.source.location.removeprefix(ROOT) for each in chunk]
    assert sorted(names) == seen


async def test_a_stretch_holds_its_first_and_not_its_end(library: Library) -> None:
    await library.find("a", "b", "c", "d")
    await library.objects.add([FoundObject(uuid7(), Source("s3://photos2/b", "1"), 1)])
    key_range = KeyRange(f"{ROOT}b", f"{ROOT}d")
    assert {"b", "c"} == set(await library.states(key_range))
    assert 2 == await library.objects.count_waiting(key_range)
    assert 4 == await library.objects.count_waiting(WHOLE)
    assert 5 == await library.objects.count_waiting(KeyRange.below(""))


async def test_objects_are_found_by_location(library: Library) -> None:
    found = await library.find("a", "b", "c", version="7")
    known = await library.objects.find([f"{ROOT}a", f"{ROOT}c", f"{ROOT}x"])
    assert {f"{ROOT}a", f"{ROOT}c"} == set(known)
    assert (found["a"].id, found["a"].source) == (known[f"{ROOT}a"].id, known[f"{ROOT}a"].source)
    assert {} == await library.objects.find([])


async def test_what_is_known_at_a_location_stays_unless_it_is_replaced(library: Library) -> None:
    first = await library.find("a")
    again = await library.find("a", "b", version="2")
    known = await library.objects.find([f"{ROOT}a", f"{ROOT}b"])
    assert [first["a"].id, again["b"].id] == [known[f"{ROOT}{name}"].id for name in "ab"]
    assert 2 == len(await library.work.lease(10, seconds=60))


async def test_a_replacement_takes_the_old_image_and_the_old_work_with_it(
    library: Library,
) -> None:
    old = await library.find("a")
    await library.index()
    waiting = await library.find("b")
    new = [found_at("a", version="2"), found_at("b", version="2")]
    deleted = await library.objects.add(new, replacing=[old["a"].id, waiting["b"].id])
    assert [old["a"].id] == deleted
    assert await library.image(old["a"]) is None
    tasks = await library.work.lease(10, seconds=60)
    assert {each.id for each in new} == {task.image_id for task in tasks}


async def test_what_is_forgotten_while_it_is_worked_on_becomes_nothing(library: Library) -> None:
    found = await library.find("a")
    tasks = await library.work.lease(10, seconds=60)
    assert [] == await library.objects.delete([found["a"].id])
    assert [found["a"].id] == await library.work.finish([indexed(task) for task in tasks])
    assert await library.image(found["a"]) is None
    assert {} == await library.states()


async def test_what_is_forgotten_goes_with_its_image_and_nobody_elses(library: Library) -> None:
    found = await library.find("a", "b")
    await library.index()
    assert [found["a"].id] == await library.objects.delete([found["a"].id, uuid7()])
    assert {"b": ObjectState.INDEXED} == await library.states()
    assert await library.image(found["a"]) is None
    assert await library.image(found["b"])
    assert [] == await library.objects.delete([found["a"].id])
    assert [] == await library.objects.delete([])


async def test_an_image_goes_on_with_another_object_of_the_same_bytes(library: Library) -> None:
    found = await library.find("a", "b", "c", version="7")
    await library.index(contents="the same")
    [kept] = await library.catalog.get([each.id for each in found.values()])
    [holder] = [name for name, each in found.items() if each.id == kept]
    first, second = (name for name in found if name != holder)
    assert set(await library.states()) == set(found)

    assert [] == await library.objects.delete([found[second].id])
    assert found[holder].source == await source_of(library, kept)
    assert [] == await library.objects.delete([found[holder].id])
    assert found[first].source == await source_of(library, kept)
    assert [kept] == await library.objects.delete([found[first].id])
    assert {} == await library.catalog.get([kept])


async def test_all_objects_of_an_image_at_once_take_it_with_them(library: Library) -> None:
    found = await library.find("a", "b")
    await library.index(contents="the same")
    deleted = await library.objects.delete([each.id for each in found.values()])
    assert 1 == len(deleted)
    assert {} == await library.catalog.get(deleted)


async def source_of(library: Library, image_id: UUID) -> Source | None:
    return (await library.catalog.get([image_id]))[image_id].source


async def test_an_image_of_our_own_outlives_an_object_of_the_same_bytes(library: Library) -> None:
    sha256 = hashlib.sha256(b"the same").hexdigest()
    own = await library.catalog.add(image_with(sha256=sha256), VECTOR)
    found = await library.find("a")
    await library.index(contents="the same")
    assert {"a": ObjectState.INDEXED} == await library.states()
    assert [] == await library.objects.delete([found["a"].id])
    assert own == (await library.catalog.get([own.id]))[own.id]


async def test_what_a_user_deletes_stays_known(library: Library) -> None:
    found = await library.find("a", "b", "c")
    await library.index()
    await library.catalog.delete([found["a"].id])
    assert ObjectState.DELETED is (await library.states())["a"]
    assert 0 == await library.objects.count_waiting(WHOLE)
    assert [] == await library.objects.delete([found["a"].id])


async def test_what_is_refused_is_told_with_its_reason(library: Library) -> None:
    await library.find("b", "a", "c")
    for task in await library.work.lease(3, seconds=60):
        assert isinstance(task.subject, FoundObject)
        name = task.subject.source.location.removeprefix(ROOT)
        await library.work.fail(task, f"{name} is no picture.")
    assert {ObjectState.REFUSED} == set((await library.states()).values())
    count, named = await library.objects.refused(WHOLE, limit=2)
    assert (3, [f"{ROOT}a", f"{ROOT}b"]) == (count, [each.location for each in named])
    assert "a is no picture." == named[0].reason
    assert (0, []) == await library.objects.refused(KeyRange.below("s3://others/"), limit=2)
    assert 0 == await library.objects.count_waiting(WHOLE)


async def test_what_ends_its_workers_again_and_again_is_refused(library: Library) -> None:
    await library.find("a")
    for _ in range(MAX_ATTEMPTS + 1):
        tasks: Sequence[Task] = await library.work.lease(1, seconds=0)
    assert [] == tasks
    assert {"a": ObjectState.REFUSED} == await library.states()
    count, [named] = await library.objects.refused(WHOLE, limit=2)
    assert (1, f"{ROOT}a") == (count, named.location)


async def test_what_is_refused_and_written_down_anew_waits(library: Library) -> None:
    found = await library.find("a")
    [task] = await library.work.lease(1, seconds=60)
    await library.work.fail(task, "No.")
    again = replace(found["a"], id=uuid7())
    assert [] == await library.objects.add([again], replacing=[found["a"].id])
    assert {"a": ObjectState.WAITING} == await library.states()
    assert (0, []) == await library.objects.refused(WHOLE, limit=2)
    await library.index()
    image = await library.image(again)
    assert image
    assert ImageStatus.READY is image.status


async def test_an_object_whose_image_has_failed_is_refused_until_it_is_tried_again(
    library: Library,
) -> None:
    sha256 = hashlib.sha256(b"the same").hexdigest()
    image = image_with(status=ImageStatus.PROCESSING, sha256=sha256)
    await library.catalog.add_pending(image)
    [expected] = await library.work.lease(1, seconds=60)
    found = await library.find("a", "b")
    await library.index(contents="the same")
    assert {ObjectState.INDEXED} == set((await library.states()).values())
    await library.work.fail(expected, "No.")
    assert {ObjectState.REFUSED} == set((await library.states()).values())
    count, named = await library.objects.refused(WHOLE, limit=1)
    assert (2, f"{ROOT}a", "No.") == (count, named[0].location, named[0].reason)

    again = found_at("a")
    assert [] == await library.objects.add([again], replacing=[found["a"].id])
    await library.index(contents="the same")
    assert {ObjectState.INDEXED} == set((await library.states()).values())
    assert [again.id] == list(await library.catalog.get([image.id, again.id]))
    assert [again.id] == await library.objects.delete([again.id, found["b"].id])
