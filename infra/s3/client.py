"""A client of an S3-compatible object store, with retries, timeouts and readable errors."""

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
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol

# These packages have no types.
from aiobotocore.config import AioConfig  # type: ignore[import-untyped]
from aiobotocore.session import get_session  # type: ignore[import-untyped]
from botocore.exceptions import (  # type: ignore[import-untyped]
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    IncompleteReadError,
    MetadataRetrievalError,
    NoCredentialsError,
    PartialCredentialsError,
)
from botocore.exceptions import (
    ConnectionError as NoConnectionError,  # of no base with the one of Python
)
from botocore.handlers import add_expect_header  # type: ignore[import-untyped]
from botocore.parsers import ResponseParserError  # type: ignore[import-untyped]

from domain.concurrency import Capacity
from domain.entities.storage import Blob
from domain.errors import AccessRefused, BytesMissing, Misconfigured, Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterator

    from domain.entities.storage import ByteRange

CHUNK_BYTES = 256 * 1024
_CONNECT_TIMEOUT_SECONDS = 10
_MAX_REQUEST_ATTEMPTS = 4
_MAX_CONNECTIONS = 64
_MAX_READS = 48
"""How many objects are read at once. The other connections are left to all other calls: a reader
occupies its connection for as long as its client takes."""

_RESERVED_READS = 8
_MAX_READ_WAIT_SECONDS = 5.0
_TOO_MANY_READS = "Too many pictures are being read at the moment; try again in a moment."

STORE_IS_AWAY = "The server cannot use its object store at the moment; try again later."

OUTAGES = (
    *(CredentialRetrievalError, HTTPClientError, IncompleteReadError, MetadataRetrievalError),
    *(NoConnectionError, OSError, ResponseParserError, TimeoutError),
)
"""The exceptions of calls while the store, or the way to it, does not work."""

_TRANSIENT_CODES = {
    *("InternalError", "OperationAborted", "RequestTimeout", "ServiceUnavailable", "SlowDown"),
    *("Throttling", "ThrottlingException"),
}
"""Error codes of a store that can come with any HTTP status, also for one key of several."""


REFUSALS = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}

ARCHIVED = "InvalidObjectState"
"""The error code of an object that must be restored before it is read. Its status is 403."""


class Body(AbstractAsyncContextManager[object], Protocol):
    """The body of an object."""

    async def read(self, amount: int) -> bytes:
        """Return at most so many of the next bytes; none at the end."""


class _Request(Protocol):
    body: bytes
    headers: dict[str, str]


def new_reads() -> Capacity:
    """Return the capacity of a client for reading objects."""
    return Capacity(
        _MAX_READS,
        reserved=_RESERVED_READS,
        max_wait_seconds=_MAX_READ_WAIT_SECONDS,
        refusal=_TOO_MANY_READS,
    )


@contextmanager
def raising_outages() -> Iterator[None]:
    """Raise Unavailable for an outage of the store, retries included. Other errors pass."""
    try:
        yield
    except OUTAGES as error:
        raise Unavailable(STORE_IS_AWAY) from error
    except ClientError as error:
        response = error.response.get("ResponseMetadata", {})
        status = response.get("HTTPStatusCode", HTTPStatus.OK)
        is_transient = (
            error.response["Error"].get("Code") in _TRANSIENT_CODES
            or status >= HTTPStatus.INTERNAL_SERVER_ERROR
            or status == HTTPStatus.TOO_MANY_REQUESTS
        )
        if not is_transient:
            raise
        raise Unavailable(STORE_IS_AWAY) from error


@contextmanager
def raising_refused_access(bucket: str, *, store_name: str) -> Iterator[None]:
    """Raise AccessRefused where the store refuses the keys. Other errors pass."""
    try:
        yield
    except ClientError as error:
        code = error.response["Error"].get("Code")
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        if status not in REFUSALS or code == ARCHIVED:
            raise
        explanation = _sentence_for_status(status, bucket, store=store_name)
        raise AccessRefused(explanation) from error


