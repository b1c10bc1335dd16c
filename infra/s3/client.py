"""A client of an S3-compatible store, for whichever bucket."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    contextmanager,
)
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

# None of these bring types.
from aiobotocore.config import AioConfig  # type: ignore[import-untyped]
from aiobotocore.session import get_session  # type: ignore[import-untyped]
from botocore.exceptions import (  # type: ignore[import-untyped]
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    PartialCredentialsError,
)
from botocore.handlers import add_expect_header  # type: ignore[import-untyped]

from domain.entities.storage import Blob
from domain.errors import BytesMissing, Misconfigured

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterator

    from domain.entities.storage import ByteRange

CHUNK_BYTES = 256 * 1024
_ATTEMPTS = 4
_CONNECTIONS = 64


class _Body(AbstractAsyncContextManager[object], Protocol):
    async def read(self, amount: int) -> bytes: ...


class _Request(Protocol):
    body: bytes
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class S3Client:
    """Reads objects. What fails for a moment is tried again, with growing random pauses."""

    client: Any  # botocore makes its class at run time
    deadline_seconds: float
    stall_seconds: float
    store: str = "the store"
    """What it is called in sentences."""

    @classmethod
    @asynccontextmanager
    async def connect(  # noqa: PLR0913 - this many things tell one store from another
        cls,
        *,
        endpoint_url: str | None = None,
        addressing: str | None = None,
        region: str | None = None,
        access_key_id: str | None = None,
        secret_access_key: str | None = None,
        deadline_seconds: float = 60,
        stall_seconds: float = 20,
    ) -> AsyncIterator[S3Client]:
        """Make a client, and close it at the end. Nothing is asked of the store yet.

        Without keys, AWS's own ways to find some are gone: environment, profile, role. No call
        takes longer than ``deadline_seconds``, repetitions included. Reading on takes as long as
        the reader likes, as long as the store never keeps it waiting for ``stall_seconds``.
        """
        config = AioConfig(
            connect_timeout=min(10, deadline_seconds),
            read_timeout=stall_seconds,
            max_pool_connections=_CONNECTIONS,
            # What is signed ahead would else be signed in the old way, which AWS refuses by now.
            signature_version="s3v4",
            retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
            # Stores other than AWS refuse, or keep as data, what newer checksums add to a body.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            s3={"addressing_style": addressing or ("path" if endpoint_url else "auto")},
        )
        store = f"the store at {endpoint_url}" if endpoint_url else "Amazon S3"
        async with AsyncExitStack() as stack:
            async with asyncio.timeout(deadline_seconds):
                client = await stack.enter_async_context(
                    get_session().create_client(
                        "s3",
                        endpoint_url=endpoint_url,
                        region_name=region,
                        aws_access_key_id=access_key_id,
                        aws_secret_access_key=secret_access_key,
                        config=config,
                    )
                )
            # A store that never answers "100 Continue" would be waited for without end.
            client.meta.events.unregister("before-call.s3", add_expect_header)
            client.meta.events.register("before-sign.s3.DeleteObjects", _add_md5)
            yield cls(client, deadline_seconds, stall_seconds, store)

    async def open(
        self,
        bucket: str,
        key: str,
        byte_range: ByteRange | None = None,
        *,
        etag: str | None = None,
    ) -> Blob:
        """Start reading an object, of this version alone where one is named.

        Raises BytesMissing, and ValueError for a range past the end.
        """
        asked = {"Range": _header(byte_range)} if byte_range else {}
        if etag is not None:
            asked["IfMatch"] = f'"{etag}"'
        try:
            async with asyncio.timeout(self.deadline_seconds):
                answer = await self.client.get_object(Bucket=bucket, Key=key, **asked)
        except ClientError as error:
            match error.response["Error"]["Code"]:
                case "NoSuchKey" | "404" | "PreconditionFailed" | "412":
                    raise BytesMissing(key) from error
                case "InvalidRange" | "416":
                    raise ValueError(f"no byte of {key} lies in the range") from error
            raise
        size = answer["ContentLength"]
        if byte_range:
            size = int(answer["ContentRange"].rpartition("/")[2])
        chunks = self._chunks(answer["Body"])
        await anext(chunks)
        return Blob(size, chunks)

    async def _chunks(self, body: _Body) -> AsyncGenerator[bytes]:
        async with body:
            # For ``open`` to take: only a generator that has begun closes the body when closed.
            yield b""
            while True:
                async with asyncio.timeout(self.stall_seconds):
                    chunk = await body.read(CHUNK_BYTES)
                if not chunk:
                    return
                yield chunk


@contextmanager
def explaining(bucket: str, *, store: str) -> Iterator[None]:
    """Raise Misconfigured for what the client raises where a bucket cannot be used."""
    try:
        yield
    except (BotoCoreError, ClientError, TimeoutError, ValueError, RecursionError) as error:
        raise Misconfigured(_explain(error, bucket, store=store)) from error


def _header(byte_range: ByteRange) -> str:
    first, last = byte_range.first, byte_range.last
    if first < 0:
        return f"bytes={first}"
    if last is None:
        return f"bytes={first}-"
    if last < first:
        # A store ignores such a range and sends everything.
        raise ValueError(f"the range ends at {last}, before it begins at {first}")
    return f"bytes={first}-{last}"


def _add_md5(request: _Request, **_: object) -> None:
    """Add the digest that stores older than AWS's newer checksums demand of a batch."""
    md5 = hashlib.md5(request.body, usedforsecurity=False)
    request.headers["Content-MD5"] = base64.b64encode(md5.digest()).decode()


def _explain(error: Exception, bucket: str, *, store: str) -> str:
    match error:
        case NoCredentialsError() | PartialCredentialsError():
            sentence = f"There are no keys for {store}: set both the access key and the secret."
        case ClientError():
            sentence = _explain_status(
                error.response["ResponseMetadata"]["HTTPStatusCode"], bucket, store=store
            )
        case RecursionError():  # botocore follows a redirection that names no region for ever
            sentence = f"Requests are sent elsewhere by {store}: check http or https and region."
        case TimeoutError():
            sentence = f"No answer comes from {store}: check its address and the network."
        case _:
            reason = str(error).rstrip(".")
            sentence = f"Cannot use bucket {bucket!r} in {store}: {reason}. Check its settings."
    return sentence


def _explain_status(status: int, bucket: str, *, store: str) -> str:
    match status:
        case 404:
            return f"There is no bucket {bucket!r} in {store}: make it, or name another."
        case 400 | 401 | 403:
            return (
                f"These keys may not use bucket {bucket!r} in {store}: "
                "check the keys, what they allow, and the region."
            )
    return f"Status {status} is all that {store} answers: try again later."
