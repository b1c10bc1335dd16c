"""Reads files and folders as uploads."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from domain.entities.uploads import Upload
from domain.errors import InvalidContent, Misconfigured

if TYPE_CHECKING:
    from pathlib import Path


def uploads_of(folder: Path) -> list[Upload]:
    """Return the files of a folder and its subfolders, sorted by path, without hidden ones.

    ``filename`` is the path below the folder. Raises Misconfigured if the folder does not exist.
    """
    if not folder.is_dir():
        raise Misconfigured(f"There is no folder {folder}; check how it is spelled.")
    paths = (path for path in folder.rglob("*") if path.is_file())
    names = sorted(path.relative_to(folder) for path in paths)
    return [
        upload_of(folder / name, str(name))
        for name in names
        if not any(part.startswith(".") for part in name.parts)
    ]


def upload_of(path: Path, name: str) -> Upload:
    """Return a file as an upload with the filename ``name``."""

    async def read() -> bytes:
        try:
            return await asyncio.to_thread(path.read_bytes)
        except OSError as error:
            raise InvalidContent(
                f"“{path.name}” cannot be read ({error.strerror}); check its permissions."
            ) from None

    return Upload(name, path.stat().st_size, read)
