"""The marker in a bucket."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError  # type: ignore[import-untyped] # no types

from domain.errors import BytesMissing
from infra.claims import CLAIM_NAME, claim_of, claim_to_bytes
from infra.s3.client import S3Client, raising_outages

if TYPE_CHECKING:
    from domain.entities.claims import StorageClaim
    from infra.s3.storage import S3Storage

_EXISTS = frozenset({"PreconditionFailed", "ConditionalRequestConflict"})
_NO_CONDITIONS = frozenset({"NotImplemented", "InvalidArgument", "InvalidRequest"})
"""Errors of stores without conditional writes."""


@dataclass(frozen=True, slots=True)
class S3Claims:
    """An object below the prefix of an S3Storage."""

    storage: S3Storage

    @property
    def place(self) -> str:
        return f"s3://{self.storage.bucket}/{self.storage.prefix}"

    async def read_claim(self) -> StorageClaim | None:
        storage = self.storage
        client = S3Client(
            storage.client,
            storage.deadline_seconds,
            storage.read_timeout_seconds,
            storage.store_name,
        )
        try:
            blob = await client.open(storage.bucket, self._key)
        except BytesMissing:
            return None
        return claim_of(b"".join([chunk async for chunk in blob.chunks]), self.place)

    async def add_claim(self, claim: StorageClaim) -> StorageClaim:
        """Write with a condition, so that the first of two libraries wins.

        A store without conditional writes gets a plain write. Two libraries that claim at the same
        moment may then both win; the one whose marker was replaced is refused at its next start.
        """
        try:
            await self._put(claim, IfNoneMatch="*")
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in _NO_CONDITIONS:
                await self._put(claim)
            elif code not in _EXISTS:
                raise
        return await self.read_claim() or claim

    async def replace_claim(self, claim: StorageClaim) -> None:
        await self._put(claim)

    @property
    def _key(self) -> str:
        return self.storage.prefix + CLAIM_NAME

    async def _put(self, claim: StorageClaim, **condition: str) -> None:
        with raising_outages():
            async with asyncio.timeout(self.storage.deadline_seconds):
                await self.storage.client.put_object(
                    Bucket=self.storage.bucket,
                    Key=self._key,
                    Body=claim_to_bytes(claim),
                    ContentType="application/json",
                    **condition,
                )
