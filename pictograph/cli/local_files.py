"""Reads files and folders as uploads."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

from domain.entities.passed_over import passed_over_as
from domain.entities.uploads import Upload
from domain.errors import InvalidContent, Misconfigured

if TYPE_CHECKING:
    from pathlib import Path

    from domain.entities.passed_over import PassedOver


def uploads_of(place: Path) -> tuple[list[Upload], Counter[PassedOver]]:
    """Return a file, or the files of a folder and its subfolders, sorted, without hidden ones.

    ``filename`` is the path below the folder. Files that are no pictures by their names are only
    counted. Raises Misconfigured if there is no such place.
    """
    if place.is_file():
        return [upload_of(place, place.name)], Counter()
    if not place.is_dir():
        raise Misconfigured(f"There is no folder {place}; check how it is spelled.")
    paths = (path for path in place.rglob("*") if path.is_file())
    names = sorted(path.relative_to(place) for path in paths)
    visible = [name for name in names if not any(part.startswith(".") for part in name.parts)]
    kinds = [passed_over_as(name.as_posix()) for name in visible]
    uploads = [
        upload_of(place / name, str(name))
        for name, kind in zip(visible, kinds, strict=True)
        if kind is None
    ]
    return uploads, Counter(kind for kind in kinds if kind is not None)


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
