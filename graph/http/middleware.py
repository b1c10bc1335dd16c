"""Middleware of every request: request ids, security headers, and masked internal errors."""

import asyncio
import logging
import re
from collections.abc import MutableMapping
from http import HTTPStatus
from typing import Any
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from domain.errors import Overloaded, Unavailable
from graph.http.health import HEALTH_PATHS
from graph.http.protocol import CROWDED
from graph.http.responses import error_response, refuse, retry_later_response
from graph.schema.errors import MASKED_MESSAGE, log_outage

logger = logging.getLogger("pictograph")

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}


class RequestMiddleware:
    """Gives each response a request id and security headers, and answers exceptions.

    The status is 503 where a retry can succeed, otherwise 500.
    """

    def __init__(self, app: ASGIApp) -> None:
        """Wrap ``app``."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request or WebSocket connection."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        sent_id = Headers(scope=scope).get("x-request-id", "")
        request_id = sent_id if _REQUEST_ID.fullmatch(sent_id) else uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] in ("http.response.start", "websocket.accept"):
                started = True
                _add_headers(message, request_id)
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        except ClientDisconnect:
            logger.debug("request %s: the client disconnected", request_id)
        except (Exception, asyncio.CancelledError) as error:
            can_answer = scope["type"] == "http" and not started
            if isinstance(error, asyncio.CancelledError) and not can_answer:
                raise
            response = _response_to(error, request_id)
            if can_answer:
                await response(scope, receive, send_with_headers)


def _response_to(error: BaseException, request_id: str) -> Response:
    """Log an exception, and return the response to it."""
    if isinstance(error, Overloaded):
        return retry_later_response(error)
    if isinstance(error, Unavailable):
        log_outage(error, request_id=request_id)
        return retry_later_response(error)
    task = asyncio.current_task()
    if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
        # The server's own plain answer would lack the request's id.
        logger.warning("request %s did not end before the server stopped", request_id)
        return error_response(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "The server is stopping; send the request again.",
            headers={"Retry-After": "1"},
        )
    logger.error("request %s failed", request_id, exc_info=error)
    return error_response(
        HTTPStatus.INTERNAL_SERVER_ERROR, MASKED_MESSAGE, extensions={"requestId": request_id}
    )


def _add_headers(message: MutableMapping[str, Any], request_id: str) -> None:
    message.setdefault("headers", [])
    headers = MutableHeaders(scope=message)
    headers["X-Request-ID"] = request_id
    for name, value in SECURITY_HEADERS.items():
        headers.setdefault(name, value)


class CrowdMiddleware:
    """Answers 503 on connections beyond the most that the server accepts, except health checks."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap ``app``."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request or WebSocket connection."""
        is_crowded = scope["type"] != "lifespan" and scope.get("state", {}).get(CROWDED)
        if not is_crowded or scope["path"] in HEALTH_PATHS:
            await self._app(scope, receive, send)
            return
        refusal = error_response(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "The server has too many connections; send the request again in a second.",
            headers={"Retry-After": "1", "Connection": "close"},
        )
        await refuse(refusal, scope, receive, send)
