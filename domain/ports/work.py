"""The work queue, external objects, upload targets, and events about images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager
    from datetime import datetime, timedelta
    from uuid import UUID

    from domain.entities.external_objects import (
        ImportCounts,
        KeyRange,
        KnownObject,
        RefusedObject,
    )
    from domain.entities.faults import DueOriginal, Fault
    from domain.entities.images import Image
    from domain.entities.upload_targets import UploadTarget
    from domain.entities.work import FoundObject, IndexedImage, Task, WorkCounts


class WorkQueue(Protocol):
    """Tasks of one model: what it has not embedded yet. Expired leases can be leased again."""

    async def lease(self, limit: int, *, seconds: float) -> Sequence[Task]:
        """Lease up to ``limit`` tasks that no other worker holds, those on new pictures first.

        A task that was leased MAX_ATTEMPTS times and never finished fails instead.
        """

    async def extend(self, tasks: Sequence[Task], *, seconds: float) -> None:
        """Extend the leases to ``seconds`` from now."""

    async def recognise(self, task: Task, sha256: str) -> bool:
        """Finish a task on an object whose bytes are known, and return whether they are.

        They are known as those of an image, which gets the object as a file of it, or as those of
        an image that a user deleted, which stays deleted. An image that is in the trash as missing
        comes back. A FAILED image gets another chance: its bytes are not known.
        """

    async def finish(self, done: Sequence[IndexedImage]) -> Sequence[UUID]:
        """Store results in one transaction, with tasks of the other models for new images.

        An object with the pixels of an image whose files are all missing becomes the file of that
        image, which keeps its id, embedding and what people edit, and comes back from the trash if
        it is there as missing. Returns the ids that did not become images: deleted in the meantime,
        lease lost, or known by bytes or pixels; and FAILED images that were replaced by the same
        bytes. Their stored bytes can be deleted.
        """

    async def release(self, tasks: Sequence[Task], error: str, *, seconds: float) -> None:
        """Return tasks to the queue for a retry, after a backoff of so many seconds."""

    async def abandon(self, tasks: Sequence[Task]) -> None:
        """Return tasks to the queue at once, without counting the attempt."""

    async def fail(self, task: Task, reason: str) -> None:
        """Move a task to the dead letters: its image becomes FAILED, or its object refused."""

    async def counts(self) -> WorkCounts:
        """Count the tasks by state."""


class RepairQueue(Protocol):
    """Images that lack something and have no task that would supply it."""

    async def unembedded(self) -> Sequence[UUID]:
        """Return the images that lack an embedding by a live model and have no task for it.

        PROCESSING images without a task are among them.
        """

    async def enqueue_unembedded(self) -> int:
        """Add the missing tasks for all of these images, and return their number."""

    async def reprocess(self, ids: Sequence[UUID]) -> int:
        """Make READY images PROCESSING again, from their originals. They stay searchable."""

    async def fail(self, ids: Sequence[UUID], reason: str) -> int:
        """Make images FAILED with this reason, so that no search returns them."""

    async def restore_tasks(self) -> int:
        """Add a task for each PROCESSING image without one; return their number.

        Also deletes the dead letters of images that were deleted. Costs nearly nothing where
        nothing is missing.
        """

    async def violations(self) -> Mapping[Fault, Sequence[UUID]]:
        """Return the images that break an invariant of the database, by fault.

        SAME_BYTES, WRONGLY_FINDABLE and UNBOUNDED. It reads whole tables.
        """


class Scrubs(Protocol):
    """When each original was last read to its end, and with which result.

    Images in the trash are among them, FAILED ones and missing ones are not.
    """

    async def due(
        self, before: datetime, *, after: DueOriginal | None = None, limit: int
    ) -> Sequence[DueOriginal]:
        """Return originals that were read or stored last before then, longest ago first.

        ``after`` is the last one of the page before.
        """

    async def faulty(self) -> Sequence[Image]:
        """Return the images whose original had a fault when it was last read."""

    async def record(self, image_id: UUID, at: datetime, fault: Fault | None) -> None:
        """Note that an original was read. Does nothing where the image is gone."""


class ExternalObjects(Protocol):
    """Objects found in folders and buckets, and the tasks of one model on them."""

    async def list_known(
        self, key_range: KeyRange, *, after: str, limit: int
    ) -> Sequence[KnownObject]:
        """Return the first objects of a range behind ``after``, by code point of the location.

        A location whose object is missing has the one that was there last.
        """

    async def find(self, locations: Sequence[str]) -> dict[str, KnownObject]:
        """Return the known objects at these locations, by location."""

    async def add(self, found: Sequence[FoundObject], *, replacing: Sequence[UUID] = ()) -> None:
        """Insert objects with their tasks in one transaction.

        A location that is known keeps its object, unless that is among ``replacing``, whose objects
        become missing.
        """

    async def mark_missing(self, ids: Sequence[UUID], *, is_certain: bool = True) -> None:
        """Mark objects as missing; delete those that have no result, with their tasks.

        The grace period begins, unless ``is_certain`` is false. An image gets another of its
        objects as its source. An object whose image has another object is deleted.
        """

    async def mark_present(self, ids: Sequence[UUID]) -> None:
        """Mark missing objects as present. Images that are in the trash as missing come back."""

    async def reassign(self, key_range: KeyRange) -> None:
        """Take over the tasks of other models on waiting objects of a range.

        They may have been added for a model that was active before.
        """

    async def count_waiting(self, key_range: KeyRange) -> int:
        """Return how many objects are still to be indexed."""

    async def refused(
        self, key_range: KeyRange, *, since: UUID, unfinished: Sequence[UUID], limit: int
    ) -> tuple[int, Sequence[RefusedObject]]:
        """Return how many objects of an import are refused, and the first ``limit`` of them.

        ``since`` is the id of the first object that the import added; the ``unfinished`` ones were
        waiting when it began.
        """


class MissingObjects(Protocol):
    """Objects that are missing, and their images."""

    async def count(self, key_range: KeyRange, *, since: UUID) -> ImportCounts:
        """Count what became of the objects of a range. ``since`` is the id of the first new one."""

    async def reunite(self, key_range: KeyRange, *, since: UUID) -> Sequence[UUID]:
        """Give missing images the files of new images with the same pixels, which are deleted.

        So a file that was moved and rewritten is the same image, although it was indexed before the
        old file was known to be missing. ``since`` is the id of the first new image. New images
        that people have described are kept. Returns the ids of the deleted images.
        """

    async def trash(self, key_range: KeyRange, at: datetime) -> Sequence[UUID]:
        """Move images into the trash as missing whose objects are all missing for certain.

        They come back with all facts as soon as one of their files is found again, and no expiry of
        the trash deletes them. Uploaded images, and images with an object in a folder that could
        not be listed, are kept. Returns the ids of the moved images.
        """

    async def forget(self, key_range: KeyRange, *, grace_period: timedelta) -> Sequence[UUID]:
        """Delete images that are missing, and in the trash as such, for longer than that.

        Their objects are deleted with them, and so are those of uploaded images, which are kept. An
        image with another object is kept, too. Returns the ids of the deleted images.
        """


class UploadTargets(Protocol):
    """Upload targets, shared by all servers of one database."""

    async def save(self, targets: Sequence[UploadTarget]) -> None:
        """Store targets. A target whose image was deleted meanwhile is stored without it."""

    async def find(self, target_id: UUID) -> UploadTarget | None:
        """Return a target, expired or not."""

    async def complete(self, target_id: UUID, image_id: UUID, *, is_duplicate: bool) -> None:
        """Store the image of a target, unless it has one already or either was deleted.

        Deleting the image later deletes the target.
        """

    async def delete_expired(self, expired_by: datetime) -> list[UUID]:
        """Delete the targets that have expired by then, and return their ids."""


class Events(Protocol):
    """Changes of images, made by any process of the library."""

    def images(self) -> AbstractAsyncContextManager[AsyncIterator[Sequence[UUID] | None]]:
        """Subscribe to the ids of images that are added, deleted, or change their status.

        Nothing is missed from entering on, except where the connection was lost or the subscriber
        is too slow: then None is yielded, and the subscriber has to query by itself. Each step
        yields everything since the last one. Raises Overloaded for too many subscribers.
        """
