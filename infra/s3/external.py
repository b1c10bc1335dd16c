"""Buckets with pictures that are not copied, all in the one store that is set."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Self

from botocore.exceptions import ClientError  # type: ignore[import-untyped] # brings none

from domain.entities.external_objects import KeyRange, ListedObject
from domain.entities.images import Source
from domain.errors import BytesMissing, InvalidContent
from infra.locations import S3, bucket_and_key, check_not_own
from infra.s3.client import explaining

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from contextlib import AbstractAsyncContextManager

    from domain.entities.storage import Blob, ByteRange
    from infra.s3.client import S3Client

LEVELS = 3
"""How many levels of folders are looked at for places to divide a listing."""

STRETCHES = 64
"""Into about how many a listing is divided: more than are listed at once, so that all end late."""

PAGE = 1_000


class ExternalBuckets:
    """Objects by ``s3://`` with bucket and key; the version is the ETag.

    Keys that end in a slash are folders that some tools make, and left out. An async context
    manager; the client is made when it is first needed. ``own`` are locations of the library's own
    files.
    """

    def __init__(
        self,
        connect: Callable[[], AbstractAsyncContextManager[S3Client]],
        own: tuple[str, ...] = (),
    ) -> None:
        """Take what makes a client."""
        self._connect = connect
        self._own = own
        self._stack = AsyncExitStack()
        self._making = asyncio.Lock()
        self._made: S3Client | None = None

    async def __aenter__(self) -> Self:
        """Begin."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the client, if there is one."""
        await self._stack.aclose()

    async def open(self, source: Source, byte_range: ByteRange | None = None) -> Blob:
        """Start reading. Raises BytesMissing, and ValueError for a range past the end.

        Raises InvalidContent for an object that is archived.
        """
        client = await self._client()
        bucket, key = bucket_and_key(source.location)
        try:
            return await client.open(bucket, key, byte_range, etag=source.version)
        except ClientError as error:
            match error.response["Error"]["Code"]:
                case "NoSuchBucket":
                    raise BytesMissing(source.location) from error
                case "InvalidObjectState":
                    raise InvalidContent(
                        f"“{source.name}” is archived; restore it, and import it with --retry."
                    ) from error
            raise

    async def split(self, root: str) -> Sequence[KeyRange]:
        """Divide a bucket where folders begin. Raises Misconfigured where it cannot be listed."""
        check_not_own(root, self._own)
        bucket, prefix = bucket_and_key(root)
        level = [prefix]
        folders: list[str] = []
        for _ in range(LEVELS):
            pages = await asyncio.gather(
                *(self._page(bucket, Prefix=each, Delimiter="/") for each in level)
            )
            level = [each["Prefix"] for page in pages for each in page.get("CommonPrefixes", ())]
            folders += level
            if not level or len(folders) >= STRETCHES:
                break
        whole = KeyRange.below(root)
        folders.sort()
        cuts = folders[:: len(folders) // STRETCHES + 1]
        bounds = [whole.first, *(f"{S3}{bucket}/{cut}" for cut in cuts), whole.end]
        return [KeyRange(first, end) for first, end in pairwise(bounds) if first < end]

    async def list(self, root: str, key_range: KeyRange) -> AsyncIterator[ListedObject]:
        """Yield the objects of a stretch as the store lists them; a page is asked for ahead.

        Raises Misconfigured where the bucket cannot be listed, or not to the end.
        """
        bucket, prefix = bucket_and_key(root)
        asked: dict[str, Any] = {"Prefix": prefix}
        if first := bucket_and_key(key_range.first)[1]:
            # But for the first, which ends in a slash.
            asked["StartAfter"] = first
        ahead = asyncio.create_task(self._page(bucket, **asked))
        try:
            while True:
                page = await ahead
                entries = page.get("Contents", ())
                is_last = not page.get("IsTruncated") or (
                    entries and f"{S3}{bucket}/{entries[-1]['Key']}" >= key_range.end
                )
                if not is_last:
                    asked["ContinuationToken"] = page["NextContinuationToken"]
                    ahead = asyncio.create_task(self._page(bucket, **asked))
                for entry in entries:
                    location = f"{S3}{bucket}/{entry['Key']}"
                    if location >= key_range.end:
                        return
                    if not location.endswith("/") and not location.startswith(self._own):
                        source = Source(location, entry["ETag"].strip('"'))
                        yield ListedObject(source, entry["Size"])
                if is_last:
                    return
        finally:
            ahead.cancel()
            await asyncio.gather(ahead, return_exceptions=True)

    async def stat(self, location: str) -> ListedObject:
        """Return the object at a location. Raises BytesMissing.

        Raises Misconfigured where the store cannot be asked. Without the right to list a bucket,
        what is missing there is forbidden.
        """
        bucket, key = bucket_and_key(location)
        if not key or location.startswith(self._own):
            raise BytesMissing(location)
        client = await self._client()
        with explaining(bucket, store=client.store):
            try:
                async with asyncio.timeout(client.deadline_seconds):
                    head = await client.client.head_object(Bucket=bucket, Key=key)
            except ClientError as error:
                if error.response["ResponseMetadata"]["HTTPStatusCode"] in {403, 404}:
                    raise BytesMissing(location) from error
                raise
        return ListedObject(Source(location, head["ETag"].strip('"')), head["ContentLength"])

    async def _client(self) -> S3Client:
        async with self._making:
            if self._made is None:
                self._made = await self._stack.enter_async_context(self._connect())
            return self._made

    async def _page(self, bucket: str, **asked: Any) -> Any:  # noqa: ANN401 - botocore's
        client = await self._client()
        with explaining(bucket, store=client.store):
            async with asyncio.timeout(client.deadline_seconds):
                return await client.client.list_objects_v2(Bucket=bucket, MaxKeys=PAGE, **asked)
