"""Pictures that lie outside of the library, read where they are."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from domain.errors import BytesMissing
from domain.storage import Blob
from infra.folder import open_file, read_chunks

if TYPE_CHECKING:
    from domain.images import Source
    from domain.storage import ByteRange


class FileSources:
    """Files of this machine, by ``file://`` and their path; the version is time and size."""

    async def open(self, source: Source, byte_range: ByteRange | None = None) -> Blob:
        """Start reading. Raises BytesMissing, and ValueError for a range past the end."""
        place = urlsplit(source.location)
        if place.scheme != "file":
            raise BytesMissing(source.location)
        path = Path(unquote(place.path))
        try:
            if source.version != await asyncio.to_thread(version_of, path):
                raise BytesMissing(source.location)
            size, file, count = await asyncio.to_thread(open_file, path, byte_range)
        except FileNotFoundError:
            raise BytesMissing(source.location) from None
        chunks = read_chunks(file, count)
        await anext(chunks)
        return Blob(size, chunks)


def version_of(path: Path) -> str:
    """Return what changes with the bytes of a file."""
    about = path.stat()
    return f"{about.st_mtime_ns}-{about.st_size}"
