"""Doing the work that is written down for a model."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from domain.entities.images import Image, ImageStatus, Variant
from domain.entities.uploads import Upload, sha256_of
from domain.entities.work import FoundObject, IndexedImage
from domain.errors import BytesMissing, ImageNotFound, Overloaded, Refusal, UploadRefusal
from domain.use_cases.library.read import read_all
from domain.use_cases.uploads.renditions import store

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence
    from uuid import UUID

    from domain.entities.embeddings import Embedding
    from domain.entities.images import Pixels
    from domain.entities.work import Task
    from domain.ports import Clock, Encoder, ExternalFiles, Imaging, Storage, WorkQueue
    from domain.use_cases.library.read import ReadImage

AT_ONCE = 16
"""How many pictures are in memory at once: enough to fill forward passes while others decode."""

CHUNK = 64
"""How many tasks are leased at a time."""

KEPT_AT_ONCE = 32
"""How many are kept by one transaction."""

LEASE_SECONDS = 120.0
"""Much longer than a picture takes, and as long as the work of a killed worker lies still."""

MOST_PAUSE_SECONDS = 600.0

LEAVING_SECONDS = 5.0
"""How long a worker that is stopped takes to give back what it has not done."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class IndexImages:
    """Make what is missing of images and found objects: renditions, facts and an embedding.

    What a worker leases and does not finish, since it was killed, is another's when the lease has
    run out. A file that is no picture makes its image FAILED, or is noted as refused; an outage
    puts the task off for a while, for longer each time.
    """

    encoder: Encoder
    imaging: Imaging
    storage: Storage
    sources: ExternalFiles
    read: ReadImage
    work: WorkQueue
    clock: Clock
    max_bytes: int
    lease_seconds: float = LEASE_SECONDS
    at_once: Callable[[], int] = lambda: AT_ONCE
    """Returns how many pictures to be at from now on."""

    async def __call__(self) -> AsyncGenerator[int]:
        """Yield how many tasks came to an end, again and again, until nobody can take more."""
        shift = _Shift(self)
        renewing = asyncio.create_task(shift.renew())
        try:
            while ended := await shift.proceed():
                yield ended
        finally:
            renewing.cancel()
            for task in shift.running:
                task.cancel()
            await asyncio.gather(renewing, *shift.running, return_exceptions=True)
            await shift.leave()

    async def make(self, task: Task) -> IndexedImage:
        """Make what a task asks for. Raises UploadRefusal and BytesMissing."""
        subject = task.subject
        if isinstance(subject, FoundObject):
            return await self._new(task, subject)
        if subject.status is ImageStatus.READY:
            pixels = await self.imaging.decode_pixels(await self._bytes_of(subject))
            return IndexedImage(task, subject, await self._embed(pixels))
        data = await read_all(await self.read(subject, Variant.ORIGINAL))
        return await self._develop(task, subject, data)

    async def _new(self, task: Task, found: FoundObject) -> IndexedImage:
        async def read() -> bytes:
            return await read_all(await self.sources.open(found.source))

        upload = Upload(found.source.name, found.byte_size, read)
        data = await upload.bytes_within(self.max_bytes)
        image = Image(
            id=found.id,
            filename=upload.name,
            content_type="",
            byte_size=len(data),
            sha256=await sha256_of(data),
            created_at=self.clock(),
            status=ImageStatus.PROCESSING,
            tags=found.tags,
            source=found.source,
        )
        return await self._develop(task, image, data)

    async def _develop(self, task: Task, image: Image, data: bytes) -> IndexedImage:
        picture = await self.imaging.decode(data)
        embedding = await self._embed(picture.pixels)
        await store(self.storage, image, picture)
        return IndexedImage(task, image.with_picture(picture), embedding)

    async def _bytes_of(self, image: Image) -> bytes:
        """Return the original, or what is left where that is gone."""
        try:
            return await read_all(await self.read(image, Variant.ORIGINAL))
        except ImageNotFound:
            return await read_all(await self.read(image, Variant.LARGE))

    async def _embed(self, pixels: Pixels) -> Embedding:
        while True:
            try:
                [embedding] = await self.encoder.encode_images([pixels])
            except Overloaded:
                # Uploads that somebody waits for go first.
                await asyncio.sleep(1)
            else:
                return embedding


