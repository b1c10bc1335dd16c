"""Renders LARGE of an image at its first request, or ahead of it, from the original."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from domain.concurrency import AdmissionLimit, may_use_reserve
from domain.entities.images import RENDITION_CONTENT_TYPE, ImageStatus, Variant
from domain.errors import BytesMissing, ImageNotFound, Unavailable, UploadRefusal
from domain.use_cases.library.read import files_missing, open_source, read_all

if TYPE_CHECKING:
    from uuid import UUID

    from domain.entities.images import Image
    from domain.entities.storage import Blob
    from domain.ports import Catalog, ExternalFiles, Imaging, Renditions, Storage

RENDERING_CONCURRENCY = 4
"""How many originals are in memory at once: one more than the decoders of most machines take."""

MAX_RENDERINGS_WAITING = 256
"""How many more images may wait for LARGE. Further requests are refused."""

MAX_REFUSED = 1_000
"""How many images are known of whose original LARGE cannot be rendered."""

REFUSED_SECONDS = 300.0
"""After this time such an original is read again: it may have been repaired."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RenderLarge:
    """Renders and stores LARGE of a READY image that has none yet.

    Neither an upload nor an import waits for LARGE, which takes longer than all else. Concurrent
    requests for an image share one rendering. It is idempotent, and a crash leaves all of LARGE, or
    none of it.
    """

    imaging: Imaging
    catalog: Catalog
    storage: Storage
    external_files: ExternalFiles
    renditions: Renditions
    _admission: AdmissionLimit = field(
        default_factory=lambda: AdmissionLimit(
            RENDERING_CONCURRENCY, max_waiting=MAX_RENDERINGS_WAITING
        )
    )
    _running: dict[UUID, asyncio.Task[bytes]] = field(default_factory=dict)
    _refused: dict[UUID, float] = field(default_factory=dict)
    """When an original was refused, oldest first."""

    async def __call__(self, image: Image) -> bytes:
        """Store and return LARGE. Raises ImageNotFound where it cannot be made, and Overloaded."""
        task = self._running.get(image.id)
        if task is None:
            self._raise_refused(image)
            task = asyncio.create_task(self._render(image))
            self._running[image.id] = task
            task.add_done_callback(lambda ended: self._forget(image.id, ended))
        # A caller that goes away does not end the rendering for the others.
        return await asyncio.shield(task)

    def _forget(self, image_id: UUID, ended: asyncio.Task[bytes]) -> None:
        del self._running[image_id]
        # Retrieved, so that a failure for which no caller waits any more is not logged as a bug.
        _ = ended.cancelled() or ended.exception()

    def _raise_refused(self, image: Image) -> None:
        """Raise ImageNotFound for an original that was refused a short time ago.

        The decoder may have worked for seconds before it gave up: each request would repeat that.
        """
        if time.monotonic() - self._refused.get(image.id, -math.inf) < REFUSED_SECONDS:
            raise _not_renderable(image)

    def _remember_refused(self, image: Image) -> None:
        self._refused.pop(image.id, None)
        self._refused[image.id] = time.monotonic()
        if len(self._refused) > MAX_REFUSED:
            del self._refused[next(iter(self._refused))]

    async def _render(self, image: Image) -> bytes:
        if image.status is not ImageStatus.READY or Variant.LARGE in image.required_variants:
            raise files_missing(image)
        # Callers with a key may join a rendering that one without a key has started. Together
        # the renderings take few connections.
        may_use_reserve.set(True)
        async with self._admission:
            try:
                original = await read_all(await self._open_original(image))
                large = await self.imaging.render_large(original)
            except BytesMissing:
                raise files_missing(image) from None
            except UploadRefusal:
                self._remember_refused(image)
                raise _not_renderable(image) from None
        key = Variant.LARGE.key_of(image.id)
        try:
            await self.storage.write(key, large, content_type=RENDITION_CONTENT_TYPE)
            # After a crash before this, LARGE is rendered again.
            if image.lacks_large:
                await self.renditions.note_large(image.id)
        except Unavailable as error:  # such as a disk that is full: callers get the bytes anyway
            logger.warning("LARGE of image %s could not be stored: %s", image.id, error)
        # Deleted meanwhile, with the files of then. After a crash, a sweep collects this one.
        if not await self.catalog.existing_ids([image.id]):
            await self.storage.delete([key])
            raise files_missing(image)
        return large

    async def _open_original(self, image: Image) -> Blob:
        if image.source is not None:
            return await open_source(self.external_files, image, image.source)
        return await self.storage.open(Variant.ORIGINAL.key_of(image.id))


def _not_renderable(image: Image) -> ImageNotFound:
    return ImageNotFound(
        f"LARGE of image {image.id} cannot be rendered from its original; request another variant."
    )
