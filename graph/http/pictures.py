"""``GET /images/{id}/{variant}``: the bytes of images, streamed, cached, with ranges."""

import re
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import quote
from uuid import UUID

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from domain import UseCases
from domain.entities.images import RENDITION_CONTENT_TYPE, Image, Variant
from domain.entities.keys import Scope
from domain.entities.storage import ByteRange
from domain.errors import ImageNotFound, ImageProcessing, Unauthorized
from domain.use_cases.access import demand
from domain.use_cases.library.read import read_all
from graph.http.auth import key_of, unauthenticated
from graph.http.cors import ANY_ORIGIN
from graph.http.etags import is_cached
from graph.http.responses import retry_later_response

PIECE_BYTES = 512 * 1024
"""How much of a picture is read at once. Most renditions are smaller.

A slow client occupies this much memory, and neither a connection to S3 nor an open file.
"""

YEAR_SECONDS = 31_536_000
_FILENAME_EXTENSIONS = {
    "image/jpeg": ("jpg", "jpeg", "jpe", "jfif"),
    "image/png": ("png", "apng"),
    "image/webp": ("webp",),
    "image/gif": ("gif",),
    "image/tiff": ("tif", "tiff"),
    "image/bmp": ("bmp", "dib"),
    "image/avif": ("avif", "avifs"),
    "image/heic": ("heic", "heif", "hif"),
    "image/x-adobe-dng": ("dng",),
    "image/x-canon-cr2": ("cr2",),
    "image/x-canon-cr3": ("cr3",),
    "image/x-nikon-nef": ("nef", "nrw"),
    "image/x-sony-arw": ("arw", "sr2", "srf"),
    "image/x-fuji-raf": ("raf",),
    "image/x-olympus-orf": ("orf",),
}
_KNOWN_EXTENSIONS = frozenset(
    each for extensions in _FILENAME_EXTENSIONS.values() for each in extensions
)
_RANGE = re.compile(r"bytes=(?:(\d{1,18})-(\d{1,18})?|-(\d{1,18}))")


@dataclass(frozen=True, slots=True)
class PictureEndpoint:
    """Serves a variant of an image.

    The bytes of a variant never change, except those of an original outside the library: other
    programs may rewrite its metadata.
    """

    current_use_cases: Callable[[], UseCases]

    async def respond(self, request: Request) -> Response:
        """Answer with the bytes, a range of them, or 304."""
        await self._authorize(request)
        image, variant = await self._requested(request)
        headers = self._headers(image, variant, download="download" in request.query_params)
        if is_cached(request.headers.get("if-none-match"), headers["ETag"]):
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
        byte_range = _range_of(request, headers["ETag"])
        try:
            picture = await self._open(image, variant, byte_range, head=request.method == "HEAD")
        except ImageProcessing as refusal:
            return retry_later_response(refusal)
        except ImageNotFound as refusal:
            raise HTTPException(HTTPStatus.NOT_FOUND, refusal.message) from None
        except ValueError:
            return await self._unsatisfiable(image, variant, headers)
        headers["Content-Length"] = str(picture.count)
        if byte_range:
            last = picture.first + picture.count - 1
            headers["Content-Range"] = f"bytes {picture.first}-{last}/{picture.size}"
        status = HTTPStatus.PARTIAL_CONTENT if byte_range else HTTPStatus.OK
        if request.method == "HEAD":
            return Response(status_code=status, headers=headers)
        return StreamingResponse(
            self._pieces(image, variant, picture), status_code=status, headers=headers
        )

    async def _open(
        self, image: Image, variant: Variant, byte_range: ByteRange | None, *, head: bool
    ) -> "_Picture":
        """Read the first piece.

        Raises ImageNotFound, ImageProcessing, and ValueError for a range past the end.
        """
        wanted = byte_range or ByteRange(0)
        most = 1 if head else PIECE_BYTES
        if wanted.first < -most:
            # How far a suffix is from the start is known only once the size is.
            whole = await self.current_use_cases().read(image, variant, byte_range=wanted)
            await whole.chunks.aclose()
            wanted = ByteRange(wanted.within(whole.size)[0])
        last = None if wanted.first < 0 else wanted.first + most - 1
        if last is not None and wanted.last is not None:
            last = min(last, wanted.last)
        read = self.current_use_cases().read
        blob = await read(image, variant, byte_range=ByteRange(wanted.first, last))
        piece = await read_all(blob)
        first, count = wanted.within(blob.size)
        return _Picture(blob.size, first, count, piece)

    async def _pieces(
        self, image: Image, variant: Variant, picture: "_Picture"
    ) -> AsyncGenerator[bytes]:
        """Yield pieces of the bytes. While a client takes one, nothing is open."""
        yield picture.piece
        position, end = picture.first + len(picture.piece), picture.first + picture.count
        while position < end:
            piece_range = ByteRange(position, min(position + PIECE_BYTES, end) - 1)
            read = self.current_use_cases().read
            piece = await read_all(await read(image, variant, byte_range=piece_range))
            yield piece
            position += len(piece)

    async def _authorize(self, request: Request) -> None:
        """Raise HTTPException where the caller lacks the scope READ."""
        try:
            key = key_of(request.headers.get("authorization"))
            caller = await self.current_use_cases().authenticate(key)
            demand(caller, Scope.READ)
        except Unauthorized as refusal:
            raise unauthenticated(refusal.message) from None

    async def _requested(self, request: Request) -> tuple[Image, Variant]:
        try:
            image_id = UUID(request.path_params["id"])
            variant = Variant(request.path_params["variant"])
            image = (await self.current_use_cases().get([image_id])).get(image_id)
        except ValueError:
            image = None
        if image is None:
            raise _not_found(request)
        return image, variant

    def _headers(self, image: Image, variant: Variant, *, download: bool) -> dict[str, str]:
        is_original = variant is Variant.ORIGINAL
        is_public = self.current_use_cases().authenticate.public_reading
        visibility = "public" if is_public else "private"
        # The same for all origins, since a cache may ignore Vary. Others can embed pictures anyway;
        # so their scripts can also draw them. The address cannot be guessed.
        readable = {"Access-Control-Allow-Origin": ANY_ORIGIN} if is_public else {}
        return {
            **readable,
            "Content-Type": image.content_type if is_original else RENDITION_CONTENT_TYPE,
            "Content-Disposition": _disposition(image, variant, download=download),
            "ETag": f'"{image.sha256}-{variant.value}"',
            "Accept-Ranges": "bytes",
            "Cache-Control": f"{visibility}, {_lifetime(image, variant)}",
            "X-Content-Type-Options": "nosniff",
            # An original may be a polyglot file: nothing in it may run or load anything.
            "Content-Security-Policy": "default-src 'none'; sandbox",
            "Cross-Origin-Resource-Policy": "cross-origin",
        }

    async def _unsatisfiable(
        self, image: Image, variant: Variant, headers: dict[str, str]
    ) -> Response:
        blob = await self.current_use_cases().read(image, variant)
        await blob.chunks.aclose()
        about_bytes = {"Content-Type", "Content-Disposition", "Cache-Control"}
        common = {name: value for name, value in headers.items() if name not in about_bytes}
        return Response(
            status_code=HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
            headers={**common, "Content-Range": f"bytes */{blob.size}"},
        )


