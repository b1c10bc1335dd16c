"""Renders LARGE of imported images ahead of its first request, as their files may vanish."""

from __future__ import annotations

import logging
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from domain.errors import ImageNotFound, Overloaded

if TYPE_CHECKING:
    from uuid import UUID

    from domain.ports import Catalog, Renditions, WorkQueue
    from domain.use_cases.library.render_large import RenderLarge

RENDER_BATCH_SIZE = 50
"""How many images are read at a time."""

MAX_FAILED = 1_000
"""How many images that cannot be rendered are remembered. Where there are more, no image is tried a
second time."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RenderImported:
    """Renders LARGE of the imported images that have none, one after another.

    An import does not wait for it: nothing is rendered while the model has tasks. Each image is
    noted at once, so a stopped run loses nothing. An image whose file has vanished is logged, and
    skipped until the next start of the process.
    """

    render_large: RenderLarge
    catalog: Catalog
    renditions: Renditions
    work_queue: WorkQueue
    _after: list[UUID] = field(default_factory=list)
    """The keyset cursor: the last image of the batch before, or empty at the start."""
    _failed: set[UUID] = field(default_factory=set)
    """Images that are not tried again."""

    async def __call__(self) -> int:
        """Render a batch, and return how many images were tried: 0 when none can be now."""
        counts = await self.work_queue.counts()
        if counts.waiting or counts.leased:
            return 0
        after = self._after[-1] if self._after else None
        images = await self.renditions.without_large(RENDER_BATCH_SIZE, after=after)
        # In random order: processes that render at the same time seldom render the same image.
        for image in random.sample(images, len(images)):
            if image.id not in self._failed:
                await self._render(image.id)
        if images:
            self._after[:] = [images[-1].id]
        elif len(self._failed) < MAX_FAILED:
            # Begins again at the front: an earlier object may have become an image since.
            self._after.clear()
        return len(images)

    async def _render(self, image_id: UUID) -> None:
        # Another process may have rendered it since the batch was read.
        image = (await self.catalog.get([image_id])).get(image_id)
        if image is None or not image.lacks_large:
            return
        try:
            await self.render_large(image)
        except (ImageNotFound, Overloaded) as error:
            logger.warning("LARGE of image %s is not rendered ahead: %s", image_id, error)
            if len(self._failed) < MAX_FAILED:
                self._failed.add(image_id)
