"""Pictures that lie outside of the library, looked for and read where they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from domain.errors import BytesMissing
from infra.locations import FILE, S3

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from domain.entities.external_objects import KeyRange, ListedObject
    from domain.entities.images import Source
    from domain.entities.storage import Blob, ByteRange
    from infra.filesystem.external import ExternalFolders
    from infra.s3.external import ExternalBuckets


@dataclass(frozen=True, slots=True)
class ExternalLocations:
    """Folders of this machine and buckets, told apart by how a location begins."""

    files: ExternalFolders
    buckets: ExternalBuckets

    async def open(self, source: Source, byte_range: ByteRange | None = None) -> Blob:
        """Start reading. Raises BytesMissing, and ValueError for a range past the end."""
        return await self._holder_of(source.location).open(source, byte_range)

    async def split(self, root: str) -> Sequence[KeyRange]:
        """Divide what lies below a root into stretches that can be listed at once, in order."""
        return await self._holder_of(root).split(root)

    def list(self, root: str, key_range: KeyRange) -> AsyncIterator[ListedObject]:
        """Yield what lies below a root and in a stretch of it."""
        return self._holder_of(root).list(root, key_range)

    async def stat(self, location: str) -> ListedObject:
        """Return what lies at a location. Raises BytesMissing."""
        return await self._holder_of(location).stat(location)

    def _holder_of(self, location: str) -> ExternalFolders | ExternalBuckets:
        if location.startswith(FILE):
            return self.files
        if location.startswith(S3):
            return self.buckets
        raise BytesMissing(location)
