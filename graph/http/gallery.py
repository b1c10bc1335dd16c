"""The gallery at ``/``: a page that uses this server's own API."""

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

from graph.http.etags import is_cached

UI_FOLDER = Path(__file__).parents[1] / "ui"


class _File(NamedTuple):
    content: bytes
    media_type: str
    etag: str


def page(public_url: str | None) -> Response:
    """Return the page. Its policy allows this origin, and the origin of ``public_url``."""
    return HTMLResponse(
        _html(),
        headers={"Content-Security-Policy": _policy(public_url), "Cache-Control": "no-cache"},
    )


async def file(request: Request) -> Response:
    """Answer ``/ui/{name}`` with a file of the page, or 304."""
    found = _files().get(request.path_params["name"])
    if found is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, "The gallery has no file of this name.")
    # Browsers revalidate each time, so a new version is visible at once.
    headers = {"Cache-Control": "no-cache", "ETag": found.etag}
    if is_cached(request.headers.get("if-none-match"), found.etag):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(found.content, headers=headers, media_type=found.media_type)


@cache
def _files() -> dict[str, _File]:
    """Return the files by name. They are small, so they stay in memory."""
    return {path.name: _read(path) for path in UI_FOLDER.iterdir() if path.suffix != ".html"}


def _read(path: Path) -> _File:
    content = path.read_bytes()
    media_type, _ = mimetypes.guess_type(path.name)
    return _File(content, str(media_type), f'"{sha256(content).hexdigest()[:16]}"')


@cache
def _html() -> str:
    """Return the page. It preloads all modules, so that none waits for the one that imports it."""
    modules = sorted(name for name in _files() if name.endswith(".js") and name != "app.js")
    preloads = "\n  ".join(f'<link rel="modulepreload" href="ui/{name}">' for name in modules)
    return (UI_FOLDER / "index.html").read_text(encoding="utf-8").replace("{{preloads}}", preloads)


@cache
def _policy(public_url: str | None) -> str:
    address = urlsplit(public_url or "")
    public = f" {address.scheme}://{address.netloc}" if address.netloc else ""
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; "
        f"img-src 'self' blob:{public}; connect-src 'self'{public}; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
