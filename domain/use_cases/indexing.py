"""Indexes images and external objects: processes the tasks of a model's work queue."""

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
from domain.failure_log import FailureLog
from domain.use_cases.library.read import read_all
from domain.use_cases.uploads.decode_and_embed import decode_and_embed
from domain.use_cases.uploads.renditions import store

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence
    from uuid import UUID

    from domain.entities.embeddings import Embedding
    from domain.entities.images import Pixels
    from domain.entities.work import Task
    from domain.ports import Clock, Encoder, ExternalFiles, Imaging, Storage, WorkQueue
    from domain.use_cases.library.read import ReadImage

INDEXING_CONCURRENCY = 16
"""How many pictures are processed at once: enough to fill forward passes while others decode."""

LEASE_BATCH_SIZE = 64
"""How many tasks are leased at a time."""

FINISH_BATCH_SIZE = 32
"""How many results are stored in one transaction."""

LEASE_SECONDS = 30.0
"""A worker extends its leases. The tasks of a killed worker wait as long for another one."""

BACKOFF_BASE_SECONDS = 5.0
MAX_BACKOFF_SECONDS = 600.0
"""After an outage, a task waits ``BACKOFF_BASE_SECONDS * 2 ** attempts``, up to the maximum."""

ENCODER_RETRY_SECONDS = 1.0
"""How long a task waits before it calls an overloaded encoder again."""

