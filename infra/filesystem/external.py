"""Local folders of external pictures."""

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

from domain.entities.external_objects import (
    KeyRange,
    ListedObject,
    SkippedLink,
    UnlistedFolder,
)
from domain.entities.images import Source
from domain.entities.storage import Blob
from domain.errors import BytesMissing, InvalidContent, Misconfigured
from infra.filesystem.ignored import ignore_file
from infra.filesystem.outages import raising_outages
from infra.filesystem.storage import read_chunks
from infra.locations import check_outside_library, location_of, path_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from domain.entities.external_objects import ListingEntry
    from domain.entities.storage import ByteRange
    from infra.filesystem.ignored import Ignored

FILES_PER_BATCH = 1_000
"""How many files are listed in one call to a thread."""


@dataclass(frozen=True, slots=True)
class ExternalFolders:
    """Files at ``file://`` and their path, with modification time and size as version.

    Hidden files and folders are left out, and what a ``.pictographignore`` names.
    Symbolic links to folders are not followed, links to files only if the files are below the root;
    the others are yielded as skipped. Folders below the root that are empty or cannot be
    listed are yielded as such: a disk may not be mounted there. ``own_locations`` are the prefixes
    of the library's own files.
    """

    own_locations: tuple[str, ...] = ()

    async def open(self, source: Source, byte_range: ByteRange | None = None) -> Blob:
        path = path_of(source.location)
        with raising_outages(), _translating_errors(path):
            size, file, count = await asyncio.to_thread(_open, path, source, byte_range)
        chunks = read_chunks(file, count)
        await anext(chunks)
        return Blob(size, chunks)

    async def split(self, root: str) -> Sequence[KeyRange]:
        """Return one key range: a local folder needs no concurrent listing."""
        check_outside_library(root, self.own_locations)
        folder = path_of(root)
        if not await asyncio.to_thread(folder.is_dir):
            raise Misconfigured(f"There is no folder {folder}; check how it is spelled.")
        return [KeyRange.below(root)]

    async def list(self, root: str, key_range: KeyRange) -> AsyncIterator[ListingEntry]:
        folder = path_of(root)
        resolved = await asyncio.to_thread(folder.resolve)
        walk = _FolderWalk(root, resolved, self.own_locations)
        files = walk.files(os.fspath(folder), root, ())
        while batch := await asyncio.to_thread(lambda: list(islice(files, FILES_PER_BATCH))):
            for listed in batch:
                if listed.location in key_range:
                    yield listed

    async def stat(self, location: str) -> ListedObject:
        try:
            status = await asyncio.to_thread(path_of(location).stat)
        except OSError:
            status = None
        is_own = location.startswith(self.own_locations)
        if status is None or not stat.S_ISREG(status.st_mode) or is_own:
            raise BytesMissing(location)
        return _listed(location, status)


@dataclass(frozen=True, slots=True)
class _FolderWalk:
    root: str
    root_folder: Path
    own_locations: tuple[str, ...]

    def files(
        self, folder: str, location: str, ignored: tuple[Ignored, ...]
    ) -> Iterator[ListingEntry]:
        """Yield all files below a folder, by code point; its location ends in a slash.

        Raises Misconfigured where the root itself cannot be listed.
        """
        try:
            ignored = (*ignored, *ignore_file(Path(folder)))
            found = self._entries(folder, location)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            sentence = f"{folder} cannot be listed ({reason}): check its permissions"
            if location == self.root:
                raise Misconfigured(f"{sentence}, or import another folder.") from None
            yield UnlistedFolder(location, f"{sentence}. Known pictures of it are kept.")
            return
        if not found and location != self.root:
            yield UnlistedFolder(location)
        # The locations of folders end in a slash here, so that their files sort correctly.
        for entry_location, path, status in sorted(found, key=lambda entry: entry[0]):
            end = "/" if status is None else ""
            if any(each.excludes(Path(path), end) for each in ignored):
                continue
            if status is None:
                yield from self.files(path, entry_location, ignored)
            elif stat.S_ISLNK(status.st_mode):
                yield SkippedLink(entry_location)
            else:
                yield _listed(entry_location, status)

    def _entries(self, folder: str, location: str) -> list[tuple[str, str, os.stat_result | None]]:
        """Return location, path and status of each entry of a folder; None for folders.

        The status is that of the link for one that is not followed.
        """
        before = Path(folder).stat()
        entries: list[tuple[str, str, os.stat_result | None]] = []
        has_vanished_files = False
        with os.scandir(folder) as found:
            for entry in found:
                entry_location = location + quote(os.fsencode(entry.name), safe="")
                is_own = f"{entry_location}/".startswith(self.own_locations)
                if entry.name.startswith(".") or is_own:
                    continue
                try:
                    if entry.is_dir(follow_symlinks=False):
                        entries.append((f"{entry_location}/", entry.path, None))
                        continue
                    status = entry.stat()
                    if not self._is_below_root(entry) or entry.is_dir():
                        status = entry.stat(follow_symlinks=False)
                    if stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode):
                        entries.append((entry_location, entry.path, status))
                except OSError as error:  # a file that was just removed, or a broken link
                    if not entry.is_symlink() and not isinstance(error, FileNotFoundError):
                        raise
                    has_vanished_files |= not entry.is_symlink()
        # The files of a disk that was unmounted meanwhile are not deleted.
        if has_vanished_files and not os.path.samestat(before, Path(folder).stat()):
            raise OSError(None, "it was unmounted or replaced meanwhile")
        return entries

    def _is_below_root(self, entry: os.DirEntry[str]) -> bool:
        """Whether a file, or the file that a link points to, is below the root."""
        if not entry.is_symlink():
            return True
        return Path(entry.path).resolve().is_relative_to(self.root_folder)


@contextmanager
def _translating_errors(path: Path) -> Iterator[None]:
    """Raise the errors of the port for those of the file system."""
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
        # Of the open file, because another file may have replaced it at its path.
        status = os.fstat(file.fileno())
        _check_version(source, status)
        first, count = byte_range.within(status.st_size) if byte_range else (0, status.st_size)
        file.seek(first)
    except BaseException:
        file.close()
        raise
    return status.st_size, file, count


def _check_version(source: Source, status: os.stat_result) -> None:
    if source.version != _version_of(status):
        raise BytesMissing(source.location)


def _listed(location: str, status: os.stat_result) -> ListedObject:
    return ListedObject(Source(location, _version_of(status)), status.st_size)


def _version_of(status: os.stat_result) -> str:
    return f"{status.st_mtime_ns}-{status.st_size}"
