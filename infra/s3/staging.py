"""Staging in a bucket: clients upload files to it by presigned POST."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID

from botocore.exceptions import ClientError  # type: ignore[import-untyped] # no types

from domain.entities.upload_targets import StagedFile, UploadForm
from domain.errors import BytesMissing
from infra.s3.client import raising_outages, read_body

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from domain.entities.upload_targets import UploadTarget
    from infra.s3.storage import S3Storage

UPLOADS_PREFIX = "uploads/"


@dataclass(frozen=True, slots=True)
class S3Staging:
    """Keeps staged files at ``uploads/<target id>`` below the prefix of a storage.

    The signed policy of each form allows one key, exactly the announced size and media type, and
    an expiry (AWS's API reference, "POST Policy").
    """

    storage: S3Storage
    public_endpoint_url: str | None = None
    """The endpoint of the store for clients, if it differs from the server's."""

    async def upload_form(self, target: UploadTarget) -> UploadForm:
        size, lifetime = target.byte_size, target.expires_at - datetime.now(UTC)
        form = await self.storage.client.generate_presigned_post(
            self.storage.bucket,
            self._key(target.id),
            Fields={"Content-Type": target.content_type},
            Conditions=[
                {"Content-Type": target.content_type},
                ["content-length-range", size, size],
            ],
            ExpiresIn=math.ceil(lifetime.total_seconds()),
        )
        url = form["url"]
        if self.public_endpoint_url:
            # The signature covers the policy, which does not contain the host.
            url = f"{self.public_endpoint_url.rstrip('/')}/{self.storage.bucket}"
        return UploadForm(url, tuple(form["fields"].items()))

    async def read(self, target_id: UUID, *, limit: int) -> bytes:
        key = self._key(target_id)
        try:
            with raising_outages():
                async with asyncio.timeout(self.storage.deadline_seconds):
                    response = await self.storage.client.get_object(
                        Bucket=self.storage.bucket, Key=key
                    )
        except ClientError as error:
            if error.response["Error"]["Code"] in {"NoSuchKey", "404"}:
                raise BytesMissing(key) from error
            raise
        data = bytearray()
        async with response["Body"] as body:
            while len(data) < limit:
                chunk = await read_body(
                    body,
                    limit - len(data),
                    timeout_seconds=self.storage.read_timeout_seconds,
                )
                if not chunk:
                    break
                data += chunk
        return bytes(data)

    async def delete(self, target_ids: Iterable[UUID]) -> None:
        await self.storage.delete_objects([self._key(target_id) for target_id in target_ids])

    async def list(self) -> AsyncIterator[StagedFile]:
        prefix = self.storage.prefix + UPLOADS_PREFIX
        async for key, modified_at in self.storage.list_objects(prefix):
            name = key.removeprefix(prefix)
            if _is_uuid(name):
                yield StagedFile(UUID(name), modified_at)

    def _key(self, target_id: UUID) -> str:
        return f"{self.storage.prefix}{UPLOADS_PREFIX}{target_id}"


def _is_uuid(name: str) -> bool:
    try:
        return str(UUID(name)) == name
    except ValueError:
        return False
