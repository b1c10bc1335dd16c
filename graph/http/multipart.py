"""The GraphQL multipart request specification: files in forms, protected against CSRF."""

import asyncio
import json
import re
from collections.abc import AsyncGenerator
from typing import Any

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from domain.entities.uploads import Upload
from graph.http.body import bad_request, parse_json

MULTIPART = "multipart/form-data"

PREFLIGHT_HEADERS = (
    "apollo-require-preflight",
    "x-apollo-operation-name",
    "graphql-require-preflight",
)
"""Headers that a plain form cannot send, and a script of another origin only after a preflight."""

# Some of Python's charsets decode bytes to bytes.
_OTHER_CHARSET = re.compile(r"charset\s*=\s*\"?(?!utf-?8\b)", re.IGNORECASE)


class CappedFile(UploadFile):
    """A file that counts all bytes and stores ``max_bytes`` of them, and one more."""

    max_bytes = 0

    async def write(self, data: bytes) -> None:
        """Count the bytes, and store those up to the cap."""
        before = self.size or 0
        await super().write(data[: max(0, self.max_bytes + 1 - before)])
        self.size = before + len(data)


class FormParser(MultiPartParser):
    """Starlette's parser with a cap on the stored bytes of each file."""

    spool_max_size = 64 * 1024

    def __init__(
        self, request: Request, stream: AsyncGenerator[bytes], *, max_file_bytes: int
    ) -> None:
        super().__init__(request.headers, stream)
        self._max_file_bytes = max_file_bytes

    def on_headers_finished(self) -> None:
        """Replace a file that begins by a capped one."""
        super().on_headers_finished()
        file = self._current_part.file
        if file is not None:
            self._current_part.file = CappedFile(
                file.file, size=0, filename=file.filename, headers=file.headers
            )
            self._current_part.file.max_bytes = self._max_file_bytes

    async def parse(self) -> FormData:
        """Parse the whole form. Raises HTTPException for a malformed one."""
        if _OTHER_CHARSET.search(self.headers.get("content-type", "")):
            raise bad_request(
                "The charset of the multipart request is not UTF-8; leave out the charset."
            )
        try:
            return await super().parse()
        except MultiPartException as error:
            raise bad_request(f"The multipart body cannot be read: {error.message}") from None


class _FormFile:
    """The bytes of a file. It may be used by several variables, so each read rewinds it."""

    def __init__(self, upload: UploadFile) -> None:
        self._upload = upload
        self._lock = asyncio.Lock()

    async def read(self) -> bytes:
        async with self._lock:
            await self._upload.seek(0)
            return await self._upload.read()


async def read_form(
    request: Request, stream: AsyncGenerator[bytes], *, max_file_bytes: int
) -> FormData:
    """Read a form of which larger files are truncated, with their whole size counted.

    Raises HTTPException, also without one of PREFLIGHT_HEADERS.
    """
    if not any(request.headers.get(name) for name in PREFLIGHT_HEADERS):
        raise bad_request(
            "A multipart request needs the header “GraphQL-Require-Preflight: 1”, which protects "
            "against forms of other sites (CSRF)."
        )
    return await FormParser(request, stream, max_file_bytes=max_file_bytes).parse()


def operations_of(form: FormData) -> dict[str, Any]:
    """Return the operations with the files in place of their nulls. Raises HTTPException."""
    operations, file_map = (_json_field(form, name) for name in ("operations", "map"))
    files = {
        name: Upload(part.filename or "", part.size or 0, _FormFile(part).read)
        for name, part in form.multi_items()
        if isinstance(part, UploadFile)
    }
    for name, paths in file_map.items():
        if name not in files:
            raise bad_request(f"The map names the file “{name:.40}”, which the form does not have.")
        if not isinstance(paths, list):
            raise bad_request(f"The map's entry “{name:.40}” is not a list of paths.")
        for path in paths:
            _insert(operations, path, files[name])
    return operations


def _json_field(form: FormData, name: str) -> dict[str, Any]:
    text = form.get(name)
    if not isinstance(text, str):
        raise bad_request(f"The form has no field “{name}”; send it before the files.")
    try:
        value = parse_json(text)
    except json.JSONDecodeError:
        raise bad_request(f"The field “{name}” is not valid JSON.") from None
    if not isinstance(value, dict):
        raise bad_request(f"The field “{name}” is not a JSON object.")
    return value


def _insert(operations: dict[str, Any], path: object, upload: Upload) -> None:
    """Replace the null at a path by a file. Raises HTTPException where there is no null."""
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
    raise bad_request(f"The map's path “{path!s:.100}” does not lead to a null in the variables.")


def _key(target: object, key: str) -> str | int:
    return int(key) if isinstance(target, list) and key.isdecimal() else key
