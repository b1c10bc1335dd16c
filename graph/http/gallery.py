"""The page that people get at ``/``: a gallery that asks this server's own API."""

import mimetypes
from functools import cache
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from graph.http.pictures import matches

FILES = Path(__file__).parents[1] / "ui"


class _File(NamedTuple):
    content: bytes
    media_type: str
    etag: str


def page(public_url: str | None) -> Response:
    """Return the page. Its pictures may come from ``public_url``, and nothing from elsewhere."""
    return HTMLResponse(
        _html(),
        headers={"Content-Security-Policy": _policy(public_url), "Cache-Control": "no-cache"},
    )


async def answer(request: Request) -> Response:
    """Answer ``/ui/{name}`` from memory: a file of the page, or that the client has it."""
    file = _files().get(request.path_params["name"])
    if file is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, "The gallery has no file of this name.")
    # Asked about each time: a new version shows at once.
    headers = {"Cache-Control": "no-cache", "ETag": file.etag}
    if matches(request.headers.get("if-none-match"), file.etag):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(file.content, headers=headers, media_type=file.media_type)


@cache
def _files() -> dict[str, _File]:
    """Return the page's parts: many and small, and all of them wanted at once."""
    return {path.name: _read(path) for path in FILES.iterdir() if path.suffix != ".html"}


def _read(path: Path) -> _File:
    content = path.read_bytes()
    media_type, _ = mimetypes.guess_type(path.name)
    return _File(content, str(media_type), f'"{sha256(content).hexdigest()[:16]}"')


@cache
def _html() -> str:
    """Return the page, which names its modules: none waits for another that imports it."""
    modules = sorted(name for name in _files() if name.endswith(".js") and name != "app.js")
    preloads = "\n  ".join(f'<link rel="modulepreload" href="ui/{name}">' for name in modules)
    return (FILES / "index.html").read_text(encoding="utf-8").replace("{{preloads}}", preloads)


@cache
def _policy(public_url: str | None) -> str:
    address = urlsplit(public_url or "")
    elsewhere = f" {address.scheme}://{address.netloc}" if address.netloc else ""
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; "
        f"img-src 'self' blob:{elsewhere}; connect-src 'self'{elsewhere}; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
