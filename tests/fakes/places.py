"""Folders and buckets in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

from domain.entities.external_objects import KeyRange, ListedObject
from domain.entities.images import Source
from domain.errors import BytesMissing
from tests.fakes.sources import MemoryExternalFiles

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence


@dataclass
class MemoryObjectListing:
    """Lists the objects in ``sources``, one version at each location.

    Roots are split at ``cuts``. A listing fails after ``breaks_behind`` objects.
    """

    sources: MemoryExternalFiles = field(default_factory=MemoryExternalFiles)
    cuts: tuple[str, ...] = ()
    breaks_behind: int | None = None

    def put(self, location: str, data: bytes, *, version: str = "1") -> None:
        """Add or replace the object at a location."""
        self.remove(location)
        self.sources.objects[Source(location, version)] = data

    def remove(self, location: str) -> None:
        """Remove the object at a location, if any."""
        for source in [each for each in self.sources.objects if each.location == location]:
            del self.sources.objects[source]

    async def split(self, root: str) -> Sequence[KeyRange]:
        whole = KeyRange.below(root)
        bounds = [whole.first, *(root + cut for cut in self.cuts), whole.end]
        return [KeyRange(*pair) for pair in pairwise(bounds)]

    async def list(self, root: str, key_range: KeyRange) -> AsyncIterator[ListedObject]:
        here = sorted(self.sources.objects, key=lambda source: source.location)
        within = [
            each for each in here if each.location.startswith(root) and each.location in key_range
        ]
        for count, source in enumerate(within):
            if count == self.breaks_behind:
                raise ConnectionResetError
            yield ListedObject(source, len(self.sources.objects[source]))
        if self.breaks_behind is not None:
            raise ConnectionResetError

    async def look(self, location: str) -> ListedObject:
        for source, data in self.sources.objects.items():
            if source.location == location:
                return ListedObject(source, len(data))
        raise BytesMissing(location)
