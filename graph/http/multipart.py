"""The GraphQL multipart request specification: files in forms, protected against CSRF."""

import asyncio
import errno
import json
import re
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from domain.entities.uploads import Upload
from domain.errors import TooManyFiles, Unavailable
from graph.http.body import bad_request, parse_json

MULTIPART = "multipart/form-data"

PREFLIGHT_HEADERS = (
    "apollo-require-preflight",
    "x-apollo-operation-name",
    "graphql-require-preflight",
)
"""Headers that a plain form cannot send, and a script of another origin only after a preflight."""

MAX_OPERATION_FIELDS = 4
MAX_OPERATION_FIELD_BYTES = 256 * 1024
"""Enough for the longest query with its variables. Fields are held in memory."""

MAX_FILE_PARTS = 200
"""The most files of a form. More than the server accepts are counted, and not stored."""

STORE_NOTHING = -1
"""A cap for ``CappedFile``, which stores one byte more than its cap."""

DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS}
"""What writing a temporary file may fail with, by no fault of the request."""

# Some of Python's charsets decode bytes to bytes. The possessive quantifiers do not backtrack, so
# they pass neither a space nor a quotation mark to the lookahead.
_OTHER_CHARSET = re.compile(r"charset\s*+=\s*+\"?+(?!utf-?8\b)", re.IGNORECASE)


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
        """Parse the whole form. Raises HTTPException for a malformed one, and Unavailable."""
        if _OTHER_CHARSET.search(self.headers.get("content-type", "")):
            raise bad_request(
                "The charset of the multipart request is not UTF-8; leave out the charset."
            )
        try:
            return await super().parse()
        except MultiPartException as error:
            raise bad_request(f"The multipart body cannot be read: {error.message}") from None
        except OSError as error:
            if error.errno not in DISK_ERRORS:
                raise
            raise Unavailable(
                "The server's disk for temporary files is full or does not work, so no file can "
                "be received; try again later."
            ) from error


class _FormFile:
    """The bytes of a file. It may be used by several variables, so each read rewinds it."""

    def __init__(self, upload: UploadFile) -> None:
        self._upload = upload
        self._lock = asyncio.Lock()

    async def read(self) -> bytes:
        async with self._lock:
            await self._upload.seek(0)
            data = await self._upload.read()
        if len(data) != self._upload.size:
            raise TooManyFiles("The request has too many files; send fewer at once.")
        return data


@dataclass(frozen=True, slots=True)
class FormLimits:
    """What is stored of the files of a form."""

    max_file_bytes: int
    """Of a larger file, this many bytes are stored and one more."""
    max_files: int
    """Of more files, the first are stored."""
    may_store: Callable[[Mapping[str, str]], bool]
    """Tells from the fields whether the operation may use its files. Called once."""


class OperationFormParser(FormParser):
    """Reads the files of an operation, and stores nothing of them where it may not use them.

    Such a form is read to the end: clients do not read a response while they send.
    """

    def __init__(
        self, request: Request, stream: AsyncGenerator[bytes], *, limits: FormLimits
    ) -> None:
        super().__init__(request, stream, max_file_bytes=STORE_NOTHING)
        self.max_fields, self.max_part_size = MAX_OPERATION_FIELDS, MAX_OPERATION_FIELD_BYTES
        self.max_files = MAX_FILE_PARTS
        self._limits = limits
        self._may_store: bool | None = None

    def on_headers_finished(self) -> None:
        """Decide whether a file that begins is stored."""
        super().on_headers_finished()
        file = self._current_part.file
        if not isinstance(file, CappedFile):
            return
        if self._may_store is None:
            fields = {name: value for name, value in self.items if isinstance(value, str)}
            if not {"operations", "map"} <= fields.keys():
                message = "send the fields `operations` and `map` before the files"
                raise MultiPartException(message)
            self._may_store = self._limits.may_store(fields)
        if self._may_store and self._current_files <= self._limits.max_files:
            file.max_bytes = self._limits.max_file_bytes


async def read_form(
    request: Request, stream: AsyncGenerator[bytes], *, limits: FormLimits
) -> FormData:
    """Read a form. Of larger files a part is stored, with their whole size counted.

    Raises HTTPException.
    """
    return await OperationFormParser(request, stream, limits=limits).parse()


def demand_preflight(request: Request) -> None:
    """Raise HTTPException for a request without one of PREFLIGHT_HEADERS."""
    if not any(request.headers.get(name) for name in PREFLIGHT_HEADERS):
        raise bad_request(
            "A multipart request needs the header “GraphQL-Require-Preflight: 1”, which protects "
            "against forms of other sites (CSRF)."
        )


def operations_of(form: FormData) -> dict[str, Any]:
    """Return the operations with the files in place of their nulls. Raises HTTPException."""
    operations, file_map = (json_field(form, name) for name in ("operations", "map"))
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


def json_field(form: Mapping[str, object], name: str) -> dict[str, Any]:
    """Return the object in a field. Raises HTTPException."""
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
