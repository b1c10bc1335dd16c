"""Sends searches to the running server of a library, over its GraphQL API."""

from __future__ import annotations

import asyncio
import json
from contextlib import closing
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from enum import Enum
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from domain.entities.queries import ByBlend, ByImage, BySearch, ByText, ByUpload
from domain.entities.uploads import Upload
from domain.errors import InvalidArgument
from graph.schema.spelling import camel_case, encode_id, snake_case

if TYPE_CHECKING:
    from collections.abc import Iterator

    from domain.entities.queries import SearchBy, SearchOptions, WeightedTerm
    from domain.errors import Location

TIMEOUT_SECONDS = 60.0
MAX_ANSWER_BYTES = 64 << 20

SEARCH = """
query Search(
  $by: ImageSearchBy!, $filter: ImageFilter, $ready: ImageFilter, $minRelevance: Float
  $collapse: Collapse!, $exact: Boolean!, $first: Int!
) {
  searchImages(
    by: $by, filter: $filter, minRelevance: $minRelevance
    collapse: $collapse, exact: $exact, first: $first
  ) {
    relevantCount
    edges { score relevance collapsedCount node { id url thumbnail: url(variant: THUMBNAIL) } }
    explain { exact }
  }
  matching: images(first: 0, filter: $ready) { totalCount }
  library: images(first: 0) { totalCount }
}
"""

CALLERS_ERRORS = {
    *("BAD_USER_INPUT", "NOT_FOUND", "UNSUPPORTED_FORMAT", "TOO_LARGE", "TOO_MANY_PIXELS"),
    "INVALID_CONTENT",
}
"""Codes of errors that are the caller's to correct. After others, another way may succeed."""

UPLOAD_ERRORS = CALLERS_ERRORS - {"BAD_USER_INPUT", "NOT_FOUND"}


class ServerFailed(Exception):  # noqa: N818 - named for what it says
    """The server cannot be asked, or did not answer the question."""


class UploadRefused(InvalidArgument):
    """The server refused the picture of the query."""


@dataclass(frozen=True, slots=True)
class ServerClient:
    """Asks one server, with the key of the settings where there is one."""

    url: str
    key: str | None = None

    async def search(self, by: SearchBy, options: SearchOptions, *, first: int) -> dict[str, Any]:
        """Return the data of the search. Raises ServerFailed, and InvalidArgument for a refusal."""
        variables: dict[str, object] = {
            "by": _query_input(by),
            "filter": _input(options.criteria),
            "ready": {**_input(options.criteria), "statusIn": ["READY"]},
            "minRelevance": options.min_relevance,
            "collapse": options.collapse.name,
            "exact": options.exact,
            "first": first,
        }
        answer = await self._post(variables)
        for error in answer.get("errors", ()):
            extensions = error.get("extensions") or {}
            if extensions.get("code") in UPLOAD_ERRORS:
                raise UploadRefused((), error["message"])
            if extensions.get("code") in CALLERS_ERRORS:
                raise InvalidArgument(_location_of(extensions.get("argument")), error["message"])
            raise ServerFailed(error.get("message"))
        data = answer.get("data")
        if not isinstance(data, dict):
            raise ServerFailed("no data")
        return data

    async def read(self, url: str) -> bytes:
        """Read a picture of the server. Raises ServerFailed."""
        return await asyncio.to_thread(self._request, "GET", urlsplit(url).path, None, {})

    async def _post(self, variables: dict[str, object]) -> dict[str, Any]:
        body, content_type = await _body({"query": SEARCH, "variables": variables})
        headers = {
            "Content-Type": content_type,
            "Accept": "application/json",
            "GraphQL-Require-Preflight": "1",
        }
        try:
            text = await asyncio.to_thread(self._request, "POST", "/graphql", body, headers)
            answer = json.loads(text)
        except ValueError as error:
            raise ServerFailed("no JSON") from error
        if not isinstance(answer, dict):
            raise ServerFailed("no object")
        return answer

    def _request(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> bytes:
        parts = urlsplit(self.url)
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        try:
            with closing(
                HTTPConnection(parts.hostname or "", parts.port, timeout=TIMEOUT_SECONDS)
            ) as connection:
                connection.request(method, path, body, headers)
                return _read(connection.getresponse())
        except (OSError, HTTPException) as error:
            raise ServerFailed(str(error)) from error


def _read(response: HTTPResponse) -> bytes:
    # Errors of GraphQL have these statuses, too; others are no answer to the question.
    if response.status not in {200, 400}:
        raise ServerFailed(f"status {response.status}")
    return response.read(MAX_ANSWER_BYTES)


def _query_input(by: SearchBy) -> dict[str, object]:
    match by:
        case ByText(text):
            return {"text": text}
        case ByUpload(upload):
            return {"image": upload}
        case ByImage(image_id):
            return {"imageId": encode_id(image_id)}
        case ByBlend(like, unlike):
            return {"blend": {"like": _terms(like), "unlike": _terms(unlike)}}
        case BySearch(search_id):
            return {"searchId": str(search_id)}


def _terms(terms: tuple[WeightedTerm, ...]) -> list[dict[str, object]]:
    return [{"term": _query_input(each.term), "weight": each.weight} for each in terms]


def _input(value: Any) -> Any:  # noqa: ANN401 - values of JSON
    """Return a value of the domain as an input of the API. Fields that are None are left out."""
    if is_dataclass(value):
        pairs = ((field.name, getattr(value, field.name)) for field in fields(value))
        return {camel_case(name): _input(each) for name, each in pairs if each is not None}
    if isinstance(value, tuple):
        return [_input(each) for each in value]
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, UUID):
        return encode_id(value)
    return value.isoformat() if isinstance(value, datetime) else value


def _location_of(argument: str | None) -> Location:
    parts = argument.removeprefix("by.").split(".") if argument else []
    return tuple(int(part) if part.isdigit() else snake_case(part) for part in parts)


async def _body(operation: dict[str, Any]) -> tuple[bytes, str]:
    """Return the body of a request and its type: JSON, or a form if pictures are sent."""
    uploads = list(_uploads(operation["variables"], "variables"))
    # A picture is null in the operation, and sent beside it.
    operations = json.dumps(operation, default=lambda _: None).encode()
    if not uploads:
        return operations, "application/json"
    boundary = uuid4().hex
    paths = {str(number): [path] for number, (path, _) in enumerate(uploads)}
    parts = [
        b'name="operations"\r\n\r\n' + operations,
        b'name="map"\r\n\r\n' + json.dumps(paths).encode(),
    ]
    for number, (_, upload) in enumerate(uploads):
        name = f'name="{number}"; filename="picture"\r\n\r\n'
        parts.append(name.encode() + await upload.read())
    head = f"--{boundary}\r\nContent-Disposition: form-data; ".encode()
    body = b"".join(head + part + b"\r\n" for part in parts)
    return body + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


def _uploads(value: object, path: str) -> Iterator[tuple[str, Upload]]:
    """Yield the pictures of an input with their paths in the operation."""
    if isinstance(value, Upload):
        yield path, value
    elif isinstance(value, dict):
        for name, each in value.items():
            yield from _uploads(each, f"{path}.{name}")
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _uploads(each, f"{path}.{index}")
