"""Uploads that clients send straight to a bucket, by presigned POST."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID

from botocore.exceptions import ClientError  # type: ignore[import-untyped] # brings no types

from domain.entities.upload_targets import StagedFile, UploadForm
from domain.errors import BytesMissing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from domain.entities.upload_targets import UploadTarget
    from infra.s3.storage import S3Storage

FOLDER = "uploads/"


@dataclass(frozen=True, slots=True)
class S3Staging:
    """Keeps ``uploads/<target id>`` in the bucket of a storage, below the same prefix.

    What may be sent stands in the policy that is signed with each slot: this key, a size of
    exactly so many bytes, this type, until then (AWS's API reference, "POST Policy").
    """

    storage: S3Storage
    public_endpoint_url: str | None = None
    """Where clients reach the store, if they do under another name than the server."""

    async def upload_form(self, target: UploadTarget) -> UploadForm:
        """Sign a form for a file of the target's size and type, until it expires."""
        size, left = target.byte_size, target.expires_at - datetime.now(UTC)
        form = await self.storage.client.generate_presigned_post(
            self.storage.bucket,
            self._key(target.id),
            Fields={"Content-Type": target.content_type},
            Conditions=[
                {"Content-Type": target.content_type},
                ["content-length-range", size, size],
            ],
            ExpiresIn=math.ceil(left.total_seconds()),
        )
        url = form["url"]
        if self.public_endpoint_url:
            # The signature is of the policy, in which there is no host.
            url = f"{self.public_endpoint_url.rstrip('/')}/{self.storage.bucket}"
        return UploadForm(url, tuple(form["fields"].items()))

    async def read(self, target_id: UUID, *, limit: int) -> bytes:
        """Return what was sent, ``limit`` bytes of it at most. Raises BytesMissing."""
        key = self._key(target_id)
        try:
            async with asyncio.timeout(self.storage.deadline_seconds):
                answer = await self.storage.client.get_object(Bucket=self.storage.bucket, Key=key)
        except ClientError as error:
            if error.response["Error"]["Code"] in {"NoSuchKey", "404"}:
                raise BytesMissing(key) from error
            raise
        data = bytearray()
        async with answer["Body"] as body:
            while len(data) < limit:
                async with asyncio.timeout(self.storage.stall_seconds):
                    chunk = await body.read(limit - len(data))
                if not chunk:
                    break
                data += chunk
        return bytes(data)

    async def delete(self, target_ids: Iterable[UUID]) -> None:
        """Forget what was sent. What is not there is forgotten already."""
        await self.storage.remove([self._key(target_id) for target_id in target_ids])

    async def list(self) -> AsyncIterator[StagedFile]:
        """Yield everything that was sent and is still there, in no order."""
        folder = self.storage.prefix + FOLDER
        async for key, modified_at in self.storage.objects_below(folder):
            name = key.removeprefix(folder)
            if _is_id(name):
                yield StagedFile(UUID(name), modified_at)

    def _key(self, target_id: UUID) -> str:
        return f"{self.storage.prefix}{FOLDER}{target_id}"


def _is_id(name: str) -> bool:
    try:
        return str(UUID(name)) == name
    except ValueError:
        return False
