"""Pictures as files, and the places where their bytes lie."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence
    from uuid import UUID

    from domain.entities.external_objects import KeyRange, ListedObject
    from domain.entities.images import Picture, Pixels, Source
    from domain.entities.storage import Blob, ByteRange, StoredObject
    from domain.entities.upload_targets import StagedFile, UploadForm, UploadTarget


class Imaging(Protocol):
    """Everything about pictures as files. Each call raises UploadRefusal for bad files."""

    async def decode(self, data: bytes) -> Picture:
        """Recognise, bound and decode a file once, and make all that is kept of it."""

    async def decode_pixels(self, data: bytes) -> Pixels:
        """Recognise, bound and decode a file no further than an encoder needs."""

    async def inspect(self, data: bytes) -> str:
        """Recognise and bound a file by its header, and return its media type."""


class Storage(Protocol):
    """Bytes under keys of the shape ``<image id>/<variant>``."""

    async def write(self, key: str, data: bytes, *, content_type: str) -> None:
        """Keep ``data``; a reader sees all of it or none."""

    async def open(self, key: str, byte_range: ByteRange | None = None) -> Blob:
        """Start reading. Raises BytesMissing, and ValueError for a range past the end."""

    async def delete(self, keys: Iterable[str]) -> None:
        """Forget these. What is not there is forgotten already."""

    def list(self) -> AsyncIterator[StoredObject]:
        """Yield everything that is kept, in no order."""


class Staging(Protocol):
    """Where clients put the bytes of uploads themselves, before they become images."""

    async def slot(self, target: UploadTarget) -> UploadForm:
        """Say how to send a file of the target's size and type there, until it expires."""

    async def read(self, target_id: UUID, *, limit: int) -> bytes:
        """Return what was sent, ``limit`` bytes of it at most. Raises BytesMissing."""

    async def delete(self, target_ids: Iterable[UUID]) -> None:
        """Forget what was sent. What is not there is forgotten already."""

    def list(self) -> AsyncIterator[StagedFile]:
        """Yield everything that was sent and is still there, in no order."""


class LocalStaging(Protocol):
    """A staging area whose bytes come through this server."""

    @property
    def secret(self) -> bytes:
        """What its slots are signed with: the same for every server of one library."""

    async def write(self, target_id: UUID, chunks: AsyncIterator[bytes]) -> None:
        """Keep what comes; a reader sees all of it or none."""


class ExternalFiles(Protocol):
    """Places outside of the library where pictures lie. Nothing is ever changed there."""

    async def open(self, source: Source, byte_range: ByteRange | None = None) -> Blob:
        """Start reading. Raises BytesMissing where it is gone or another version.

        Raises InvalidContent where it may not be read, and ValueError for a range past the end.
        """


class ObjectListing(Protocol):
    """Folders and buckets that are looked through for pictures; the library's own are left out."""

    async def split(self, root: str) -> Sequence[KeyRange]:
        """Divide what lies below a root into stretches that can be listed at once, in order.

        Raises Misconfigured where the root cannot be listed, or is the library's own.
        """

    def list(self, root: str, key_range: KeyRange) -> AsyncIterator[ListedObject]:
        """Yield what lies below a root and in a stretch of it, by code point of the location.

        Raises Misconfigured, or whatever an outage raises, in place of leaving anything out.
        """

    async def look(self, location: str) -> ListedObject:
        """Return what lies at a location. Raises BytesMissing."""
