"""The hosts that the server answers for, as protection against DNS rebinding.

A page on another name can point that name at this server. The browser then lets the page read the
answers, but sends the other name in the header Host.
"""

import ipaddress
import re
from collections.abc import Sequence
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from graph.http.health import HEALTH_PATHS
from graph.http.responses import error_response, refuse

LOOPBACK_NAME = "localhost"

_HOST = re.compile(r"(?:([A-Za-z0-9._\-]+)|\[([0-9A-Fa-f:.]+)\])(?::\d+)?")


def accepted_hosts(public_url: str | None, allowed_hosts: Sequence[str]) -> tuple[str, ...]:
    """Return the accepted names: loopback, the host of the public URL, and others that are set."""
    public = urlsplit(public_url or "").hostname
    return (LOOPBACK_NAME, *([public] if public else []), *map(str.lower, allowed_hosts))


class HostMiddleware:
    """Refuses requests and WebSockets for other hosts with 421, except health checks.

    An IP address is accepted, since a page's name cannot be rebound to it. So is a missing header,
    which no browser leaves out.
    """

    def __init__(self, app: ASGIApp, *, accepted: Sequence[str]) -> None:
        """Accept the names in ``accepted``; ``*.example.org`` is every name below example.org."""
        self._app = app
        self._names = {name for name in accepted if not name.startswith("*.")}
        self._suffixes = tuple(
            name.removeprefix("*") for name in accepted if name not in self._names
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what is for an accepted host."""
        host = Headers(scope=scope).get("host") if scope["type"] != "lifespan" else None
        if host is None or scope["path"] in HEALTH_PATHS or self._accepts(host):
            await self._app(scope, receive, send)
            return
        refusal = error_response(
            HTTPStatus.MISDIRECTED_REQUEST,
            f"This server does not answer for the host “{host:.100}”. Use its address or public "
            "URL, or ask its operator to add the host to PICTOGRAPH_ALLOWED_HOSTS.",
        )
        await refuse(refusal, scope, receive, send)

    def _accepts(self, host: str) -> bool:
        match = _HOST.fullmatch(host)
        if match is None:
            return False
        name = (match[1] or match[2]).lower().removesuffix(".")
        if _is_address(name) or name in self._names:
            return True
        return name.endswith((f".{LOOPBACK_NAME}", *self._suffixes))


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
