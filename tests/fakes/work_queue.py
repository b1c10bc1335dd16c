"""The work queue in memory, over the catalog in memory."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from domain.entities.images import Image, ImageStatus
from domain.entities.work import MAX_ATTEMPTS, FoundObject, IndexedImage, Task, WorkCounts
from tests.fakes.catalog import MemoryCatalog, with_edits_of
from tests.fakes.trash import MemoryTrash

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

NEVER = datetime.max.replace(tzinfo=UTC)
STALLED_REASON = (
    "Its workers stopped again and again before they finished; upload it in another format."
)


@dataclass
class Entry:
    """A task as it is stored."""

    due_at: datetime
    lease: UUID | None = None
    attempts: int = 0
    error: str | None = None


@dataclass
class MemoryWorkQueue:
    """The tasks of one model. External objects are in ``objects``, images in the catalog."""

    catalog: MemoryCatalog = field(default_factory=MemoryCatalog)
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    entries: dict[UUID, Entry] = field(default_factory=dict)
    objects: dict[UUID, FoundObject] = field(default_factory=dict)
    became: dict[UUID, UUID] = field(default_factory=dict)
    refused: dict[UUID, str] = field(default_factory=dict)
    replaced: list[UUID] = field(default_factory=list)
    digests: dict[UUID, tuple[str, str | None]] = field(default_factory=dict)
    """The digests of bytes and pixels of objects that became an image, deleted or not."""
    missing: dict[UUID, datetime] = field(default_factory=dict)
    """Objects that the last import did not find, and since when."""

    def add(self, subject: Image | FoundObject) -> None:
        """Add a task for an external object, or for an image of the catalog."""
        if isinstance(subject, FoundObject):
            self.objects[subject.id] = subject
        self.entries[subject.id] = Entry(self.clock())

    def has_task(self, image_id: UUID) -> bool:
        """Return whether an image has a task that can be leased now or later."""
        self._add_pending_tasks()
        entry = self.entries.get(image_id)
        return entry is not None and entry.due_at != NEVER

    async def lease(self, limit: int, *, seconds: float) -> Sequence[Task]:
        self._add_pending_tasks()
        now, lease = self.clock(), uuid4()
        due = sorted(
            (entry.due_at, id_) for id_, entry in self.entries.items() if entry.due_at <= now
        )
        tasks = []
        for _, image_id in due[:limit]:
            entry = self.entries[image_id]
            subject = await self._subject(image_id)
            if subject is None:
                del self.entries[image_id]
                continue
            self.entries[image_id] = Entry(
                now + timedelta(seconds=seconds), lease, entry.attempts + 1, entry.error
            )
            task = Task(subject, lease, entry.attempts + 1)
            if task.attempts <= MAX_ATTEMPTS:
                tasks.append(task)
            else:
                await self.fail(task, entry.error or STALLED_REASON)
        return tasks

    async def extend(self, tasks: Sequence[Task], *, seconds: float) -> None:
        for entry in self._held(tasks):
            entry.due_at = self.clock() + timedelta(seconds=seconds)

    async def recognise(self, task: Task, sha256: str) -> bool:
        assert isinstance(task.subject, FoundObject)
        if not self._held([task]):
            return True
        if not await self._recognise_bytes(task.subject, sha256):
            return False
        del self.entries[task.image_id]
        return True

    async def finish(self, done: Sequence[IndexedImage]) -> Sequence[UUID]:
        stored = set()
        for each in done:
            if self._held([each.task]):
                del self.entries[each.image.id]
                if await self._store(each):
                    stored.add(each.image.id)
        lost = [each.image.id for each in done if each.image.id not in stored] + self.replaced
        self.replaced = []
        existing = await self.catalog.existing_ids(lost)
        return [id_ for id_ in lost if id_ not in existing and id_ not in self.entries]

    async def release(self, tasks: Sequence[Task], error: str, *, seconds: float) -> None:
        for entry in self._held(tasks):
            entry.due_at = self.clock() + timedelta(seconds=seconds)
            entry.lease, entry.error = None, error

    async def abandon(self, tasks: Sequence[Task]) -> None:
        for entry in self._held(tasks):
            entry.due_at, entry.lease, entry.attempts = self.clock(), None, entry.attempts - 1

    async def fail(self, task: Task, reason: str) -> None:
        for entry in self._held([task]):
            subject = await self._subject(task.image_id)
            if isinstance(subject, Image) and subject.status is ImageStatus.READY:
                entry.due_at, entry.lease, entry.error = NEVER, None, reason
                continue
            if isinstance(subject, Image):
                failed = replace(subject, status=ImageStatus.FAILED, failure_reason=reason)
                self.catalog.put(failed)
            elif isinstance(subject, FoundObject):
                self.refused[task.image_id] = reason
            del self.entries[task.image_id]

    async def counts(self) -> WorkCounts:
        self._add_pending_tasks()
        now = self.clock()
        entries = [self.entries[id_] for id_ in self.entries if id_ not in self.catalog.deleted]
        dead_letters = sum(entry.due_at == NEVER for entry in entries)
        leased = sum(entry.lease is not None and now < entry.due_at < NEVER for entry in entries)
        return WorkCounts(len(entries) - dead_letters - leased, leased, dead_letters)

    def _add_pending_tasks(self) -> None:
        while self.catalog.pending:
            self.entries[self.catalog.pending.pop()] = Entry(datetime.min.replace(tzinfo=UTC))

    def _held(self, tasks: Sequence[Task]) -> list[Entry]:
        return [
            self.entries[task.image_id]
            for task in tasks
            if task.image_id in self.entries and self.entries[task.image_id].lease == task.lease
        ]

    async def _subject(self, image_id: UUID) -> Image | FoundObject | None:
        image = (await self.catalog.get([image_id])).get(image_id)
        if image is not None:
            return None if image.status is ImageStatus.FAILED else image
        has_result = image_id in self.became or image_id in self.digests
        return None if has_result else self.objects.get(image_id)

    async def _store(self, each: IndexedImage) -> bool:
        subject = each.task.subject
        if isinstance(subject, FoundObject):
            if self.objects.get(subject.id) != subject:
                return False
            if await self._recognise_bytes(subject, each.image.sha256):
                return False
            same = (await self.catalog.find_by_digest([each.image.sha256])).get(each.image.sha256)
            followers: list[UUID] = []
            if same:
                followers = self.objects_of(same.id)
                self.replaced += await self.catalog.delete([same.id])
                for id_ in followers:
                    del self.became[id_], self.digests[id_]
            if await self._recognise_pixels(subject, each.image, followers):
                return False
            added = await self.catalog.add(each.image, each.embedding)
            for id_ in [subject.id, *followers]:
                self._point(id_, added)
            await self.settle_sources([added.id])
            return True
        here = (await self.catalog.get([subject.id])).get(subject.id)
        if here is None:
            return False
        if here.status is ImageStatus.PROCESSING:
            here = with_edits_of(here, each.image)
        self.catalog.put(here, each.embedding)
        return True

    def objects_of(self, image_id: UUID, *, present: bool | None = None) -> list[UUID]:
        """Return the objects of an image, present or missing or both."""
        ids = [id_ for id_, became in self.became.items() if became == image_id]
        return [id_ for id_ in ids if present is None or (id_ not in self.missing) == present]

    async def deleted_objects(self) -> list[UUID]:
        """Return the objects whose image a user deleted."""
        images = {image.id for image in self.catalog.all_kept()}
        return [id_ for id_ in self.digests if self.became.get(id_) not in images]

    def drop_object(self, id_: UUID) -> None:
        """Delete an object."""
        for rows in (self.objects, self.became, self.refused, self.digests, self.missing):
            rows.pop(id_, None)

    async def settle_sources(self, image_ids: Iterable[UUID]) -> None:
        """Drop the missing objects of images that have others, and let the sources follow.

        Images that were in the trash as missing come back.
        """
        for image_id in image_ids:
            here = [self.objects[id_].source for id_ in self.objects_of(image_id, present=True)]
            if not here:
                continue
            for id_ in self.objects_of(image_id, present=False):
                self.drop_object(id_)
            await self.bring_back(image_id)
            image = (await self.catalog.get([image_id])).get(image_id)
            if image and image.source and image.source not in here:
                source = min(here, key=lambda source: source.location)
                self.catalog.put(replace(image, source=source, filename=source.name))

    async def bring_back(self, image_id: UUID) -> None:
        """Move an image out of the trash if it is there as missing."""
        if image_id in self.catalog.missing:
            await MemoryTrash(self.catalog).restore([image_id])

    async def take_file(self, image: Image, other: Image, object_ids: Iterable[UUID]) -> None:
        """Give an image the file of another one with the same pixels."""
        await self.bring_back(image.id)
        facts = replace(
            other,
            id=image.id,
            created_at=image.created_at,
            alt_text=image.alt_text,
            rating=image.rating,
            tags=image.tags,
        )
        self.catalog.put(facts)
        await self.catalog.tag([image.id], add=other.tags)
        for id_ in object_ids:
            self._point(id_, facts)
        await self.settle_sources([image.id])

    def _point(self, id_: UUID, image: Image) -> None:
        self.became[id_] = image.id
        self.digests[id_] = (image.sha256, image.pixel_sha256)

    async def _recognise_bytes(self, found: FoundObject, sha256: str) -> bool:
        if self.objects.get(found.id) != found:
            return True
        same = (await self.catalog.find_by_digest([sha256])).get(sha256)
        is_deleted = same and same.deleted_at is not None and same.id not in self.catalog.missing
        if same and (is_deleted or not same.is_replaceable):
            self._point(found.id, same)
            await self.settle_sources([same.id])
            await self.catalog.tag([same.id], add=found.tags)
            return True
        deleted = [id_ for id_ in await self.deleted_objects() if self.digests[id_][0] == sha256]
        if same is None and deleted:
            self._keep_deleted(found.id, self.digests[deleted[0]], deleted)
            return True
        return False

    async def _recognise_pixels(
        self, found: FoundObject, image: Image, followers: Sequence[UUID]
    ) -> bool:
        pixels = image.pixel_sha256
        if pixels is None:
            return False
        kept = self.catalog.all_kept()
        same = [each for each in kept if each.pixel_sha256 == pixels]
        for each in sorted(same, key=lambda each: each.source != found.source):
            is_gone = self.objects_of(each.id) and not self.objects_of(each.id, present=True)
            if each.status is ImageStatus.READY and each.source and is_gone:
                await self.take_file(each, image, [found.id, *followers])
                return True
        deleted = [id_ for id_ in await self.deleted_objects() if self.digests[id_][1] == pixels]
        if deleted and (not same or any(id_ in self.missing for id_ in deleted)):
            for id_ in (found.id, *followers):
                self._keep_deleted(id_, (image.sha256, pixels), deleted)
            return True
        return False

    def _keep_deleted(
        self, id_: UUID, digests: tuple[str, str | None], deleted: Iterable[UUID]
    ) -> None:
        self.digests[id_] = digests
        for other in deleted:
            if other in self.missing and self.digests[other][0] == digests[0]:
                self.drop_object(other)
