"""The bytes of images over HTTP: streamed, cacheable for ever, in ranges."""

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

if TYPE_CHECKING:
    from starlette.types import Receive, Send
    from starlette.types import Scope as AsgiScope

YEAR = 31_536_000
_RANGE = re.compile(r"bytes=(?:(\d{1,18})-(\d{1,18})?|-(\d{1,18}))")


@dataclass(frozen=True, slots=True)
class Pictures:
    """``/images/{id}/{variant}``. An image never changes, so neither does an answer."""

    current: Callable[[], UseCases]

    async def answer(self, request: Request) -> Response:
        """Answer with the bytes, with a part of them, or that the client has them."""
        await self._admit(request)
        image, variant = await self._wanted(request)
        headers = self._headers(image, variant, download="download" in request.query_params)
        if matches(request.headers.get("if-none-match"), headers["ETag"]):
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
        wanted = _range_of(request, headers["ETag"])
        try:
            blob = await self.current().read(image, variant, byte_range=wanted)
        except ImageNotFound as missing:
            raise HTTPException(HTTPStatus.NOT_FOUND, missing.message) from None
        except ValueError:
            return await self._unsatisfiable(image, variant, headers)
        return _Streamed.of(blob, wanted, headers)

    async def _admit(self, request: Request) -> None:
        """Raise HTTPException for one who may not read."""
        try:
            caller = await self.current().authenticate(key_of(request.headers.get("authorization")))
            demand(caller, Scope.READ)
        except Unauthorized as refusal:
            raise unauthenticated(refusal.message) from None

    async def _wanted(self, request: Request) -> tuple[Image, Variant]:
        try:
            image_id = UUID(request.path_params["id"])
            variant = Variant(request.path_params["variant"])
            image = (await self.current().get([image_id])).get(image_id)
        except ValueError:
            image = None
        if image is None:
            raise _nothing(request)
        return image, variant

    def _headers(self, image: Image, variant: Variant, *, download: bool) -> dict[str, str]:
        is_original = variant is Variant.ORIGINAL
        shared = "public" if self.current().authenticate.public_reading else "private"
        return {
            "Content-Type": image.content_type if is_original else RENDITION_CONTENT_TYPE,
            "Content-Disposition": _disposition(image, variant, download=download),
            "ETag": f'"{image.sha256}-{variant.value}"',
            "Accept-Ranges": "bytes",
            "Cache-Control": f"{shared}, max-age={YEAR}, immutable",
            "X-Content-Type-Options": "nosniff",
            # Whatever an original turns out to be, it runs nothing and loads nothing.
            "Content-Security-Policy": "default-src 'none'; sandbox",
            "Cross-Origin-Resource-Policy": "cross-origin",
        }

    async def _unsatisfiable(
        self, image: Image, variant: Variant, headers: dict[str, str]
    ) -> Response:
        blob = await self.current().read(image, variant)
        await blob.chunks.aclose()
        kept = {name: headers[name] for name in ("ETag", "Accept-Ranges")}
        return Response(
            status_code=HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
            headers={**kept, "Content-Range": f"bytes */{blob.size}"},
        )


class _Streamed(StreamingResponse):
    """A blob on its way, closed whatever happens to the client."""

    blob: Blob

    @classmethod
    def of(cls, blob: Blob, wanted: ByteRange | None, headers: dict[str, str]) -> "_Streamed":
        first, count = wanted.within(blob.size) if wanted else (0, blob.size)
        headers = {**headers, "Content-Length": str(count)}
        if wanted:
            headers["Content-Range"] = f"bytes {first}-{first + count - 1}/{blob.size}"
        status = HTTPStatus.PARTIAL_CONTENT if wanted else HTTPStatus.OK
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


def matches(header: str | None, etag: str) -> bool:
    """Tell whether a client has it already, weakly compared as RFC 9110 has it."""
    tags = [tag.strip().removeprefix("W/") for tag in (header or "").split(",")]
    return etag in tags or tags == ["*"]


def _range_of(request: Request, etag: str) -> ByteRange | None:
    """Return the one range asked for; None where the whole is to be sent."""
    found = _RANGE.fullmatch(request.headers.get("range", "").strip())
    if not found or request.headers.get("if-range", etag) != etag:
        return None
    first, last, suffix = found.groups()
    if suffix is not None:
        # The last 0 bytes are none: a range past every end.
        return ByteRange(-int(suffix)) if int(suffix) else ByteRange(10**18)
    if last is not None and int(last) < int(first):
        return None
    return ByteRange(int(first), None if last is None else int(last))


def _disposition(image: Image, variant: Variant, *, download: bool) -> str:
    name = image.filename
    if variant is not Variant.ORIGINAL:
        name = f"{name.rpartition('.')[0] or name}-{variant.value}.webp"
    plain = re.sub(r"[^ !#-\[\]-~]", "_", name)
    kind = "attachment" if download else "inline"
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def _nothing(request: Request) -> HTTPException:
    return HTTPException(
        HTTPStatus.NOT_FOUND, f"There is no image at {request.scope['path']:.100}."
    )
