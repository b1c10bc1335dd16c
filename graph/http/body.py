"""Reading a request: bounded while it streams in, and refused in one sentence when malformed."""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Mapping
from http import HTTPStatus
from typing import Any

from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from domain.entities.uploads import Upload

PREFLIGHT = ("apollo-require-preflight", "x-apollo-operation-name", "graphql-require-preflight")
"""A browser asks before it sends one of these to another origin; a plain form cannot."""


# Python knows charsets that decode to no text at all.
_OTHER_CHARSET = re.compile(r"charset\s*=\s*\"?(?!utf-?8\b)", re.IGNORECASE)


def bad_request(message: str) -> HTTPException:
    """Return the refusal of something malformed."""
    return HTTPException(HTTPStatus.BAD_REQUEST, message)


async def bounded(request: Request, *, limit: int, idle: float) -> AsyncGenerator[bytes]:
    """Yield the body. Raises HTTPException past ``limit`` bytes or ``idle`` seconds."""
    too_large = HTTPException(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"The request has more than {limit:,} bytes; send less at once.",
    )
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and len(announced) < len(str(2**63)) and int(announced) > limit:
        raise too_large
    received = 0
    chunks = request.stream()
    while True:
        try:
            async with asyncio.timeout(idle):
                chunk = await anext(chunks)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise HTTPException(
                HTTPStatus.REQUEST_TIMEOUT, f"Nothing came for {idle:g} s; send it again."
            ) from None
        received += len(chunk)
        if received > limit:
            raise too_large
        yield chunk


def parsed_json(data: str | bytes) -> Any:  # noqa: ANN401 - JSON of a client
    """Parse JSON strictly. Raises json.JSONDecodeError for everything that it cannot be."""
    try:
        value = json.loads(data, parse_constant=_no_constant)
        if (b"\\u" if isinstance(data, bytes) else "\\u") in data:  # type: ignore[operator]
            # Half a surrogate pair is no text that anything behind this could store.
            json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError:
        raise
    except (ValueError, RecursionError):
        raise json.JSONDecodeError("no JSON that can be read", "", 0) from None
    return value


def _no_constant(name: str) -> None:
    raise ValueError(name)


class _File:
    """A file of a form. It may stand in several places of a query, so reading rewinds it."""

    def __init__(self, upload: UploadFile) -> None:
        self._upload = upload
        self._turn = asyncio.Lock()

    async def read(self) -> bytes:
        async with self._turn:
            await self._upload.seek(0)
            return await self._upload.read()


class Form(MultiPartParser):
    """Starlette's parser; of a file that is too large anyway, it only keeps count."""

    spool_max_size = 64 * 1024

    def __init__(self, request: Request, stream: AsyncGenerator[bytes], *, keep: int) -> None:
        super().__init__(request.headers, stream)
        self._keep = keep

    def on_headers_finished(self) -> None:
        """Bound a file that begins."""
        super().on_headers_finished()
        file = self._current_part.file
        if file is not None:
            self._current_part.file = Bounded(
                file.file, size=0, filename=file.filename, headers=file.headers
            )
            self._current_part.file.keep = self._keep

    async def parse(self) -> FormData:
        """Read to the end. Raises HTTPException for what cannot be read."""
        if _OTHER_CHARSET.search(self.headers.get("content-type", "")):
            raise bad_request("A multipart request is in UTF-8; leave the charset out.")
        try:
            return await super().parse()
        except MultiPartException as error:
            raise bad_request(f"The multipart body cannot be read: {error.message}") from None


class Bounded(UploadFile):
    """A file of which no more than ``keep`` bytes are kept, and one."""

    keep = 0

    async def write(self, data: bytes) -> None:
        """Count all of it, and keep what there is room for."""
        before = self.size or 0
        await super().write(data[: max(0, self.keep + 1 - before)])
        self.size = before + len(data)


async def read_form(request: Request, stream: AsyncGenerator[bytes], *, keep: int) -> FormData:
    """Read a form. Of each file, ``keep`` bytes are kept; its size is counted to the end."""
    if not any(request.headers.get(name) for name in PREFLIGHT):
        raise bad_request(
            "A multipart request needs the header “GraphQL-Require-Preflight: 1”, so that no "
            "other site's form can send it."
        )
    return await Form(request, stream, keep=keep).parse()


def operations_of(form: FormData) -> dict[str, Any]:
    """Put the files of a form where its map says. Raises HTTPException for every other shape."""
    operations, places = (_json_field(form, name) for name in ("operations", "map"))
    files = {
        name: Upload(part.filename or "", part.size or 0, _File(part).read)
        for name, part in form.multi_items()
        if isinstance(part, UploadFile)
    }
    for name, paths in places.items():
        if name not in files:
            raise bad_request(f"The map names the file “{name:.40}”, which is not in the form.")
        if not isinstance(paths, list):
            raise bad_request("Each entry of the map is a list of paths.")
        for path in paths:
            _put(operations, path, files[name])
    return operations


def _json_field(form: FormData, name: str) -> dict[str, Any]:
    text = form.get(name)
    if not isinstance(text, str):
        raise bad_request(f"The form lacks the field “{name}”.")
    try:
        value = parsed_json(text)
    except json.JSONDecodeError:
        raise bad_request(f"The field “{name}” is no JSON.") from None
    if not isinstance(value, dict):
        raise bad_request(f"The field “{name}” is no JSON object.")
    return value


def _put(operations: dict[str, Any], path: object, upload: Upload) -> None:
    """Put a file where a null is waiting for it."""
    try:
        *parents, last = str(path).split(".")
        target: Any = operations
        for key in parents:
            target = target[_key(target, key)]
        if parents[0] == "variables" and target[_key(target, last)] is None:
            target[_key(target, last)] = upload
            return
    except (KeyError, IndexError, ValueError, TypeError):
        pass
    raise bad_request(f"The map's path “{path!s:.100}” leads to no null in the variables.")


def _key(target: object, key: str) -> str | int:
    return int(key) if isinstance(target, list) and key.isdecimal() else key


def checked(data: object) -> Mapping[str, Any]:
    """Return what GraphQL over HTTP calls the parameters. Raises HTTPException."""
    if isinstance(data, list):
        raise bad_request("Batches are not answered; send one operation a request.")
    if not isinstance(data, dict):
        raise bad_request("The request is no JSON object.")
    query = data.get("query")
    if not isinstance(query, str) or not query.strip():
        raise bad_request("The request has no `query`, which is a string with an operation.")
    for name, kind in (("variables", dict), ("operationName", str), ("extensions", dict)):
        if not isinstance(data.get(name), kind | None):
            raise bad_request(
                f"`{name}` is neither {'text' if kind is str else 'an object'} nor null."
            )
    return data
