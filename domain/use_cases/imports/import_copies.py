"""Taking in more pictures than one request may bring."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from domain.concurrency import MAX_FILES_IN_MEMORY

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable

    from domain.entities.uploads import Upload, UploadedImage
    from domain.errors import Refusal
    from domain.use_cases.uploads.upload import UploadImages

AHEAD = 2 * MAX_FILES_IN_MEMORY
"""How many uploads are begun: those in memory, and as many at their heels."""


@dataclass(frozen=True, slots=True)
class ImportCopies:
    """Take any number of pictures in, and tell what became of each as soon as it is known."""

    upload: UploadImages

    async def __call__(
        self, uploads: Iterable[Upload], *, tags: Iterable[str] = ()
    ) -> AsyncGenerator[tuple[Upload, UploadedImage | Refusal]]:
        """Yield each upload with its outcome, in the order in which they are done.

        Raises InvalidArgument for a bad tag. An outage ends the import; to begin it again takes
        in what is missing.
        """
        wanted = tuple(tags)
        waiting = iter(uploads)
        running: dict[asyncio.Task[list[UploadedImage | Refusal]], Upload] = {}
        try:
            while True:
                for upload in islice(waiting, AHEAD - len(running)):
                    task = asyncio.create_task(self.upload([upload], tags=wanted))
                    running[task] = upload
                if not running:
                    return
                done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    [outcome] = task.result()
                    yield running.pop(task), outcome
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
