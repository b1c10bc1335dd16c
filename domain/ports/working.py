"""What is still to be done, and what happens meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from contextlib import AbstractAsyncContextManager
    from datetime import datetime
    from uuid import UUID

    from domain.objects import KnownObject, RefusedObject, Stretch
    from domain.upload_targets import UploadTarget
    from domain.work import FoundObject, Indexed, Task, WorkCounts


class Work(Protocol):
    """What one model has not embedded yet. A lease that has run out is anybody's again."""

    async def lease(self, limit: int, *, seconds: float) -> Sequence[Task]:
        """Take up to ``limit`` tasks that nobody else has, those on new pictures first.

        What was taken ATTEMPTS times and never done is set aside in place of being taken.
        """

    async def extend(self, tasks: Sequence[Task], *, seconds: float) -> None:
        """Keep tasks for so much longer from now on."""

    async def finish(self, done: Sequence[Indexed]) -> Sequence[UUID]:
        """Keep what was made, all or none, with the work of the other models on what is new.

        Returns the ids that are no image: deleted meanwhile, their lease lost, or the same bytes
        here already; or they had FAILED, and the same bytes were taken in now. What storage has of
        them is nobody's.
        """

    async def release(self, tasks: Sequence[Task], error: str, *, seconds: float) -> None:
        """Let others take them again, but not before so many seconds have passed."""

    async def give_back(self, tasks: Sequence[Task]) -> None:
        """Let others take them at once, as if nobody had taken them up."""

    async def set_aside(self, task: Task, reason: str) -> None:
        """Give a task up: its image has FAILED, and its object is no picture, for this reason."""

    async def counts(self) -> WorkCounts:
        """Say how much there is."""


class Gaps(Protocol):
    """Images that nobody works on, though they are not what they should be."""

    async def unembedded(self) -> Sequence[UUID]:
        """Return the images that a live model lacks, and that nobody is going to give it.

        Those that are PROCESSING and on which there is no work are among them.
        """

    async def close(self) -> int:
        """Write down work on all of these, and return how much that is."""

    async def redo(self, ids: Sequence[UUID]) -> int:
        """Have READY images made anew from their originals; they can be found meanwhile."""

    async def fail(self, ids: Sequence[UUID], reason: str) -> int:
        """Let images have FAILED for this reason, so that nothing finds them any more."""


class Objects(Protocol):
    """What was found in places outside of the library, and what one model is to make of it."""

    async def known(self, stretch: Stretch, *, after: str, limit: int) -> Sequence[KnownObject]:
        """Return the first objects of a stretch behind ``after``, by code point of the location."""

    async def find(self, locations: Sequence[str]) -> dict[str, KnownObject]:
        """Return those of the objects that are known, by location."""

    async def write_down(
        self, found: Sequence[FoundObject], *, in_place_of: Sequence[UUID] = ()
    ) -> Sequence[UUID]:
        """Keep objects with the work on them, all or none.

        What is known at their locations stays, but for the objects ``in_place_of`` which they
        are, which are forgotten. Returns the ids of the images that are deleted with these.
        """

    async def forget(self, ids: Sequence[UUID]) -> Sequence[UUID]:
        """Forget objects with the work on them, and return the ids of the images deleted with them.

        An image whose source an object was goes with it. Where another object has the same bytes,
        that becomes its source, and it stays.
        """

    async def hand_over(self, stretch: Stretch) -> None:
        """Let the model do what work there is by others on objects that wait.

        It may have been written down for a model that answered before.
        """

    async def count_waiting(self, stretch: Stretch) -> int:
        """Return how many objects are still to be indexed."""

    async def refused(self, stretch: Stretch, *, limit: int) -> tuple[int, Sequence[RefusedObject]]:
        """Return how many objects are refused, and the first of them."""


class Targets(Protocol):
    """What is known of the files that clients put into place themselves."""

    async def keep(self, targets: Sequence[UploadTarget]) -> None:
        """Keep targets. One whose image is gone meanwhile is kept without."""

    async def find(self, target_id: UUID) -> UploadTarget | None:
        """Return a target, expired or not."""

    async def complete(self, target_id: UUID, image_id: UUID, *, is_duplicate: bool) -> None:
        """Note what a target has become, if nothing was noted, and both are still here.

        A target whose image is deleted later goes with it.
        """

    async def forget(self, expired_by: datetime) -> list[UUID]:
        """Remove the targets that have expired by then, and return their ids."""


class Events(Protocol):
    """What happens in the library, whichever process does it."""

    def images(self) -> AbstractAsyncContextManager[AsyncIterator[Sequence[UUID] | None]]:
        """Listen for the ids of images whose status changes, or which come or go.

        From the moment it is entered nothing is missed, but where the connection was lost or
        whoever listens was too slow: then None comes, and they have to look for themselves. What
        comes is all that happened since they last asked. Raises Overloaded where too many listen.
        """
