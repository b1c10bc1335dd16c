"""Watching images until the work on them is done."""

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

MAX_WATCHED = 100
SHOWN = 3
"""How many ids a sentence names."""


@dataclass(frozen=True, slots=True)
class WatchStatus:
    """Yield each image as it is now, then each time its status changes.

    Ends when all are READY, FAILED or gone. A status that passes while nobody looks is left out.
    """

    catalog: Catalog
    events: Events
    patience: Retry = field(default_factory=Retry)

    @asynccontextmanager
    async def __call__(self, ids: Sequence[UUID]) -> AsyncIterator[AsyncIterator[Image]]:
        """Watch while it is entered. Raises InvalidArgument, ImageNotFound or Overloaded."""
        if len(ids) > MAX_WATCHED:
            raise InvalidArgument(
                ("image_ids",),
                f"{len(ids)} images are too many to watch; name at most {MAX_WATCHED}.",
            )
        wanted = list(dict.fromkeys(ids))
        # Listening comes first: what changes between the two looks is heard of.
        async with self.events.images() as changes:
            here = await self.catalog.get(wanted)
            _check(wanted, here)
            images = self._follow([here[image_id] for image_id in wanted], changes)
            async with aclosing(images):
                yield images

    async def _follow(
        self, images: Sequence[Image], changes: AsyncIterator[Sequence[UUID] | None]
    ) -> AsyncGenerator[Image]:
        shown = {image.id: image.status for image in images}
        for image in images:
            yield image
        if ImageStatus.PROCESSING not in shown.values():
            return
        async for changed in changes:
            touched = list(shown if changed is None else shown.keys() & set(changed))
            if not touched:
                continue
            here = await self.patience(partial(self.catalog.get, touched))
            for image_id in touched:
                if image_id not in here:
                    del shown[image_id]
                elif shown[image_id] is not here[image_id].status:
                    shown[image_id] = here[image_id].status
                    yield here[image_id]
            if ImageStatus.PROCESSING not in shown.values():
                return


def _check(wanted: Sequence[UUID], here: dict[UUID, Image]) -> None:
    missing = [str(image_id) for image_id in wanted if image_id not in here]
    if missing:
        more = f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else ""
        refusal = ImageNotFound(
            f"There is no image {', '.join(missing[:SHOWN])}{more}, or not any longer; watch those "
            "that are here."
        )
        refusal.location = ("image_ids",)
        raise refusal
