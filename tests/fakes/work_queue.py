"""The work queue in memory, over the catalog in memory."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from domain.entities.images import Image, ImageStatus
from domain.entities.work import MAX_ATTEMPTS, FoundObject, IndexedImage, Task, WorkCounts
from tests.fakes.catalog import MemoryCatalog

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

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
            else:
                self.refused[task.image_id] = reason
            del self.entries[task.image_id]

    async def counts(self) -> WorkCounts:
        self._add_pending_tasks()
        now = self.clock()
        entries = self.entries.values()
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
        return None if image_id in self.became else self.objects.get(image_id)

    async def _store(self, each: IndexedImage) -> bool:
        subject = each.task.subject
        if isinstance(subject, FoundObject):
            if self.objects.get(subject.id) != subject:
                return False
            same = (await self.catalog.find_by_digest([each.image.sha256])).get(each.image.sha256)
            if same and same.is_replaceable and same.deleted_at is None:
                self.replaced += await self.catalog.delete([same.id])
                followers = [id_ for id_, became in self.became.items() if became == same.id]
                self.became |= dict.fromkeys(followers, each.image.id)
            added = await self.catalog.add(each.image, each.embedding)
            self.became[subject.id] = added.id
            if added.id != subject.id:
                await self.catalog.tag([added.id], add=subject.tags)
            return added.id == subject.id
        here = (await self.catalog.get([subject.id])).get(subject.id)
        if here is None:
            return False
        if here.status is ImageStatus.PROCESSING:
            here = replace(
                each.image,
                tags=here.tags,
                alt_text=here.alt_text,
                rating=here.rating,
                filename=here.filename,
            )
        self.catalog.put(here, each.embedding)
        return True
