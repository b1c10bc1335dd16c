"""``GET /images/{id}/{variant}``: the bytes of images, streamed, cached, with ranges."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import quote
from uuid import UUID

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from domain import UseCases
from domain.entities.images import RENDITION_CONTENT_TYPE, Image, Variant
from domain.entities.keys import Scope
from domain.entities.storage import Blob, ByteRange
from domain.errors import ImageNotFound, Unauthorized
from domain.use_cases.access import demand
from graph.http.auth import key_of, unauthenticated
from graph.http.etags import is_cached

if TYPE_CHECKING:
    from starlette.types import Receive, Send
    from starlette.types import Scope as AsgiScope

YEAR_SECONDS = 31_536_000
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
            blob = await self.current_use_cases().read(image, variant, byte_range=byte_range)
        except ImageNotFound as refusal:
            raise HTTPException(HTTPStatus.NOT_FOUND, refusal.message) from None
        except ValueError:
            return await self._unsatisfiable(image, variant, headers)
        return _BlobResponse.of(blob, byte_range, headers)

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
        visibility = "public" if self.current_use_cases().authenticate.public_reading else "private"
        return {
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
        common = {name: headers[name] for name in ("ETag", "Accept-Ranges")}
        return Response(
            status_code=HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
            headers={**common, "Content-Range": f"bytes */{blob.size}"},
        )


class _BlobResponse(StreamingResponse):
    """Streams a blob, and closes it also when the client disconnects."""

    blob: Blob

    @classmethod
    def of(
        cls, blob: Blob, byte_range: ByteRange | None, headers: dict[str, str]
    ) -> "_BlobResponse":
        first, count = byte_range.within(blob.size) if byte_range else (0, blob.size)
        headers = {**headers, "Content-Length": str(count)}
        if byte_range:
            headers["Content-Range"] = f"bytes {first}-{first + count - 1}/{blob.size}"
        status = HTTPStatus.PARTIAL_CONTENT if byte_range else HTTPStatus.OK
        response = cls(blob.chunks, status_code=status, headers=headers)
        response.blob = blob
        return response

    async def __call__(self, scope: "AsgiScope", receive: "Receive", send: "Send") -> None:
        try:
            if scope["method"] == "HEAD":
                await Response(status_code=self.status_code, headers=dict(self.headers))(
                    scope, receive, send
                )
            else:
                await super().__call__(scope, receive, send)
        finally:
            await self.blob.chunks.aclose()


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
    name = image.filename
    if variant is not Variant.ORIGINAL:
        name = f"{name.rpartition('.')[0] or name}-{variant.value}.webp"
    plain = re.sub(r"[^ !#-\[\]-~]", "_", name)
    kind = "attachment" if download else "inline"
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def _not_found(request: Request) -> HTTPException:
    return HTTPException(
        HTTPStatus.NOT_FOUND, f"There is no image at {request.scope['path']:.100}."
    )
