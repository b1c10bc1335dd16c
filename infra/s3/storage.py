"""Storage in a bucket of any S3-compatible object store."""

from __future__ import annotations

import asyncio
import re
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError  # type: ignore[import-untyped] # no types

from domain.entities.storage import StoredObject, parse_key
from infra.s3.client import (
    S3Client,
    new_reads,
    raising_outages,
    raising_refused_access,
    translating_errors,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence
    from datetime import datetime

    from domain.concurrency import Capacity
    from domain.entities.storage import Blob, ByteRange

HEAD_TIMEOUT_SECONDS = 4.0
_MAX_KEYS_PER_DELETE = 1_000  # the limit of DeleteObjects


@dataclass(frozen=True, slots=True)
class S3Storage:
    """Stores objects at their keys below ``prefix``. Requests are retried as by S3Client.

    Every call raises Unavailable while the store does not work.

    A write that timed out may have succeeded. Repeating it is idempotent, because a key always
    gets the same bytes.
    """

    client: Any  # botocore generates the class at run time
    bucket: str
    prefix: str
    deadline_seconds: float
    read_timeout_seconds: float
    reads: Capacity = field(default_factory=new_reads)
    store_name: str = "the store"
    """The name of the store in error messages."""

    @classmethod
    @asynccontextmanager
    async def connect(  # noqa: PLR0913 - the options of a connection
        cls,
        bucket: str,
        *,
        endpoint_url: str | None = None,
        region: str | None = None,
        access_key_id: str | None = None,
        secret_access_key: str | None = None,
        prefix: str = "",
        create: bool = False,
        deadline_seconds: float = 60,
        read_timeout_seconds: float = 20,
    ) -> AsyncIterator[S3Storage]:
        """Open a bucket, and close the connection at the end. See ``S3Client.connect``.

        Creates a missing bucket if ``create`` is set. Raises Misconfigured if the bucket cannot be
        used.
        """
        store_name = f"the store at {endpoint_url}" if endpoint_url else "Amazon S3"
        async with AsyncExitStack() as stack:
            with translating_errors(bucket, store_name=store_name):
                opened = await stack.enter_async_context(
                    S3Client.connect(
                        endpoint_url=endpoint_url,
                        addressing_style=addressing_style(bucket, endpoint_url),
                        region=region,
                        access_key_id=access_key_id,
                        secret_access_key=secret_access_key,
                        deadline_seconds=deadline_seconds,
                        read_timeout_seconds=read_timeout_seconds,
                    )
                )
                async with asyncio.timeout(deadline_seconds):
                    if create:
                        await _create_bucket(opened.client, bucket, region)
                    await opened.client.head_bucket(Bucket=bucket)
            folder = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
            yield cls(
                opened.client,
                bucket,
                folder,
                deadline_seconds,
                read_timeout_seconds,
                store_name=store_name,
            )

    async def check(self) -> None:
        """Raise Unavailable unless the store answers."""
        with raising_outages():
            async with asyncio.timeout(min(HEAD_TIMEOUT_SECONDS, self.deadline_seconds)):
                await self.client.head_bucket(Bucket=self.bucket)

    async def write(self, key: str, data: bytes, *, content_type: str) -> None:
        """Like every method, raises ValueError for a key that is not ``<uuid>/<variant>``."""
        full_key = self._key(key)
        with raising_outages():
            async with asyncio.timeout(self.deadline_seconds):
                await self.client.put_object(
                    Bucket=self.bucket, Key=full_key, Body=data, ContentType=content_type
                )

    async def open(self, key: str, byte_range: ByteRange | None = None) -> Blob:
        client = S3Client(
            self.client,
            self.deadline_seconds,
            self.read_timeout_seconds,
            self.store_name,
            reads=self.reads,
        )
        return await client.open(self.bucket, self._key(key), byte_range)

    async def delete(self, keys: Iterable[str]) -> None:
        await self.delete_objects([self._key(key) for key in keys])

    async def delete_objects(self, full_keys: Sequence[str]) -> None:
        """Delete objects by their full keys, prefix included, in batches."""
        for start in range(0, len(full_keys), _MAX_KEYS_PER_DELETE):
            batch = full_keys[start : start + _MAX_KEYS_PER_DELETE]
            with raising_outages():
                async with asyncio.timeout(self.deadline_seconds):
                    response = await self.client.delete_objects(
                        Bucket=self.bucket,
                        Delete={"Objects": [{"Key": key} for key in batch], "Quiet": True},
                    )
                for refused in response.get("Errors", ()):
                    raise ClientError({"Error": refused}, "DeleteObjects")

    async def list(self) -> AsyncIterator[StoredObject]:
        """Leave out objects whose keys are not ``<uuid>/<variant>``."""
        async for full_key, modified_at in self.list_objects(self.prefix):
            key = full_key.removeprefix(self.prefix)
            if _is_storage_key(key):
                yield StoredObject(key, modified_at)

    async def list_objects(self, prefix: str) -> AsyncIterator[tuple[str, datetime]]:
        """Yield the full key and the modification time of every object below a prefix."""
        pages = aiter(
            self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        )
        while True:
            with (
                raising_outages(),
                raising_refused_access(self.bucket, store_name=self.store_name),
            ):
                async with asyncio.timeout(self.deadline_seconds):
                    page = await anext(pages, None)
            if page is None:
                return
            for entry in page.get("Contents", ()):
                yield entry["Key"], entry["LastModified"]

    def _key(self, key: str) -> str:
        parse_key(key)
        return self.prefix + key


def addressing_style(bucket: str, endpoint_url: str | None) -> str:
    """Return botocore's addressing style: whether the bucket is in the path or in the host name.

    On AWS it is in the host name, with the region. With ``auto``, presigned forms go to the global
    endpoint, which redirects them, and browsers do not send the file again after the redirect.
    """
    if endpoint_url:
        return "path"
    return "virtual" if re.fullmatch(r"[a-z0-9][a-z0-9-]+", bucket) else "auto"


async def _create_bucket(client: Any, bucket: str, region: str | None) -> None:  # noqa: ANN401 - as above
    # us-east-1 is the default region, which AWS refuses as a constraint.
    options = (
        {}
        if region in {None, "us-east-1"}
        else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    )
    try:
        await client.create_bucket(Bucket=bucket, **options)
    except ClientError as error:
        if error.response["Error"]["Code"] not in {
            "BucketAlreadyOwnedByYou",
            "BucketAlreadyExists",
        }:
            raise


def _is_storage_key(key: str) -> bool:
    try:
        parse_key(key)
    except ValueError:
        return False
    return True
