"""Folders and buckets in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

from domain.entities.external_objects import KeyRange, ListedObject, ListingEntry, UnlistedFolder
from domain.entities.images import Source
from domain.errors import BytesMissing
from tests.fakes.external_files import MemoryExternalFiles

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence


@dataclass
class MemoryObjectListing:
    """Lists ``external_files``, which have one version at each location.

    A root is split at ``cuts``, and its listing fails after ``fails_after`` objects. The objects
    below ``unlisted`` folders are not listed.
    """

    external_files: MemoryExternalFiles = field(default_factory=MemoryExternalFiles)
    cuts: tuple[str, ...] = ()
    fails_after: int | None = None
    unlisted: dict[str, UnlistedFolder] = field(default_factory=dict)

    def put(self, location: str, data: bytes, *, version: str = "1") -> None:
        """Write a file, in place of an earlier version."""
        self.remove(location)
        self.external_files.files[Source(location, version)] = data

    def remove(self, location: str) -> None:
        """Remove a file."""
        for source in [each for each in self.external_files.files if each.location == location]:
            del self.external_files.files[source]

    async def split(self, root: str) -> Sequence[KeyRange]:
        whole = KeyRange.below(root)
        bounds = [whole.first, *(root + cut for cut in self.cuts), whole.end]
        return [KeyRange(*pair) for pair in pairwise(bounds)]

    async def list(self, root: str, key_range: KeyRange) -> AsyncIterator[ListingEntry]:
        entries: list[ListingEntry] = [
            ListedObject(source, len(data))
            for source, data in self.external_files.files.items()
            if not source.location.startswith(tuple(self.unlisted))
        ]
        within = [
            each
            for each in [*entries, *self.unlisted.values()]
            if each.location.startswith(root) and each.location in key_range
        ]
        for count, each in enumerate(sorted(within, key=lambda each: each.location)):
            if count == self.fails_after:
                raise ConnectionResetError
            yield each
        if self.fails_after is not None:
            raise ConnectionResetError

    async def stat(self, location: str) -> ListedObject:
        for source, data in self.external_files.files.items():
            if source.location == location:
                return ListedObject(source, len(data))
        raise BytesMissing(location)
