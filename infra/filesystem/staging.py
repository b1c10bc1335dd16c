"""Staging in a local folder: clients upload files through this server."""

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
from infra.filesystem.outages import raising_outages

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from domain.entities.upload_targets import UploadTarget

SECRET_BYTES = 32
_TEMPORARY_PREFIX = ".unfinished-"
_TEMPORARY_FILE_LIFETIME_SECONDS = 24 * 60 * 60


class FolderStaging:
    """Keeps each upload in a file named by its target id, beside the secret that signs the forms.

    Writes are atomic: a temporary file, fsync, rename. ``list`` removes temporary files that a
    crash left behind, after a day.
    """

    def __init__(self, root: Path) -> None:
        """Create the folder and its secret. Raises Misconfigured if the folder is not writable."""
        self._root = root
        try:
            root.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._secret = _load_or_create_secret(root)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise Misconfigured(
                f"Cannot store uploads in {root}: {reason}. Set PICTOGRAPH_DATA_DIR to a folder "
                "that you can write to."
            ) from error

    @property
    def secret(self) -> bytes:
        return self._secret

    async def upload_form(self, target: UploadTarget) -> UploadForm:
        return UploadForm(f"/uploads/{target.id}", sign_form(target, self._secret))

    async def write(self, target_id: UUID, chunks: AsyncIterator[bytes]) -> None:
        with raising_outages():
            await self._write(target_id, chunks)

    async def _write(self, target_id: UUID, chunks: AsyncIterator[bytes]) -> None:
        descriptor, name = await asyncio.to_thread(
            tempfile.mkstemp, prefix=_TEMPORARY_PREFIX, dir=self._root
        )
        try:
            with os.fdopen(descriptor, "wb") as file:
                async for chunk in chunks:
                    await asyncio.to_thread(file.write, chunk)
                file.flush()
                await asyncio.to_thread(os.fsync, file.fileno())
            await asyncio.to_thread(_rename_durably, Path(name), self._path(target_id))
        except BaseException:
            _delete([Path(name)])
            raise

    async def read(self, target_id: UUID, *, limit: int) -> bytes:
        try:
            with raising_outages():
                return await asyncio.to_thread(_read, self._path(target_id), limit)
        except FileNotFoundError as error:
            raise BytesMissing(str(target_id)) from error

    async def delete(self, target_ids: Iterable[UUID]) -> None:
        await asyncio.to_thread(_delete, [self._path(target_id) for target_id in target_ids])

    async def list(self) -> AsyncIterator[StagedFile]:
        for staged in await asyncio.to_thread(_list_staged, self._root):
            yield staged

    def _path(self, target_id: UUID) -> Path:
        return self._root / str(target_id)


def _load_or_create_secret(root: Path) -> bytes:
    """Return the folder's secret.

    A hard link fails if its name exists, so that concurrent processes agree on one secret.
    """
    path = root / "secret"
    with contextlib.suppress(FileNotFoundError):
        return path.read_bytes()
    descriptor, name = tempfile.mkstemp(prefix=_TEMPORARY_PREFIX, dir=root)  # its mode is 0600
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


def _rename_durably(written: Path, path: Path) -> None:
    written.replace(path)
    # A rename survives a power failure only after an fsync of the folder.
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


def _list_staged(root: Path) -> list[StagedFile]:
    found = []
    for path in root.iterdir():
        with contextlib.suppress(FileNotFoundError, ValueError):
            modified = path.stat().st_mtime
            if path.name.startswith(_TEMPORARY_PREFIX):
                if modified < time.time() - _TEMPORARY_FILE_LIFETIME_SECONDS:
                    path.unlink()
            elif str(target_id := UUID(path.name)) == path.name:
                found.append(StagedFile(target_id, datetime.fromtimestamp(modified, UTC)))
    return found