@dataclass(frozen=True, slots=True)
class _Picture:
    """The bytes of a response: where they are in the object, and the first piece of them."""

    size: int
    first: int
    count: int
    piece: bytes


def _range_of(request: Request, etag: str) -> ByteRange | None:
    """Return the requested range; None where the whole is sent, as for several ranges."""
    match = _RANGE.fullmatch(request.headers.get("range", "").strip())
    if not match or request.headers.get("if-range", etag) != etag:
        return None
    first, last, suffix = match.groups()
    if suffix is not None:
        # The last 0 bytes cannot be satisfied: return a range past the end of every file.
        return ByteRange(-int(suffix)) if int(suffix) else ByteRange(10**18)
    if last is not None and int(last) < int(first):
        return None
    return ByteRange(int(first), None if last is None else int(last))


def _lifetime(image: Image, variant: Variant) -> str:
    if variant is Variant.ORIGINAL and image.source is not None:
        return "no-cache"
    return f"max-age={YEAR_SECONDS}, immutable"


def _disposition(image: Image, variant: Variant, *, download: bool) -> str:
    name = _fitting_name(image)
    if variant is not Variant.ORIGINAL:
        name = f"{name.rpartition('.')[0] or name}-{variant.value}.webp"
    plain = re.sub(r"[^ !#-\[\]-~]", "_", name)
    kind = "attachment" if download else "inline"
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def _fitting_name(image: Image) -> str:
    """Return the file name with an extension of the bytes' media type."""
    extensions = _FILENAME_EXTENSIONS.get(image.content_type)
    stem, dot, extension = image.filename.rpartition(".")
    if extensions is None or (dot and extension.lower() in extensions):
        return image.filename
    is_of_another_type = dot and extension.lower() in _KNOWN_EXTENSIONS
    return f"{stem if is_of_another_type else image.filename}.{extensions[0]}"


def _not_found(request: Request) -> HTTPException:
    return HTTPException(
        HTTPStatus.NOT_FOUND, f"There is no image at {request.scope['path']:.100}."
    )
