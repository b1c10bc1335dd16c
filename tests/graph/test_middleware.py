"""What goes around every answer, whatever it goes around."""

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from graph.http.middleware import RequestMiddleware
from graph.http.responses import http_exception_response


async def nothing() -> Message:
    return {"type": "http.request"}


async def test_an_answer_that_breaks_off_is_logged_and_not_begun_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    sent: list[Message] = []

    async def breaks(scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive
        await send({"type": "http.response.start", "status": 200})
        raise ConnectionRefusedError

    async def send(message: Message) -> None:
        sent.append(message)

    await RequestMiddleware(breaks)({"type": "http", "headers": []}, nothing, send)
    assert ["http.response.start"] == [message["type"] for message in sent]
    assert 1 == len(caplog.records)


async def test_starting_and_stopping_pass_through() -> None:
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        del receive, send
        seen.append(scope["type"])

    async def send(message: Message) -> None:
        del message

    await RequestMiddleware(app)({"type": "lifespan"}, nothing, send)
    assert ["lifespan"] == seen


async def test_only_refusals_are_told_as_such() -> None:
    request = Request({"type": "http", "path": "/x", "method": "GET", "headers": []})
    refused = await http_exception_response(request, HTTPException(418, "Short and stout."))
    assert 418 == refused.status_code
    with pytest.raises(ZeroDivisionError):
        await http_exception_response(request, ZeroDivisionError())
