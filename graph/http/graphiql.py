"""GraphiQL, the page that browsers get at ``/graphql``: from local files, or from a CDN."""

from collections.abc import Awaitable, Callable
from functools import cache
from html import escape
from http import HTTPStatus
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response

from graph.http.graphiql_assets import ASSETS, Asset

PAGE_FOLDER = Path(__file__).parents[1] / "graphiql"
PAGE_FILES = {"page.js": PAGE_FOLDER / "page.js", "page.css": PAGE_FOLDER / "page.css"}

CDN_NOTICE = (
    '<p class="notice">GraphiQL is loaded from unpkg.com. For a page that works offline, run '
    "<code>make graphiql</code> and restart the server.</p>"
)


def page(folder: Path) -> Response:
    """Return the page. It loads local files where ``folder`` has all of them, else a CDN's."""
    html, policy = _page(folder)
    return HTMLResponse(
        html,
        headers={"Content-Security-Policy": policy, "Cache-Control": "no-cache", "Vary": "Accept"},
    )


def files(folder: Path) -> Callable[[Request], Awaitable[Response]]:
    """Return the endpoint of ``/graphiql/{name}``."""
    served = {asset.name: folder / asset.name for asset in _local_assets(folder)} | PAGE_FILES

    async def file(request: Request) -> Response:
        path = served.get(request.path_params["name"])
        if path is None:
            raise HTTPException(
                HTTPStatus.NOT_FOUND, "GraphiQL has no file of this name on this server."
            )
        return FileResponse(path, headers={"Cache-Control": "no-cache"})

    return file


@cache
def _local_assets(folder: Path) -> tuple[Asset, ...]:
    """Return all of GraphiQL's files, or none where one is missing or altered."""
    return ASSETS if all(asset.is_in(folder) for asset in ASSETS) else ()


@cache
def _page(folder: Path) -> tuple[str, str]:
    """Return the page and its content security policy."""
    local = bool(_local_assets(folder))
    html = (PAGE_FOLDER / "page.html").read_text(encoding="utf-8")
    for name, content in (
        ("styles", _tags(".css", local=local)),
        ("scripts", _tags(".js", local=local)),
        ("notice", "" if local else CDN_NOTICE),
    ):
        html = html.replace("{{" + name + "}}", content)
    scripts, styles = _sources(".js", local=local), _sources(".css", local=local)
    # GraphiQL's menus insert style elements. Inline scripts stay forbidden.
    policy = (
        f"default-src 'none'; script-src {scripts}; style-src {styles} 'unsafe-inline'; "
        "connect-src 'self'; img-src 'self' data:; font-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return html, policy


def _sources(suffix: str, *, local: bool) -> str:
    """Return the sources of a policy: this server, or else exact URLs of the CDN."""
    cdn_urls = () if local else (asset.cdn_url for asset in ASSETS if asset.name.endswith(suffix))
    return " ".join(("'self'", *cdn_urls))


def _tags(suffix: str, *, local: bool) -> str:
    return "\n  ".join(_tag(asset, local=local) for asset in ASSETS if asset.name.endswith(suffix))


def _tag(asset: Asset, *, local: bool) -> str:
    address = f"graphiql/{asset.name}" if local else asset.cdn_url
    integrity = "" if local else f' integrity="{asset.integrity}" crossorigin="anonymous"'
    if asset.name.endswith(".css"):
        return f'<link rel="stylesheet" href="{escape(address)}"{integrity}>'
    return f'<script src="{escape(address)}"{integrity}></script>'
