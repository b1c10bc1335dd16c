"""Storage in a folder of this machine."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
import time
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING

from domain.entities.storage import Blob, StoredObject, parse_key
from domain.errors import BytesMissing, Misconfigured

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterable

    from domain.entities.storage import ByteRange

CHUNK_BYTES = 256 * 1024
_UNFINISHED = ".unfinished-"
_ABANDONED_SECONDS = 24 * 60 * 60


class FolderStorage:
    """Keeps ``<uuid>/<variant>`` as a file of that name below two hex digits of the uuid.

    The last two, for the first ones of a time-ordered uuid are all alike. Files appear whole, and
    are on the disk when ``write`` returns. What a crash left half written is removed by ``list``
    once it is a day old.
    """

    def __init__(self, root: Path) -> None:
        """Make the folder. Raises Misconfigured where it cannot be written to."""
        try:
            root.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=root):
                self._root = root
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            message = f"Cannot keep pictures in {root}: {reason}. Name a folder that is writable."
            raise Misconfigured(message) from error

    async def write(self, key: str, data: bytes, *, content_type: str) -> None:
        """Keep ``data``; a reader sees all of it or none. The media type is the catalog's to know.

        Raises ValueError for a key that is not ``<uuid>/<variant>``, as every method does.
        """
        del content_type
        await asyncio.to_thread(_write, self._path(key), data)

    async def open(self, key: str, byte_range: ByteRange | None = None) -> Blob:
        """Start reading. Raises BytesMissing, and ValueError for a range past the end."""
        size, file, count = await asyncio.to_thread(open_file, self._path(key), byte_range)
        chunks = read_chunks(file, count)
        await anext(chunks)
        return Blob(size, chunks)

    async def delete(self, keys: Iterable[str]) -> None:
        """Forget these. What is not there is forgotten already."""
        await asyncio.to_thread(_delete, [self._path(key) for key in keys])

    async def list(self) -> AsyncIterator[StoredObject]:
        """Yield everything that is kept, in no order."""
        for shard in await asyncio.to_thread(os.listdir, self._root):
            for found in await asyncio.to_thread(_objects, self._root / shard):
                yield found

    def _path(self, key: str) -> Path:
        image_id, variant = parse_key(key)
        return self._root / image_id.hex[-2:] / str(image_id) / variant.value


def _write(path: Path, data: bytes) -> None:
    descriptor, name = _create_beside(path)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    # A file is on the disk only when the names that lead to it are.
    for folder in list(path.parents)[:3]:
        with contextlib.suppress(FileNotFoundError):  # deleted meanwhile
            _sync(folder)


def _create_beside(path: Path) -> tuple[int, str]:
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        # A delete may take the empty folder away between these lines.
        with contextlib.suppress(FileNotFoundError):
            return tempfile.mkstemp(prefix=_UNFINISHED, dir=path.parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def open_file(path: Path, byte_range: ByteRange | None) -> tuple[int, FileIO, int]:
    """Return a file's size, the file at the first byte that is wanted, and how many are.

    Raises BytesMissing, and ValueError for a range past the end.
    """
    try:
        file = FileIO(path)
    except FileNotFoundError as error:
        raise BytesMissing(f"{path.parent.name}/{path.name}") from error
    try:
        size = os.fstat(file.fileno()).st_size
        first, count = byte_range.within(size) if byte_range else (0, size)
        file.seek(first)
    except BaseException:
        file.close()
        raise
    return size, file, count


async def read_chunks(file: FileIO, count: int) -> AsyncGenerator[bytes]:
    """Yield nothing, and then so many bytes; the file is closed when this ends or is closed."""
    with file:
        # For ``open`` to take: only a generator that has begun closes the file when it is closed.
        yield b""
        while count and (chunk := await asyncio.to_thread(file.read, min(count, CHUNK_BYTES))):
            count -= len(chunk)
            yield chunk


def _delete(paths: Iterable[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # not empty, or not there
            path.parent.rmdir()


def _objects(shard: Path) -> list[StoredObject]:
    found = []
    for path in shard.glob("*/*"):
        with contextlib.suppress(FileNotFoundError):
            modified = path.stat().st_mtime
            if not path.name.startswith(_UNFINISHED):
                with contextlib.suppress(ValueError):
                    key = f"{path.parent.name}/{path.name}"
                    parse_key(key)
                    found.append(StoredObject(key, datetime.fromtimestamp(modified, UTC)))
            elif modified < time.time() - _ABANDONED_SECONDS:
                _delete([path])
    return found
