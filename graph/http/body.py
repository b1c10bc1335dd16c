"""Request bodies: size and idle limits, strict JSON, and the parameters of GraphQL over HTTP."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request

from graph.http.responses import CodedHTTPException
from graph.schema.codes import ErrorCode


def bad_request(message: str) -> HTTPException:
    """Return a 400."""
    return HTTPException(HTTPStatus.BAD_REQUEST, message)


@dataclass(frozen=True, slots=True)
class Pace:
    """The slowest pace at which a client may send or take a body."""

    idle_seconds: float = 30
    """How long a body may pause."""
    min_bytes_per_second: int = 4096
    """The lowest average rate, once a client was waited for ``idle_seconds`` in all."""

    def is_kept(self, count: int, seconds: float) -> bool:
        """Tell whether ``count`` bytes are enough for so many seconds of waiting."""
        return seconds <= self.idle_seconds or count >= seconds * self.min_bytes_per_second


async def limited_body(request: Request, *, max_bytes: int, pace: Pace) -> AsyncGenerator[bytes]:
    """Yield the body. Raises HTTPException past ``max_bytes``, and for a slow client."""
    too_large = HTTPException(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"The request has more than {max_bytes:,} bytes; send less in one request.",
    )
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and len(declared) < len(str(2**63)) and int(declared) > max_bytes:
        raise too_large
    received, waited = 0, 0.0
    chunks = request.stream()
    while True:
        began = time.monotonic()
        try:
            async with asyncio.timeout(pace.idle_seconds):
                chunk = await anext(chunks)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise _too_slow(f"No data was received for {pace.idle_seconds:g} s") from None
        waited += time.monotonic() - began
        received += len(chunk)
        if received > max_bytes:
            raise too_large
        if not pace.is_kept(received, waited):
            raise _too_slow(f"Less than {pace.min_bytes_per_second:,} bytes came in a second")
        yield chunk


def _too_slow(reason: str) -> HTTPException:
    return HTTPException(HTTPStatus.REQUEST_TIMEOUT, f"{reason}; send the request again.")


def parse_json(data: str | bytes) -> Any:  # noqa: ANN401 - JSON of a client
    """Parse JSON without NaN and lone surrogates. Raises only json.JSONDecodeError."""
    try:
        value = json.loads(data, parse_constant=_refuse_constant)
        if (b"\\u" if isinstance(data, bytes) else "\\u") in data:  # type: ignore[operator]
            # Lone surrogates cannot be encoded, so neither storage nor responses could hold them.
            json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError:
        raise
    except (ValueError, RecursionError):
        raise json.JSONDecodeError("not valid JSON", "", 0) from None
    return value


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def graphql_params(data: object) -> Mapping[str, Any]:
    """Return the parameters of GraphQL over HTTP. Raises HTTPException for malformed ones."""
    if isinstance(data, list):
        raise bad_request("Batches are not supported; send one operation in each request.")
    if not isinstance(data, dict):
        raise bad_request("The request is not a JSON object; send one with the key `query`.")
    query, extensions = data.get("query"), data.get("extensions")
    if query is None and isinstance(extensions, dict) and "persistedQuery" in extensions:
        # Clients that begin with the hash of a query then send the whole query (Apollo's protocol).
        raise CodedHTTPException(
            HTTPStatus.OK, "PersistedQueryNotSupported", ErrorCode.PERSISTED_QUERY_NOT_SUPPORTED
        )
    if not isinstance(query, str) or not query.strip():
        raise bad_request("The request has no `query`; send a string with an operation.")
    for name, kind in (("variables", dict), ("operationName", str), ("extensions", dict)):
        if not isinstance(data.get(name), kind | None):
            expected = "a string" if kind is str else "an object"
            raise bad_request(f"`{name}` is neither {expected} nor null.")
    return data
