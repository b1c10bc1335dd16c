"""What a trusted proxy says of the request that it passes on."""

import re
from collections.abc import Sequence
from typing import Any

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

THIS_MACHINE = ("127.0.0.1", "::1")
"""The addresses of proxies that are trusted unless others are set."""

_PREFIX = re.compile(r"(?:/[A-Za-z0-9._~%-]{1,100}){1,10}")


class ForwardedMiddleware:
    """Reads the headers ``X-Forwarded-*`` of trusted proxies.

    ``-Proto`` and ``-For`` replace the scheme and the client, as uvicorn does it. ``-Prefix`` is
    the path below which the proxy serves this server.
    """

    def __init__(self, app: ASGIApp, *, proxies: Sequence[str]) -> None:
        """Trust proxies with these addresses, or in these networks."""
        # Any: uvicorn and Starlette type the same interface differently.
        wrapped: Any = app
        self._app: Any = ProxyHeadersMiddleware(wrapped, trusted_hosts=list(proxies))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Note the prefix, before the client's address replaces the proxy's."""
        client = scope.get("client")
        if client and client[0] in self._app.trusted_hosts:
            sent = Headers(scope=scope).get("x-forwarded-prefix", "").strip().rstrip("/")
            if _PREFIX.fullmatch(sent):
                scope.setdefault("state", {})["prefix"] = sent
        await self._app(scope, receive, send)


def prefix_of(connection: HTTPConnection) -> str:
    """Return the path below which a proxy serves this server, as ``/pictures``, or nothing."""
    return str(getattr(connection.state, "prefix", ""))