async def read_body(body: Body, amount: int, *, timeout_seconds: float) -> bytes:
    """Read at most ``amount`` bytes of a body. Raises Unavailable where it breaks off or stalls."""
    try:
        async with asyncio.timeout(timeout_seconds):
            return await body.read(amount)
    except Exception as error:
        # The exceptions of a body depend on the HTTP client that aiobotocore uses.
        raise Unavailable(STORE_IS_AWAY) from error


@dataclass(frozen=True, slots=True)
class S3Client:
    """Reads objects, and raises Unavailable while the store does not work.

    botocore retries transient errors, with exponential backoff and jitter.
    """

    client: Any  # botocore generates the class at run time
    deadline_seconds: float
    read_timeout_seconds: float
    store_name: str = "the store"
    """The name of the store in error messages."""
    reads: Capacity = field(default_factory=new_reads)

    @classmethod
    @asynccontextmanager
    async def connect(  # noqa: PLR0913 - the options of a connection
        cls,
        *,
        endpoint_url: str | None = None,
        addressing_style: str | None = None,
        region: str | None = None,
        access_key_id: str | None = None,
        secret_access_key: str | None = None,
        deadline_seconds: float = 60,
        read_timeout_seconds: float = 20,
    ) -> AsyncIterator[S3Client]:
        """Open a client, and close it at the end. Sends no request yet.

        Without keys, AWS's credential chain applies: environment, profile, instance role. A call
        fails after ``deadline_seconds``, all retries included. Reading a body has no deadline, but
        each read fails after ``read_timeout_seconds`` without data.
        """
        config = AioConfig(
            connect_timeout=min(_CONNECT_TIMEOUT_SECONDS, deadline_seconds),
            read_timeout=read_timeout_seconds,
            max_pool_connections=_MAX_CONNECTIONS,
            # Presigned requests default to signature version 2, which AWS refuses.
            signature_version="s3v4",
            retries={"mode": "standard", "total_max_attempts": _MAX_REQUEST_ATTEMPTS},
            # The newer default adds a checksum trailer to bodies. Some other stores refuse it, and
            # some store it as data.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            s3={"addressing_style": addressing_style or ("path" if endpoint_url else "auto")},
        )
        store_name = f"the store at {endpoint_url}" if endpoint_url else "Amazon S3"
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
            # aiobotocore waits without a timeout for a "100 Continue" that some stores never send.
            client.meta.events.unregister("before-call.s3", add_expect_header)
            client.meta.events.register("before-sign.s3.DeleteObjects", _add_content_md5)
            yield cls(client, deadline_seconds, read_timeout_seconds, store_name)

    async def open(
        self,
        bucket: str,
        key: str,
        byte_range: ByteRange | None = None,
        *,
        etag: str | None = None,
    ) -> Blob:
        """Start reading an object; with an ``etag``, only that version of it.

        Raises BytesMissing, Unavailable, Overloaded, and ValueError for a range past the end. Where
        the store refuses the keys, Unavailable is AccessRefused.
        """
        conditions = {"Range": _range_header(byte_range)} if byte_range else {}
        if etag is not None:
            conditions["IfMatch"] = f'"{etag}"'
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self.reads.use())
            response = await self._get_object(bucket, key, conditions)
            await stack.enter_async_context(response["Body"])
            # Some stores ignore conditions.
            if etag is not None and response["ETag"].strip('"') != etag:
                raise BytesMissing(key)
            size = response["ContentLength"]
            if byte_range:
                size = int(response["ContentRange"].rpartition("/")[2])
            chunks = self._chunks(response["Body"], stack.pop_all())
            await anext(chunks)
            return Blob(size, chunks)

    async def _get_object(self, bucket: str, key: str, conditions: dict[str, str]) -> Any:  # noqa: ANN401 - botocore's
        try:
            with (
                raising_outages(),
                raising_refused_access(bucket, store_name=self.store_name),
            ):
                async with asyncio.timeout(self.deadline_seconds):
                    return await self.client.get_object(Bucket=bucket, Key=key, **conditions)
        except ClientError as error:
            match error.response["Error"]["Code"]:
                case "NoSuchKey" | "404" | "PreconditionFailed" | "412":
                    raise BytesMissing(key) from error
                case "InvalidRange" | "416":
                    raise ValueError(f"the range is beyond the end of {key}") from error
            raise

    async def _chunks(self, body: Body, resources: AsyncExitStack) -> AsyncGenerator[bytes]:
        async with resources:
            # ``open`` consumes this: only a started generator closes the body in ``aclose``.
            yield b""
            while True:
                chunk = await read_body(
                    body, CHUNK_BYTES, timeout_seconds=self.read_timeout_seconds
                )
                if not chunk:
                    return
                yield chunk


