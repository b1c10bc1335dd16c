"""External files: dispatches each location to local folders or to buckets, by its scheme."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from domain.errors import BytesMissing
from infra.locations import FILE_SCHEME, S3_SCHEME

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from domain.entities.external_objects import KeyRange, ListedObject, ListingEntry
    from domain.entities.images import Source
    from domain.entities.storage import Blob, ByteRange
    from infra.filesystem.external import ExternalFolders
    from infra.s3.external import ExternalBuckets


@dataclass(frozen=True, slots=True)
class ExternalLocations:
    """Local folders (``file://``) and buckets (``s3://``). Other schemes raise BytesMissing."""

    folders: ExternalFolders
    buckets: Callable[[], ExternalBuckets]
    """Returns the buckets; called where the first location in one is named."""

    async def open(self, source: Source, byte_range: ByteRange | None = None) -> Blob:
        return await self._adapter_for(source.location).open(source, byte_range)

    async def split(self, root: str) -> Sequence[KeyRange]:
        return await self._adapter_for(root).split(root)

    def list(self, root: str, key_range: KeyRange) -> AsyncIterator[ListingEntry]:
        return self._adapter_for(root).list(root, key_range)

    async def stat(self, location: str) -> ListedObject:
        return await self._adapter_for(location).stat(location)

    def _adapter_for(self, location: str) -> ExternalFolders | ExternalBuckets:
        if location.startswith(FILE_SCHEME):
            return self.folders
        if location.startswith(S3_SCHEME):
            return self.buckets()
        raise BytesMissing(location)
