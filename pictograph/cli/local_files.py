"""Reads files and folders as uploads."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING

from domain.entities.exclusions import SYSTEM_PATTERNS, Exclusions
from domain.entities.uploads import Upload
from domain.errors import InvalidContent, Misconfigured
from infra.filesystem.ignored import Ignored, ignore_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def uploads_of(folder: Path, exclude: Iterable[str] = ()) -> list[Upload]:
    """Return the files of a folder and its subfolders, sorted by path, without hidden ones.

    ``filename`` is the path below the folder. What patterns leave out is not an upload; a folder
    that cannot be listed is one whose reading is refused. Raises Misconfigured if the folder does
    not exist.
    """
    if not folder.is_dir():
        raise Misconfigured(f"There is no folder {folder}; check how it is spelled.")
    unlisted: list[Upload] = []

    def add_unlisted(error: OSError) -> None:
        name = Path(str(error.filename)).relative_to(folder)
        unlisted.append(_unlisted(f"{name}/", error.strerror or str(error)))

    names: list[Path] = []
    ignored: dict[Path, tuple[Ignored, ...]] = {
        folder: (Ignored(folder, Exclusions((*SYSTEM_PATTERNS, *exclude))),)
    }
    for parent, subfolders, files in os.walk(folder, onerror=add_unlisted):
        path = Path(parent)
        here = (*ignored.pop(path), *ignore_file(path))

        def is_wanted(path: Path, *, end: str, here: Sequence[Ignored] = here) -> bool:
            is_hidden = path.name.startswith(".")
            return not is_hidden and not any(each.excludes(path, end) for each in here)

        subfolders[:] = [name for name in subfolders if is_wanted(path / name, end="/")]
        ignored |= {path / name: here for name in subfolders}
        wanted = (path / name for name in files if is_wanted(path / name, end=""))
        names += [each.relative_to(folder) for each in wanted if each.is_file()]
    return [*(upload_of(folder / name, str(name)) for name in sorted(names)), *unlisted]


def _unlisted(name: str, reason: str) -> Upload:
    async def read() -> bytes:
        raise InvalidContent(f"{name} cannot be listed ({reason}); check its permissions.")

    return Upload(name, 0, read)


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
