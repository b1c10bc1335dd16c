"""Picture files: decoding, storage, staging areas, external files and their listings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence
    from uuid import UUID

    from domain.concurrency import Priority
    from domain.entities.claims import StorageClaim
    from domain.entities.external_objects import KeyRange, ListedObject, ListingEntry
    from domain.entities.images import Picture, Pixels, Source
    from domain.entities.storage import Blob, ByteRange, StoredObject
    from domain.entities.upload_targets import StagedFile, UploadForm, UploadTarget


class Imaging(Protocol):
    """Decodes picture files.

    Every method raises UploadRefusal for an unacceptable file, and Overloaded where a retry later
    can succeed: many pictures are waiting, or what decoded this one was stopped.
    """

    def with_priority(self, priority: Priority) -> Self:
        """Return the same imaging, whose calls wait with another priority."""

    async def decode(
        self,
        data: bytes,
        *,
        with_large: bool = True,
        on_pixels: Callable[[Pixels], object] | None = None,
    ) -> Picture:
        """Check the format and the limits, decode once, and return the facts and the renditions.

        ``on_pixels`` is called once, with the pixels, before the renditions are made. Not making
        LARGE takes about half of the time.
        """

    async def render_large(self, data: bytes) -> bytes:
        """Check the format and the limits, and return LARGE alone, equal to that of ``decode``."""

    async def decode_pixels(self, data: bytes) -> Pixels:
        """Check the format and the limits, and decode at the size that an encoder needs."""

    async def inspect(self, data: bytes) -> str:
        """Check the format and the limits by the header alone, and return the media type."""


class Storage(Protocol):
    """Bytes under keys of the shape ``<image id>/<variant>``. Other keys raise ValueError.

    Every method raises Unavailable while the storage does not work.
    """

    async def check(self) -> None:
        """Raise Unavailable unless objects can be stored and read."""

    async def write(self, key: str, data: bytes, *, content_type: str) -> None:
        """Write an object atomically: a reader sees all of it or none."""

    async def open(self, key: str, byte_range: ByteRange | None = None) -> Blob:
        """Open an object. Raises BytesMissing, and ValueError for a range past the end."""

    async def delete(self, keys: Iterable[str]) -> None:
        """Delete objects. Missing ones are ignored."""

    def list(self) -> AsyncIterator[StoredObject]:
        """Yield all objects of images, in no particular order. Foreign keys are left out."""


class StorageClaims(Protocol):
    """The marker in a storage that says which library its files belong to."""

    @property
    def place(self) -> str:
        """The name of the storage, for people."""

    async def read_claim(self) -> StorageClaim | None:
        """Return the claim; None where there is no marker. Raises Misconfigured for a damaged one.

        Missing bytes are no outage: an outage raises its own error.
        """

    async def add_claim(self, claim: StorageClaim) -> StorageClaim:
        """Write a claim unless there is one, and return the claim that is there afterwards."""

    async def replace_claim(self, claim: StorageClaim) -> None:
        """Write a claim in place of any other."""


class Staging(Protocol):
    """The staging area: clients send files to it directly, before they become images."""

    async def upload_form(self, target: UploadTarget) -> UploadForm:
        """Sign a form for a file of the target's size and type, valid until the target expires."""

    async def read(self, target_id: UUID, *, limit: int) -> bytes:
        """Return at most the first ``limit`` bytes of a file. Raises BytesMissing."""

    async def delete(self, target_ids: Iterable[UUID]) -> None:
        """Delete files. Missing ones are ignored."""

    def list(self) -> AsyncIterator[StagedFile]:
        """Yield all files, in no particular order."""


class LocalStaging(Protocol):
    """A staging area that clients reach through this server."""

    @property
    def secret(self) -> bytes:
        """The key that signs forms: the same for all servers of one library."""

    async def write(self, target_id: UUID, chunks: AsyncIterator[bytes]) -> None:
        """Write a file atomically, in place of an earlier one: a reader sees all of it or none."""


class ExternalFiles(Protocol):
    """Files in folders and buckets that are not part of the library. They are never changed."""

    async def open(self, source: Source, byte_range: ByteRange | None = None) -> Blob:
        """Open a file. Raises BytesMissing where it is gone or has another version.

        Raises InvalidContent where reading is not permitted, and ValueError for a range past the
        end.
        """


class ObjectListing(Protocol):
    """Lists folders and buckets, without the files of the library itself."""

    async def split(self, root: str) -> Sequence[KeyRange]:
        """Return ranges that cover all locations of a root, in order, to be listed concurrently.

        Raises Misconfigured where the root cannot be listed, or belongs to the library itself.
        """

    def list(self, root: str, key_range: KeyRange) -> AsyncIterator[ListingEntry]:
        """Yield the objects of a root that are in a range, by code point of the location.

        The listing is complete except for the folders that it yields, or it fails: with
        Misconfigured, or with the error of an outage.
        """

    async def stat(self, location: str) -> ListedObject:
        """Return the object at a location. Raises BytesMissing."""