SHUTDOWN_TIMEOUT_SECONDS = 5.0
"""How long a stopped worker tries to return its unfinished tasks to the queue."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class IndexImages:
    """Processes the tasks of a model: makes renditions, facts and embeddings.

    A killed worker's tasks are leased by others when its leases expire. A file that is not an
    acceptable picture fails its task for good; any other error is an outage, after which the task
    is retried with exponential backoff.
    """

    encoder: Encoder
    imaging: Imaging
    storage: Storage
    external_files: ExternalFiles
    read: ReadImage
    work_queue: WorkQueue
    clock: Clock
    max_bytes: int
    lease_seconds: float = LEASE_SECONDS
    concurrency: Callable[[], int] = lambda: INDEXING_CONCURRENCY
    """Returns how many pictures may be processed at once. It may change between two calls."""
    indexing: FailureLog = field(default_factory=lambda: FailureLog("images could not be indexed"))
    storing: FailureLog = field(default_factory=lambda: FailureLog("results could not be stored"))

    async def __call__(self) -> AsyncGenerator[int]:
        """Yield how many tasks were finished or failed, until none can be leased any more."""
        run = _Run(self)
        extending = asyncio.create_task(run.extend_leases())
        try:
            while ended := await run.step():
                yield ended
        finally:
            extending.cancel()
            for future in run.running:
                future.cancel()
            await asyncio.gather(extending, *run.running, return_exceptions=True)
            await run.abandon_unfinished()

    async def process(self, task: Task) -> IndexedImage | None:
        """Return the result of a task; None where its bytes are known, and it is finished.

        Raises UploadRefusal, BytesMissing and ImageNotFound.
        """
        subject = task.subject
        if isinstance(subject, FoundObject):
            return await self._process_object(task, subject)
        if subject.status is ImageStatus.READY:
            pixels = await self.imaging.decode_pixels(await self._original_or_rendition(subject))
            return IndexedImage(task, subject, await self._embed(pixels))
        data = await read_all(await self.read(subject, Variant.ORIGINAL))
        return await self._decode_and_embed(task, subject, data)

    async def _process_object(self, task: Task, found: FoundObject) -> IndexedImage | None:
        async def read() -> bytes:
            return await read_all(await self.external_files.open(found.source))

        upload = Upload(found.source.name, found.byte_size, read)
        data = await upload.bytes_within(self.max_bytes)
        sha256 = await sha256_of(data)
        if await self.work_queue.recognise(task, sha256):
            return None
        image = Image(
            id=found.id,
            filename=upload.name,
            content_type="",
            byte_size=len(data),
            sha256=sha256,
            created_at=self.clock(),
            status=ImageStatus.PROCESSING,
            tags=found.tags,
            source=found.source,
            lacks_large=True,
        )
        return await self._decode_and_embed(task, image, data)

    async def _decode_and_embed(self, task: Task, image: Image, data: bytes) -> IndexedImage:
        with_large = Variant.LARGE in image.required_variants
        picture, embedding = await decode_and_embed(
            self.imaging, self._embed, data, with_large=with_large
        )
        await store(self.storage, image, picture)
        return IndexedImage(task, image.with_picture(picture), embedding)

    async def _original_or_rendition(self, image: Image) -> bytes:
        """Return the original, or the largest rendition where the original is gone."""
        for variant in (Variant.ORIGINAL, Variant.LARGE):
            with suppress(ImageNotFound):
                return await read_all(await self.read(image, variant))
        return await read_all(await self.read(image, Variant.THUMBNAIL))

    async def _embed(self, pixels: Pixels) -> Embedding:
        while True:
            try:
                [embedding] = await self.encoder.encode_images([pixels])
            except Overloaded:
                # Uploads go first: their clients wait for the result.
                await asyncio.sleep(ENCODER_RETRY_SECONDS)
            else:
                return embedding


@dataclass(slots=True)
class _Run:
    """One run over the queue: the tasks that it holds, and the results that it has not stored."""

    use_case: IndexImages
    leased: deque[Task] = field(default_factory=deque)
    running: dict[asyncio.Task[IndexedImage | None], Task] = field(default_factory=dict)
    unstored: list[IndexedImage] = field(default_factory=list)

    async def step(self) -> int:
        """Return how many tasks were finished or failed; 0 when nothing is left to do."""
        while True:
            await self._start_tasks()
            if not self.running:
                return await self._finish_batch()
            done, _ = await asyncio.wait(self.running, return_when=asyncio.FIRST_COMPLETED)
            ended = sum([await self._collect(future) for future in done])
            if len(self.unstored) >= FINISH_BATCH_SIZE or not (self.leased or self.running):
                ended += await self._finish_batch()
            if ended:
                return ended

    async def abandon_unfinished(self) -> None:
        """Return unfinished tasks to the queue, so that they can be leased again at once."""
        if held := self._held():
            # After an outage or a timeout, the leases expire by themselves.
            with suppress(Exception):
                async with asyncio.timeout(SHUTDOWN_TIMEOUT_SECONDS):
                    await self.use_case.work_queue.abandon(held)

    async def extend_leases(self) -> None:
        """Extend the leases again and again, until cancelled."""
        seconds = self.use_case.lease_seconds
        failures = FailureLog("leases could not be extended")
        while True:
            await asyncio.sleep(seconds / 3)
            # After a long outage, other workers lease the tasks.
            with failures.run():
                await self.use_case.work_queue.extend(self._held(), seconds=seconds)

    def _held(self) -> list[Task]:
        return [*self.leased, *self.running.values(), *(each.task for each in self.unstored)]

    async def _start_tasks(self) -> None:
        while len(self.running) < self.use_case.concurrency():
            if not self.leased:
                self.leased.extend(
                    await self.use_case.work_queue.lease(
                        LEASE_BATCH_SIZE, seconds=self.use_case.lease_seconds
                    )
                )
            if not self.leased:
                return
            task = self.leased.popleft()
            self.running[asyncio.create_task(self.use_case.process(task))] = task

    async def _collect(self, future: asyncio.Task[IndexedImage | None]) -> int:
        """Take the result of a task. Returns 1 if the task has ended, 0 if it is to be stored."""
        task = self.running.pop(future)
        try:
            if (result := future.result()) is None:
                return 1
            self.unstored.append(result)
            self.use_case.indexing.succeeded()
        except (UploadRefusal, BytesMissing, ImageNotFound) as refusal:
            await self.use_case.work_queue.fail(task, _reason(refusal))
            return 1
        except Exception as error:  # noqa: BLE001 - logged, and tried again
            bug = f"image {task.image_id} could not be indexed"
            self.use_case.indexing.failed(error, bug=bug)
            await self._release_for_retry(task, error)
        return 0

    async def _release_for_retry(self, task: Task, error: Exception) -> None:
        pause = min(MAX_BACKOFF_SECONDS, BACKOFF_BASE_SECONDS * 2**task.attempts)
        logger.info("image %s is retried in %.0f s", task.image_id, pause)
        await self.use_case.work_queue.release([task], _reason(error), seconds=pause)

    async def _finish_batch(self) -> int:
        """Store the results, and return how many tasks were finished."""
        results, self.unstored = self.unstored, []
        if not results:
            return 0
        try:
            lost = await self.use_case.work_queue.finish(results)
        except Exception as error:  # noqa: BLE001 - logged, and tried again
            # Perhaps because of a single result, which must not block the others.
            self.use_case.storing.failed(error)
            return sum([await self._finish_one(result) for result in results])
        self.use_case.storing.succeeded()
        await self._delete_bytes(lost)
        return len(results)

    async def _finish_one(self, result: IndexedImage) -> int:
        """Store one result of a batch that failed. Returns 1 if it was stored, otherwise 0."""
        try:
            lost = await self.use_case.work_queue.finish([result])
        except Exception as error:  # noqa: BLE001 - logged, and tried again
            bug = f"image {result.task.image_id} could not be stored"
            self.use_case.storing.failed(error, bug=bug)
            await self._release_for_retry(result.task, error)
            return 0
        await self._delete_bytes(lost)
        return 1

    async def _delete_bytes(self, lost: Sequence[UUID]) -> None:
        await self.use_case.storage.delete(Variant.keys_of(lost))


def _reason(error: Exception) -> str:
    match error:
        case ImageNotFound() | BytesMissing():
            return "The file is missing or has changed; import or upload it again."
        case Refusal():
            return error.message
    return f"{type(error).__name__}: {error}"
