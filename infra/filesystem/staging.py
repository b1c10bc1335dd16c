"""Uploads that clients send through this server into a folder."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from domain.entities.signed_forms import sign_form
from domain.entities.upload_targets import StagedFile, UploadForm
from domain.errors import BytesMissing, Misconfigured

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from domain.entities.upload_targets import UploadTarget

SECRET_BYTES = 32
_UNFINISHED = ".unfinished-"
_ABANDONED_SECONDS = 24 * 60 * 60


class FolderStaging:
    """Keeps ``<target id>`` as a file of that name, and beside them what slots are signed with.

    Files appear whole. What a crash left half written is removed by ``list`` once it is a day old.
    """

    def __init__(self, root: Path) -> None:
        """Make the folder and its secret. Raises Misconfigured where it cannot be written to."""
        self._root = root
        try:
            root.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._secret = _secret_in(root)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            message = f"Cannot keep uploads in {root}: {reason}. Name a folder that is writable."
            raise Misconfigured(message) from error

    @property
    def secret(self) -> bytes:
        """What slots are signed with: the same for every process that has this folder."""
        return self._secret

    async def upload_form(self, target: UploadTarget) -> UploadForm:
        """Sign a form for a file of the target's size and type, until it expires."""
        return UploadForm(f"/uploads/{target.id}", sign_form(target, self._secret))

    async def write(self, target_id: UUID, chunks: AsyncIterator[bytes]) -> None:
        """Keep what comes; a reader sees all of it or none."""
        descriptor, name = await asyncio.to_thread(
            tempfile.mkstemp, prefix=_UNFINISHED, dir=self._root
        )
        try:
            with os.fdopen(descriptor, "wb") as file:
                async for chunk in chunks:
                    await asyncio.to_thread(file.write, chunk)
                file.flush()
                await asyncio.to_thread(os.fsync, file.fileno())
            await asyncio.to_thread(_put, Path(name), self._path(target_id))
        except BaseException:
            _delete([Path(name)])
            raise

    async def read(self, target_id: UUID, *, limit: int) -> bytes:
        """Return what was sent, ``limit`` bytes of it at most. Raises BytesMissing."""
        try:
            return await asyncio.to_thread(_read, self._path(target_id), limit)
        except FileNotFoundError as error:
            raise BytesMissing(str(target_id)) from error

    async def delete(self, target_ids: Iterable[UUID]) -> None:
        """Forget what was sent. What is not there is forgotten already."""
        await asyncio.to_thread(_delete, [self._path(target_id) for target_id in target_ids])

    async def list(self) -> AsyncIterator[StagedFile]:
        """Yield everything that was sent and is still there, in no order."""
        for staged in await asyncio.to_thread(_staged, self._root):
            yield staged

    def _path(self, target_id: UUID) -> Path:
        return self._root / str(target_id)


def _secret_in(root: Path) -> bytes:
    """Return the folder's secret. Of processes that make one at once, one makes it for all."""
    path = root / "secret"
    with contextlib.suppress(FileNotFoundError):
        return path.read_bytes()
    descriptor, name = tempfile.mkstemp(prefix=_UNFINISHED, dir=root)  # its mode is 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(SECRET_BYTES))
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(name)
    finally:
        Path(name).unlink()
    return path.read_bytes()


def _put(written: Path, path: Path) -> None:
    written.replace(path)
    # A file is on the disk only when its name is.
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _delete(paths: Iterable[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def _read(path: Path, limit: int) -> bytes:
    with path.open("rb") as file:
        return file.read(limit)


def _staged(root: Path) -> list[StagedFile]:
    found = []
    for path in root.iterdir():
        with contextlib.suppress(FileNotFoundError, ValueError):
            modified = path.stat().st_mtime
            if path.name.startswith(_UNFINISHED):
                if modified < time.time() - _ABANDONED_SECONDS:
                    path.unlink()
            elif str(target_id := UUID(path.name)) == path.name:
                found.append(StagedFile(target_id, datetime.fromtimestamp(modified, UTC)))
    return found
