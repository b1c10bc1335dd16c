"""Storage in a bucket of any S3-compatible store."""

from __future__ import annotations

import asyncio
import re
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError  # type: ignore[import-untyped] # brings none

from domain.entities.storage import StoredObject, parse_key
from infra.s3.client import S3Client, explaining

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence
    from datetime import datetime

    from domain.entities.storage import Blob, ByteRange

_DELETED_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class S3Storage:
    """Keeps ``<uuid>/<variant>`` as an object of that key, below ``prefix``.

    What fails for a moment is tried again, four times at most, with growing random pauses. A
    write that was cut off may have succeeded all the same; to repeat it does no harm, for a key
    only ever gets the same bytes.
    """

    client: Any  # botocore makes its class at run time
    bucket: str
    prefix: str
    deadline_seconds: float
    stall_seconds: float

    @classmethod
    @asynccontextmanager
    async def connect(  # noqa: PLR0913 - this many things tell one store from another
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
        stall_seconds: float = 20,
    ) -> AsyncIterator[S3Storage]:
        """Open a bucket, and close it at the end. Raises Misconfigured where it cannot be used.

        A missing one is made if ``create``.

        Without keys, AWS's own ways to find some are gone: environment, profile, role. No call
        takes longer than ``deadline_seconds``, repetitions included. Reading on takes as long as
        the reader likes, as long as the store never keeps it waiting for ``stall_seconds``.
        """
        store = f"the store at {endpoint_url}" if endpoint_url else "Amazon S3"
        async with AsyncExitStack() as stack:
            with explaining(bucket, store=store):
                opened = await stack.enter_async_context(
                    S3Client.connect(
                        endpoint_url=endpoint_url,
                        addressing=addressing_style(bucket, endpoint_url),
                        region=region,
                        access_key_id=access_key_id,
                        secret_access_key=secret_access_key,
                        deadline_seconds=deadline_seconds,
                        stall_seconds=stall_seconds,
                    )
                )
                async with asyncio.timeout(deadline_seconds):
                    if create:
                        await _create(opened.client, bucket, region)
                    await opened.client.head_bucket(Bucket=bucket)
            folder = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
            yield cls(opened.client, bucket, folder, deadline_seconds, stall_seconds)

    async def write(self, key: str, data: bytes, *, content_type: str) -> None:
        """Keep ``data``; a reader sees all of it or none.

        Raises ValueError for a key that is not ``<uuid>/<variant>``, as every method does.
        """
        async with asyncio.timeout(self.deadline_seconds):
            await self.client.put_object(
                Bucket=self.bucket, Key=self._key(key), Body=data, ContentType=content_type
            )

    async def open(self, key: str, byte_range: ByteRange | None = None) -> Blob:
        """Start reading. Raises BytesMissing, and ValueError for a range past the end."""
        client = S3Client(self.client, self.deadline_seconds, self.stall_seconds)
        return await client.open(self.bucket, self._key(key), byte_range)

    async def delete(self, keys: Iterable[str]) -> None:
        """Forget these. What is not there is forgotten already."""
        await self.remove([self._key(key) for key in keys])

    async def remove(self, full_keys: Sequence[str]) -> None:
        """Delete objects by their whole keys."""
        for start in range(0, len(full_keys), _DELETED_AT_ONCE):
            some = full_keys[start : start + _DELETED_AT_ONCE]
            async with asyncio.timeout(self.deadline_seconds):
                answer = await self.client.delete_objects(
                    Bucket=self.bucket,
                    Delete={"Objects": [{"Key": key} for key in some], "Quiet": True},
                )
            for refused in answer.get("Errors", ()):
                raise ClientError({"Error": refused}, "DeleteObjects")

    async def list(self) -> AsyncIterator[StoredObject]:
        """Yield everything that is kept, in no order; what others keep here is left out."""
        async for full_key, modified_at in self.objects_below(self.prefix):
            key = full_key.removeprefix(self.prefix)
            if _is_key(key):
                yield StoredObject(key, modified_at)

    async def objects_below(self, prefix: str) -> AsyncIterator[tuple[str, datetime]]:
        """Yield the whole key of every object that begins so, and when it was last written."""
        pages = aiter(
            self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        )
        while True:
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
    """Return how a store is to be told which bucket is meant, as botocore has it.

    In AWS, the bucket's name before that of its region: forms that are signed ahead would else
    go to the global name, which redirects them, and a browser loses the file on the way.
    """
    if endpoint_url:
        return "path"
    return "virtual" if re.fullmatch(r"[a-z0-9][a-z0-9-]+", bucket) else "auto"


async def _create(client: Any, bucket: str, region: str | None) -> None:  # noqa: ANN401 - as above
    elsewhere = region not in {None, "us-east-1"}
    place = {"CreateBucketConfiguration": {"LocationConstraint": region}} if elsewhere else {}
    try:
        await client.create_bucket(Bucket=bucket, **place)
    except ClientError as error:
        if error.response["Error"]["Code"] not in {
            "BucketAlreadyOwnedByYou",
            "BucketAlreadyExists",
        }:
            raise


def _is_key(key: str) -> bool:
    try:
        parse_key(key)
    except ValueError:
        return False
    return True
