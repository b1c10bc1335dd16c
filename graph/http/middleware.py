"""What goes around every answer: a request id, headers that protect browsers, and a mask."""

import logging
import re
from collections.abc import MutableMapping
from http import HTTPStatus
from typing import Any
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from graph.http.problems import problem
from graph.schema.errors import MASK

logger = logging.getLogger("pictograph")

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}


class RequestMiddleware:
    """Wraps an application: no answer without a request id, and none with a traceback."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap ``app``."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        started = False

        async def send_wrapped(message: Message) -> None:
            nonlocal started
            if message["type"] in ("http.response.start", "websocket.accept"):
                started = True
                _put_headers(message, request_id)
            await send(message)

        try:
            await self._app(scope, receive, send_wrapped)
        except ClientDisconnect:
            logger.debug("request %s: the client went away", request_id)
        except Exception:
            logger.exception("request %s failed", request_id)
            if scope["type"] == "http" and not started:
                answer = problem(HTTPStatus.INTERNAL_SERVER_ERROR, MASK)
                await answer(scope, receive, send_wrapped)


def _put_headers(message: MutableMapping[str, Any], request_id: str) -> None:
    message.setdefault("headers", [])
    headers = MutableHeaders(scope=message)
    headers["X-Request-ID"] = request_id
    for name, value in HEADERS.items():
        headers.setdefault(name, value)
