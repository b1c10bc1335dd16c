"""Request bodies: size and idle limits, strict JSON, and the parameters of GraphQL over HTTP."""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from http import HTTPStatus
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request


def bad_request(message: str) -> HTTPException:
    """Return a 400."""
    return HTTPException(HTTPStatus.BAD_REQUEST, message)


async def limited_body(
    request: Request, *, max_bytes: int, idle_seconds: float
) -> AsyncGenerator[bytes]:
    """Yield the body. Raises HTTPException past ``max_bytes``, and when no data comes in time."""
    too_large = HTTPException(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"The request has more than {max_bytes:,} bytes; send less in one request.",
    )
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and len(declared) < len(str(2**63)) and int(declared) > max_bytes:
        raise too_large
    received = 0
    chunks = request.stream()
    while True:
        try:
            async with asyncio.timeout(idle_seconds):
                chunk = await anext(chunks)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise HTTPException(
                HTTPStatus.REQUEST_TIMEOUT,
                f"No data was received for {idle_seconds:g} s; send the request again.",
            ) from None
        received += len(chunk)
        if received > max_bytes:
            raise too_large
        yield chunk


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
    query = data.get("query")
    if not isinstance(query, str) or not query.strip():
        raise bad_request("The request has no `query`; send a string with an operation.")
    for name, kind in (("variables", dict), ("operationName", str), ("extensions", dict)):
        if not isinstance(data.get(name), kind | None):
            expected = "a string" if kind is str else "an object"
            raise bad_request(f"`{name}` is neither {expected} nor null.")
    return data