@dataclass(slots=True)
class _Shift:
    """What one worker has on its hands."""

    index: IndexImages
    leased: deque[Task] = field(default_factory=deque)
    running: dict[asyncio.Task[IndexedImage], Task] = field(default_factory=dict)
    done: list[IndexedImage] = field(default_factory=list)

    async def proceed(self) -> int:
        """Return how many tasks came to an end; 0 when there is nothing left to do."""
        while True:
            await self._begin()
            if not self.running:
                return await self._keep()
            finished, _ = await asyncio.wait(self.running, return_when=asyncio.FIRST_COMPLETED)
            ended = sum([await self._end(future) for future in finished])
            if len(self.done) >= KEPT_AT_ONCE or not (self.leased or self.running):
                ended += await self._keep()
            if ended:
                return ended

    async def leave(self) -> None:
        """Give back what is not done, so that nobody waits for the lease to run out."""
        held = self._held()
        if held:
            # Where that cannot be, it runs out.
            with suppress(Exception):
                async with asyncio.timeout(LEAVING_SECONDS):
                    await self.index.work.abandon(held)

    def _held(self) -> list[Task]:
        return [*self.leased, *self.running.values(), *(each.task for each in self.done)]

    async def renew(self) -> None:
        """Keep what is leased from running out."""
        while True:
            await asyncio.sleep(self.index.lease_seconds / 3)
            try:
                await self.index.work.extend(self._held(), seconds=self.index.lease_seconds)
            except Exception:  # an outage now: the next time, or others take it
                logger.warning("leases could not be kept; trying again", exc_info=True)

    async def _begin(self) -> None:
        while len(self.running) < self.index.at_once():
            if not self.leased:
                self.leased.extend(
                    await self.index.work.lease(CHUNK, seconds=self.index.lease_seconds)
                )
            if not self.leased:
                return
            task = self.leased.popleft()
            self.running[asyncio.create_task(self.index.make(task))] = task

    async def _end(self, future: asyncio.Task[IndexedImage]) -> int:
        """Take note of what became of a task, and return 1 if that is all there is to it."""
        task = self.running.pop(future)
        try:
            self.done.append(future.result())
        except (UploadRefusal, BytesMissing, ImageNotFound) as refusal:
            await self.index.work.fail(task, _reason(refusal))
            return 1
        except Exception as error:
            logger.warning("%s could not be made", task.image_id, exc_info=error)
            await self._put_off(task, error)
        return 0

    async def _put_off(self, task: Task, error: Exception) -> None:
        pause = min(MOST_PAUSE_SECONDS, 5.0 * 2**task.attempts)
        logger.warning("%s waits for %.0f s", task.image_id, pause)
        await self.index.work.release([task], _reason(error), seconds=pause)

    async def _keep(self) -> int:
        """Keep what is done, and return how many that were."""
        done, self.done = self.done, []
        if not done:
            return 0
        try:
            lost = await self.index.work.finish(done)
        except Exception:  # of one of them, perhaps, which is to hold up no other
            logger.warning("%s pictures could not be kept; one by one", len(done), exc_info=True)
            return sum([await self._keep_one(each) for each in done])
        await self._remove(lost)
        return len(done)

    async def _keep_one(self, done: IndexedImage) -> int:
        """Keep one of several that could not be kept together, and return 1 if that was it."""
        try:
            lost = await self.index.work.finish([done])
        except Exception as error:
            logger.warning("%s could not be kept", done.task.image_id, exc_info=error)
            await self._put_off(done.task, error)
            return 0
        await self._remove(lost)
        return 1

    async def _remove(self, lost: Sequence[UUID]) -> None:
        keys = [variant.key_of(image_id) for image_id in lost for variant in Variant]
        await self.index.storage.delete(keys)


def _reason(error: Exception) -> str:
    match error:
        case ImageNotFound() | BytesMissing():
            return "Its bytes are not where they were."
        case Refusal():
            return error.message
    return f"{type(error).__name__}: {error}"
