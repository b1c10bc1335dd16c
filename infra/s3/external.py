"""Buckets of external pictures, in the configured object store."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Self

from botocore.exceptions import ClientError  # type: ignore[import-untyped] # no types

from domain.entities.external_objects import KeyRange, ListedObject
from domain.entities.images import Source
from domain.errors import AccessRefused, BytesMissing, InvalidContent
from infra.locations import S3_SCHEME, bucket_and_key, check_outside_library
from infra.s3.client import ARCHIVED, translating_errors

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from contextlib import AbstractAsyncContextManager

    from domain.entities.storage import Blob, ByteRange
    from infra.s3.client import S3Client

MAX_SPLIT_DEPTH = 3
"""How many levels of folders are read to split a listing."""

TARGET_KEY_RANGES = 64
"""About how many key ranges a listing is split into: many more than are listed concurrently, so
that ranges of unequal size keep all of them busy until the end."""

DENIED = "AccessDenied"
"""The error code of an object, or of all of a bucket, that valid keys may not read."""

LIST_PAGE_SIZE = 1_000
"""The maximum of ListObjectsV2."""


class ExternalBuckets:
    """Objects at ``s3://bucket/key``, with their ETag as version.

    Keys that end in a slash are left out: some tools create them as markers of folders. An async
    context manager, which connects on the first call. ``own_locations`` are the prefixes of the
    library's own objects.
    """

    def __init__(
        self,
        connect: Callable[[], AbstractAsyncContextManager[S3Client]],
        own_locations: tuple[str, ...] = (),
    ) -> None:
        self._connect = connect
        self._own_locations = own_locations
        self._stack = AsyncExitStack()
        self._connect_lock = asyncio.Lock()
        self._connected: S3Client | None = None

    async def __aenter__(self) -> Self:
        """Return self: the connection is opened later."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the client, if it was opened."""
        await self._stack.aclose()

    async def open(self, source: Source, byte_range: ByteRange | None = None) -> Blob:
        client = await self._client()
        bucket, key = bucket_and_key(source.location)
        try:
            return await client.open(bucket, key, byte_range, etag=source.version)
        except AccessRefused as refused:
            error = refused.__cause__
            if not isinstance(error, ClientError) or error.response["Error"]["Code"] != DENIED:
                # The keys are not valid, which says nothing about this object.
                raise
            raise InvalidContent(
                f"“{source.name}” may not be read; check the permissions of its bucket, "
                "and import it with --retry."
            ) from refused
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "NoSuchBucket":
                raise BytesMissing(source.location) from error
            if code == ARCHIVED:
                raise InvalidContent(
                    f"“{source.name}” is archived; restore it, and import it with --retry."
                ) from error
            raise

    async def split(self, root: str) -> Sequence[KeyRange]:
        """Split at common prefixes, level by level, until there are enough key ranges."""
        check_outside_library(root, self._own_locations)
        bucket, prefix = bucket_and_key(root)
        level = [prefix]
        folders: list[str] = []
        for _ in range(MAX_SPLIT_DEPTH):
            pages = await asyncio.gather(
                *(self._list_page(bucket, Prefix=each, Delimiter="/") for each in level)
            )
            level = [each["Prefix"] for page in pages for each in page.get("CommonPrefixes", ())]
            folders += level
            if not level or len(folders) >= TARGET_KEY_RANGES:
                break
        whole = KeyRange.below(root)
        folders.sort()
        boundaries = folders[:: len(folders) // TARGET_KEY_RANGES + 1]
        bounds = [
            whole.first,
            *(f"{S3_SCHEME}{bucket}/{boundary}" for boundary in boundaries),
            whole.end,
        ]
        return [KeyRange(first, end) for first, end in pairwise(bounds) if first < end]

    async def list(self, root: str, key_range: KeyRange) -> AsyncIterator[ListedObject]:
        """Prefetch one page while the current one is consumed."""
        bucket, prefix = bucket_and_key(root)
        options: dict[str, Any] = {"Prefix": prefix}
        if first := bucket_and_key(key_range.first)[1]:
            # StartAfter is exclusive. The key that it skips ends in a slash: it is left out anyway.
            options["StartAfter"] = first
        next_page = asyncio.create_task(self._list_page(bucket, **options))
        try:
            while True:
                page = await next_page
                entries = page.get("Contents", ())
                is_last = not page.get("IsTruncated") or (
                    entries and f"{S3_SCHEME}{bucket}/{entries[-1]['Key']}" >= key_range.end
                )
                if not is_last:
                    options["ContinuationToken"] = page["NextContinuationToken"]
                    next_page = asyncio.create_task(self._list_page(bucket, **options))
                for entry in entries:
                    location = f"{S3_SCHEME}{bucket}/{entry['Key']}"
                    if location >= key_range.end:
                        return
                    if not location.endswith("/") and not location.startswith(self._own_locations):
                        source = Source(location, entry["ETag"].strip('"'))
                        yield ListedObject(source, entry["Size"])
                if is_last:
                    return
        finally:
            next_page.cancel()
            await asyncio.gather(next_page, return_exceptions=True)

    async def stat(self, location: str) -> ListedObject:
        """Treat 403 as missing: S3 returns it for missing keys of buckets that may not be listed.

        Raises Misconfigured for other errors of the store.
        """
        bucket, key = bucket_and_key(location)
        if not key or location.startswith(self._own_locations):
            raise BytesMissing(location)
        client = await self._client()
        with translating_errors(bucket, store_name=client.store_name):
            try:
                async with asyncio.timeout(client.deadline_seconds):
                    head = await client.client.head_object(Bucket=bucket, Key=key)
            except ClientError as error:
                if error.response["ResponseMetadata"]["HTTPStatusCode"] in {403, 404}:
                    raise BytesMissing(location) from error
                raise
        return ListedObject(Source(location, head["ETag"].strip('"')), head["ContentLength"])

    async def _client(self) -> S3Client:
        async with self._connect_lock:
            if self._connected is None:
                self._connected = await self._stack.enter_async_context(self._connect())
            return self._connected

    async def _list_page(self, bucket: str, **options: Any) -> Any:  # noqa: ANN401 - botocore's
        client = await self._client()
        with translating_errors(bucket, store_name=client.store_name):
            async with asyncio.timeout(client.deadline_seconds):
                return await client.client.list_objects_v2(
                    Bucket=bucket, MaxKeys=LIST_PAGE_SIZE, **options
                )
