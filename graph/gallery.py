"""The page that people get at ``/``: a gallery that asks this server's own API."""

from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

FILES = Path(__file__).parent / "ui"


def page(public_url: str | None) -> Response:
    """Return the page. Its pictures may come from ``public_url``, and nothing from elsewhere."""
    return HTMLResponse(
        _html(),
        headers={"Content-Security-Policy": _policy(public_url), "Cache-Control": "no-cache"},
    )


class GalleryFiles(StaticFiles):
    """The page's own files, asked about each time: a new version shows at once."""

    def __init__(self) -> None:
        """Serve what lies beside this module, in ``ui``."""
        super().__init__(directory=FILES)

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Answer with a file, or that the client has it."""
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "no-cache"
        return response


@cache
def _html() -> str:
    """Return the page, which names its modules: none waits for another that imports it."""
    modules = sorted(file.name for file in FILES.glob("*.js") if file.name != "app.js")
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