@contextmanager
def translating_errors(bucket: str, *, store_name: str) -> Iterator[None]:
    """Raise Misconfigured for an error of the client, with its cause and what to change."""
    try:
        yield
    except (BotoCoreError, ClientError, TimeoutError, ValueError, RecursionError) as error:
        raise Misconfigured(_sentence(error, bucket, store=store_name)) from error


def _range_header(byte_range: ByteRange) -> str:
    first, last = byte_range.first, byte_range.last
    if first < 0:
        return f"bytes={first}"
    if last is None:
        return f"bytes={first}-"
    if last < first:
        # Stores ignore an invalid range and send the whole object.
        raise ValueError(f"the range ends at {last}, before its first byte {first}")
    return f"bytes={first}-{last}"


def _add_content_md5(request: _Request, **_: object) -> None:
    """Add Content-MD5, which other stores require for DeleteObjects in place of a checksum."""
    md5 = hashlib.md5(request.body, usedforsecurity=False)
    request.headers["Content-MD5"] = base64.b64encode(md5.digest()).decode()


def _sentence(error: Exception, bucket: str, *, store: str) -> str:
    match error:
        case NoCredentialsError() | PartialCredentialsError():
            sentence = (
                f"There are no keys for {store}: set both PICTOGRAPH_S3_ACCESS_KEY_ID and "
                "PICTOGRAPH_S3_SECRET_ACCESS_KEY, or give keys as other programs of AWS read them."
            )
        case ClientError():
            sentence = _sentence_for_status(
                error.response["ResponseMetadata"]["HTTPStatusCode"], bucket, store=store
            )
        case RecursionError():  # botocore follows a redirect without a region recursively
            sentence = (
                f"Every request is redirected by {store}: check PICTOGRAPH_S3_REGION, and http or "
                "https in PICTOGRAPH_S3_ENDPOINT_URL."
            )
        case TimeoutError():
            sentence = f"There is no response from {store}: check PICTOGRAPH_S3_ENDPOINT_URL."
        case _:
            reason = str(error).rstrip(".")
            sentence = (
                f"Cannot use bucket {bucket!r} in {store}: {reason}. Check PICTOGRAPH_S3_BUCKET "
                "and PICTOGRAPH_S3_ENDPOINT_URL."
            )
    return sentence


def _sentence_for_status(status: int, bucket: str, *, store: str) -> str:
    match status:
        case 404:
            return (
                f"There is no bucket {bucket!r} in {store}: check its name. `pictograph migrate "
                "--create-bucket` creates the one that PICTOGRAPH_S3_BUCKET names."
            )
        case 400 | 401 | 403:
            return (
                f"These keys may not use bucket {bucket!r} in {store}: "
                "check PICTOGRAPH_S3_ACCESS_KEY_ID and PICTOGRAPH_S3_SECRET_ACCESS_KEY, "
                "or the keys of the environment, their permissions, and PICTOGRAPH_S3_REGION."
            )
    return f"Requests fail with status {status} from {store}: try again later."
