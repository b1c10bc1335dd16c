"""Folders of this machine with pictures that are not copied."""

from __future__ import annotations

import asyncio
import os
import stat
from contextlib import contextmanager
from dataclasses import dataclass
from io import FileIO
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from domain.entities.external_objects import KeyRange, ListedObject
from domain.entities.images import Source
from domain.entities.storage import Blob
from domain.errors import BytesMissing, InvalidContent, Misconfigured
from infra.filesystem.storage import read_chunks
from infra.locations import check_not_own, location_of, path_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from domain.entities.storage import ByteRange

CHUNK = 1_000


@dataclass(frozen=True, slots=True)
class ExternalFolders:
    """Files by ``file://`` and their path; the version is time and size.

    Hidden files and folders are left out, links to folders are not followed, and links to files
    only where these are below the root. ``own`` are locations of the library's own files.
    """

    own: tuple[str, ...] = ()

    async def open(self, source: Source, byte_range: ByteRange | None = None) -> Blob:
        """Start reading. Raises BytesMissing, and ValueError for a range past the end.

        Raises InvalidContent for a file that may not be read.
        """
        path = path_of(source.location)
        with _explaining(path):
            size, file, count = await asyncio.to_thread(_open, path, source, byte_range)
        chunks = read_chunks(file, count)
        await anext(chunks)
        return Blob(size, chunks)

    async def split(self, root: str) -> Sequence[KeyRange]:
        """Return the whole: a folder is gone through at once."""
        check_not_own(root, self.own)
        folder = path_of(root)
        if not await asyncio.to_thread(folder.is_dir):
            raise Misconfigured(f"There is no folder {folder}; check how it is spelled.")
        return [KeyRange.below(root)]

    async def list(self, root: str, key_range: KeyRange) -> AsyncIterator[ListedObject]:
        """Yield the files of a folder and of those in it, by code point of the location.

        Raises Misconfigured for a folder that cannot be listed.
        """
        folder = path_of(root)
        walk = _Walk(await asyncio.to_thread(folder.resolve), self.own)
        files = walk.files(os.fspath(folder), root)
        while chunk := await asyncio.to_thread(lambda: list(islice(files, CHUNK))):
            for listed in chunk:
                if listed.source.location in key_range:
                    yield listed

    async def stat(self, location: str) -> ListedObject:
        """Return the file at a location. Raises BytesMissing."""
        try:
            about = await asyncio.to_thread(path_of(location).stat)
        except OSError:
            about = None
        if about is None or not stat.S_ISREG(about.st_mode) or location.startswith(self.own):
            raise BytesMissing(location)
        return _listed(location, about)


@dataclass(frozen=True, slots=True)
class _Walk:
    root: Path
    own: tuple[str, ...]

    def files(self, folder: str, location: str) -> Iterator[ListedObject]:
        """Yield all below a folder, whose location ends in a slash."""
        try:
            entries = self._entries(folder, location)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise Misconfigured(
                f"{folder} cannot be listed ({reason}): let it be read, or import another folder."
            ) from None
        # A folder stands where its files do: as if its name ended in a slash.
        for place, path, about in sorted(entries, key=lambda entry: entry[0]):
            if about is None:
                yield from self.files(path, place)
            else:
                yield _listed(place, about)

    def _entries(self, folder: str, location: str) -> list[tuple[str, str, os.stat_result | None]]:
        """Return location, path and facts of what is in a folder; folders have no facts."""
        before = Path(folder).stat()
        entries: list[tuple[str, str, os.stat_result | None]] = []
        is_whole = True
        with os.scandir(folder) as found:
            for entry in found:
                place = location + quote(os.fsencode(entry.name), safe="")
                if entry.name.startswith(".") or f"{place}/".startswith(self.own):
                    continue
                try:
                    if entry.is_dir(follow_symlinks=False):
                        entries.append((f"{place}/", entry.path, None))
                    elif stat.S_ISREG((about := entry.stat()).st_mode) and self._stays(entry):
                        entries.append((place, entry.path, about))
                except OSError as error:  # removed just now, or a link that leads nowhere
                    if not entry.is_symlink() and not isinstance(error, FileNotFoundError):
                        raise
                    is_whole = entry.is_symlink() and is_whole
        if not is_whole and not os.path.samestat(before, Path(folder).stat()):
            # A disk that goes away takes no pictures with it.
            raise OSError(None, "it went away meanwhile")
        return entries

    def _stays(self, entry: os.DirEntry[str]) -> bool:
        """Whether a file lies below the root, also where it is a link to it."""
        if not entry.is_symlink():
            return True
        return Path(entry.path).resolve().is_relative_to(self.root)


@contextmanager
def _explaining(path: Path) -> Iterator[None]:
    """Say in the terms of the port what opening a file raises."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        raise BytesMissing(location_of(path)) from None
    except PermissionError:
        raise InvalidContent(
            f"“{path.name}” cannot be read (permission denied); "
            "check its permissions, and import it with --retry."
        ) from None


def _open(path: Path, source: Source, byte_range: ByteRange | None) -> tuple[int, FileIO, int]:
    file = FileIO(path)
    try:
        # Of the file that is open: at its path there may be another one the next moment.
        about = os.fstat(file.fileno())
        _check_version(source, about)
        first, count = byte_range.within(about.st_size) if byte_range else (0, about.st_size)
        file.seek(first)
    except BaseException:
        file.close()
        raise
    return about.st_size, file, count


def _check_version(source: Source, about: os.stat_result) -> None:
    if source.version != _version_of(about):
        raise BytesMissing(source.location)


def _listed(location: str, about: os.stat_result) -> ListedObject:
    return ListedObject(Source(location, _version_of(about)), about.st_size)


def _version_of(about: os.stat_result) -> str:
    return f"{about.st_mtime_ns}-{about.st_size}"
