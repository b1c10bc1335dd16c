"""The middleware of every request."""

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from graph.http.middleware import RequestMiddleware
from graph.http.responses import http_exception_response


async def receive_nothing() -> Message:
    return {"type": "http.request"}


async def test_an_exception_after_the_response_started_is_logged_only(
    caplog: pytest.LogCaptureFixture,
) -> None:
    sent: list[Message] = []

    async def failing_app(scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive
        await send({"type": "http.response.start", "status": 200})
        raise ConnectionRefusedError

    async def send(message: Message) -> None:
        sent.append(message)

    await RequestMiddleware(failing_app)({"type": "http", "headers": []}, receive_nothing, send)
    assert ["http.response.start"] == [message["type"] for message in sent]
    assert 1 == len(caplog.records)


async def test_lifespan_messages_pass_through() -> None:
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        del receive, send
        seen.append(scope["type"])

    async def send(message: Message) -> None:
        del message

    await RequestMiddleware(app)({"type": "lifespan"}, receive_nothing, send)
    assert ["lifespan"] == seen


async def test_only_http_exceptions_become_responses() -> None:
    request = Request({"type": "http", "path": "/x", "method": "GET", "headers": []})
    refused = await http_exception_response(request, HTTPException(418, "Short and stout."))
    assert 418 == refused.status_code
    with pytest.raises(ZeroDivisionError):
        await http_exception_response(request, ZeroDivisionError())
