"""Reads files and folders as uploads."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from domain.entities.exclusions import Exclusions
from domain.entities.passed_over import passed_over_as
from domain.entities.uploads import Upload
from domain.errors import InvalidContent, Misconfigured
from infra.filesystem.ignored import Ignored, ignore_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from domain.entities.passed_over import PassedOver


def uploads_of(
    place: Path, exclude: Iterable[str] = ()
) -> tuple[list[Upload], Counter[PassedOver]]:
    """Return a file, or the files of a folder and its subfolders, sorted, without hidden ones.

    ``filename`` is the path below the folder. What patterns leave out is not an upload; a folder
    that cannot be listed is one whose reading is refused. Files that are no pictures by their names
    are only counted. Raises Misconfigured if there is no such place.
    """
    if place.is_file():
        return [upload_of(place, place.name)], Counter()
    if not place.is_dir():
        raise Misconfigured(f"There is no folder {place}; check how it is spelled.")
    folder = place
    unlisted: list[Upload] = []

    def add_unlisted(error: OSError) -> None:
        name = Path(str(error.filename)).relative_to(folder)
        unlisted.append(_unlisted(f"{name}/", error.strerror or str(error)))

    names: list[Path] = []
    ignored: dict[Path, tuple[Ignored, ...]] = {
        folder: (Ignored(folder, Exclusions(tuple(exclude))),)
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
    kinds = {name: passed_over_as(name.as_posix()) for name in sorted(names)}
    uploads = [upload_of(folder / name, str(name)) for name, kind in kinds.items() if kind is None]
    return [*uploads, *unlisted], Counter(kind for kind in kinds.values() if kind is not None)


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
