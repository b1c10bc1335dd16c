"""Imports any number of pictures as copies."""

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

UPLOAD_CONCURRENCY = 2 * MAX_FILES_IN_MEMORY
"""How many uploads run at once: those in memory, and as many that wait for admission."""


@dataclass(frozen=True, slots=True)
class ImportCopies:
    """Uploads any number of pictures, a bounded number at once."""

    upload: UploadImages

    async def __call__(
        self, uploads: Iterable[Upload], *, tags: Iterable[str] = ()
    ) -> AsyncGenerator[tuple[Upload, UploadedImage | Refusal]]:
        """Yield each upload with its outcome, in the order of completion.

        Raises InvalidArgument for an invalid tag. An outage ends the import. Imports are
        idempotent: the next one uploads what is missing.
        """
        wanted_tags = tuple(tags)
        waiting = iter(uploads)
        running: dict[asyncio.Task[list[UploadedImage | Refusal]], Upload] = {}
        try:
            while True:
                for upload in islice(waiting, UPLOAD_CONCURRENCY - len(running)):
                    task = asyncio.create_task(self.upload([upload], tags=wanted_tags))
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
