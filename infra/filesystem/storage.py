"""Storage in a local folder."""

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
from infra.filesystem.outages import raising_outages

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterable

    from domain.entities.storage import ByteRange

CHUNK_BYTES = 256 * 1024
_TEMPORARY_PREFIX = ".unfinished-"
_TEMPORARY_FILE_LIFETIME_SECONDS = 24 * 60 * 60
_PROBE_BYTES = 64 * 1024


class FolderStorage:
    """Keeps ``<uuid>/<variant>`` as a file of that path, in shards by two hex digits of the UUID.

    The last two digits, because the first ones of a time-ordered UUID rarely change. Writes are
    atomic and durable: a temporary file, fsync, rename, fsync of the folders. ``list`` removes
    temporary files that a crash left behind, after a day.
    """

    def __init__(self, root: Path) -> None:
        """Create the folder. Raises Misconfigured if it is not writable."""
        try:
            root.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=root):
                self._root = root
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise Misconfigured(
                f"Cannot store pictures in {root}: {reason}. Set PICTOGRAPH_DATA_DIR to a folder "
                "that you can write to."
            ) from error

    async def check(self) -> None:
        await asyncio.to_thread(_check, self._root)

    async def write(self, key: str, data: bytes, *, content_type: str) -> None:
        """Like every method, raises ValueError for a key that is not ``<uuid>/<variant>``."""
        del content_type  # the catalog has it
        with raising_outages():
            await asyncio.to_thread(_write, self._path(key), data)

    async def open(self, key: str, byte_range: ByteRange | None = None) -> Blob:
        with raising_outages():
            size, file, count = await asyncio.to_thread(open_file, self._path(key), byte_range)
        chunks = read_chunks(file, count)
        await anext(chunks)
        return Blob(size, chunks)

    async def delete(self, keys: Iterable[str]) -> None:
        with raising_outages():
            await asyncio.to_thread(_delete, [self._path(key) for key in keys])

    async def list(self) -> AsyncIterator[StoredObject]:
        with raising_outages():
            shards = await asyncio.to_thread(os.listdir, self._root)
        for shard in shards:
            with raising_outages():
                objects = await asyncio.to_thread(_list_shard, self._root / shard)
            for found in objects:
                yield found

    def _path(self, key: str) -> Path:
        image_id, variant = parse_key(key)
        return self._root / image_id.hex[-2:] / str(image_id) / variant.value


def _check(root: Path) -> None:
    with raising_outages(), tempfile.TemporaryFile(dir=root) as file:
        file.write(bytes(_PROBE_BYTES))
        file.flush()


def _write(path: Path, data: bytes) -> None:
    descriptor, name = _create_temporary_file(path)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    # A rename survives a power failure only after an fsync of the folder. The folder of the image
    # and the shard may be new too.
    for folder in list(path.parents)[:3]:
        with contextlib.suppress(FileNotFoundError):  # a concurrent delete
            _fsync_folder(folder)


def _create_temporary_file(path: Path) -> tuple[int, str]:
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        # A concurrent delete may remove the empty folder between these lines.
        with contextlib.suppress(FileNotFoundError):
            return tempfile.mkstemp(prefix=_TEMPORARY_PREFIX, dir=path.parent)


def _fsync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def open_file(path: Path, byte_range: ByteRange | None) -> tuple[int, FileIO, int]:
    """Return the size, the file at the first byte of the range, and the range's length in bytes.

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
    """Yield an empty chunk, then ``count`` bytes of the file; the file is closed at the end.

    Raises Unavailable where the disk fails.
    """
    with file:
        # Callers consume this: only a started generator closes the file in ``aclose``.
        yield b""
        while count:
            # Not around the yield: what a consumer raises is no outage of the disk.
            with raising_outages():
                chunk = await asyncio.to_thread(file.read, min(count, CHUNK_BYTES))
            if not chunk:
                return
            count -= len(chunk)
            yield chunk


def _delete(paths: Iterable[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # not empty, or missing
            path.parent.rmdir()


def _list_shard(shard: Path) -> list[StoredObject]:
    found = []
    for path in shard.glob("*/*"):
        with contextlib.suppress(FileNotFoundError):
            modified = path.stat().st_mtime
            if not path.name.startswith(_TEMPORARY_PREFIX):
                with contextlib.suppress(ValueError):
                    key = f"{path.parent.name}/{path.name}"
                    parse_key(key)
                    found.append(StoredObject(key, datetime.fromtimestamp(modified, UTC)))
            elif modified < time.time() - _TEMPORARY_FILE_LIFETIME_SECONDS:
                _delete([path])
    return found
