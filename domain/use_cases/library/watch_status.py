"""Watches the status of images until they are indexed."""

from __future__ import annotations

from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from domain.concurrency import Retry
from domain.entities.images import ImageStatus
from domain.errors import ImageNotFound, InvalidArgument

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Sequence
    from uuid import UUID

    from domain.entities.images import Image
    from domain.ports import Catalog, Events

MAX_WATCHED_IMAGES = 100

MAX_NAMED_IDS = 3
"""How many missing ids an error message names."""


@dataclass(frozen=True, slots=True)
class WatchStatus:
    """Yields each image in its present state, and again after each change of its status.

    Ends when all images are READY, FAILED or deleted. Of several changes in quick succession, only
    the last may be yielded.
    """

    catalog: Catalog
    events: Events
    retry: Retry = field(default_factory=Retry)

    @asynccontextmanager
    async def __call__(self, ids: Sequence[UUID]) -> AsyncIterator[AsyncIterator[Image]]:
        """Subscribe for as long as the context is entered.

        Raises InvalidArgument, ImageNotFound or Overloaded.
        """
        if len(ids) > MAX_WATCHED_IMAGES:
            raise InvalidArgument(
                ("image_ids",),
                f"{len(ids)} images are too many to watch; name at most {MAX_WATCHED_IMAGES}.",
            )
        wanted = list(dict.fromkeys(ids))
        # Subscribe first, query second: a change between the two is not missed.
        async with self.events.images() as changes:
            existing = await self.catalog.get(wanted)
            _check_existing(wanted, existing)
            images = self._follow([existing[image_id] for image_id in wanted], changes)
            async with aclosing(images):
                yield images

    async def _follow(
        self, images: Sequence[Image], changes: AsyncIterator[Sequence[UUID] | None]
    ) -> AsyncGenerator[Image]:
        statuses = {image.id: image.status for image in images}
        for image in images:
            yield image
        if ImageStatus.PROCESSING not in statuses.values():
            return
        async for ids in changes:
            changed = list(statuses if ids is None else statuses.keys() & set(ids))
            if not changed:
                continue
            existing = await self.retry(partial(self.catalog.get, changed))
            for image_id in changed:
                if image_id not in existing:
                    del statuses[image_id]
                elif statuses[image_id] is not existing[image_id].status:
                    statuses[image_id] = existing[image_id].status
                    yield existing[image_id]
            if ImageStatus.PROCESSING not in statuses.values():
                return


def _check_existing(wanted: Sequence[UUID], existing: dict[UUID, Image]) -> None:
    missing = [str(image_id) for image_id in wanted if image_id not in existing]
    if missing:
        more = f" and {len(missing) - MAX_NAMED_IDS} more" if len(missing) > MAX_NAMED_IDS else ""
        refusal = ImageNotFound(
            f"There is no image {', '.join(missing[:MAX_NAMED_IDS])}{more}; it may have been "
            "deleted. Watch images that exist."
        )
        refusal.location = ("image_ids",)
        raise refusal
