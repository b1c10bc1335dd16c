"""The middleware of every request."""

import asyncio
import json

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


@pytest.mark.parametrize(
    ("is_stopping", "status", "code"),
    [(False, 500, "INTERNAL_SERVER_ERROR"), (True, 503, "SERVICE_UNAVAILABLE")],
)
async def test_a_cancelled_request_is_answered_as_json_with_its_id(
    *, is_stopping: bool, status: int, code: str
) -> None:
    sent: list[Message] = []
    begun = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive, send
        begun.set()
        if not is_stopping:
            raise asyncio.CancelledError
        await asyncio.sleep(60)

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "headers": [(b"x-request-id", b"my-id")]}
    request = asyncio.create_task(RequestMiddleware(app)(scope, receive_nothing, send))
    await begun.wait()
    if is_stopping:
        request.cancel()
    await request
    start, body = sent
    assert status == start["status"]
    assert (b"x-request-id", b"my-id") in start["headers"]
    assert code == json.loads(body["body"])["errors"][0]["extensions"]["code"]


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
