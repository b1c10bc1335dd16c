"""Results as Server-Sent Events: graphql-sse's protocol, one operation a connection."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, aclosing
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from strawberry.types import ExecutionResult

from graph.http.answers import answer_of

EVENT_STREAM = "text/event-stream"

BEAT_SECONDS = 12
"""After so long a silence, a comment tells proxies that the connection is in use."""

STOPPING = {
    "errors": [
        {
            "message": "The server is stopping; subscribe again.",
            "extensions": {"code": "SERVICE_UNAVAILABLE"},
        }
    ]
}
# Many clients take these for the ends of lines, which JSON does not.
_BREAKS = {code: f"\\u{code:04x}" for code in (0x85, 0x2028, 0x2029)}
_END = b"event: complete\ndata:\n\n"


class EventStream(Response):
    """Sends each result as it comes, until there are no more, or the client or the server goes.

    A server that stops says so in a last result: its clients know then that there was more to come.
    """

    media_type = EVENT_STREAM

    def __init__(
        self, results: AsyncGenerator[ExecutionResult], *, stopping: asyncio.Event
    ) -> None:
        """Stream ``results``, and end when the server is ``stopping``."""
        self._results = results
        self._stopping = stopping
        self._afterwards = AsyncExitStack()
        self.status_code = 200
        self.background = None
        # nginx holds answers back otherwise, until they have come to some length.
        self.init_headers(
            {"Cache-Control": "no-store", "Vary": "Accept", "X-Accel-Buffering": "no"}
        )

    def afterwards(self, close: Callable[[], Awaitable[None]]) -> None:
        """Close something when the stream has ended."""
        self._afterwards.push_async_callback(close)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the first of all of them is done."""
        del scope
        async with self._afterwards:
            await self._send(send, receive)

    async def _send(self, send: Send, receive: Receive) -> None:
        async def write(body: bytes, *, more: bool = True) -> None:
            await send({"type": "http.response.body", "body": body, "more_body": more})

        start = {"status": self.status_code, "headers": self.raw_headers}
        await send({"type": "http.response.start", **start})
        pump = asyncio.create_task(_pump(self._results, write))
        gone = asyncio.create_task(_gone(receive))
        stopped = asyncio.create_task(self._stopping.wait())
        beat = asyncio.create_task(_beat(write))
        tasks = (pump, gone, stopped, beat)
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            is_cut = stopped.done() and not pump.done()
        finally:
            for task in tasks:
                task.cancel()
            # Whatever is watched is let go of before anything else happens.
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome
        if is_cut:
            await write(_event(STOPPING) + _END)
        await write(b"", more=False)


async def _pump(
    results: AsyncGenerator[ExecutionResult], write: Callable[[bytes], Awaitable[None]]
) -> None:
    async with aclosing(results):
        async for result in results:
            await write(_event(answer_of(result)))
    await write(_END)


async def _gone(receive: Receive) -> None:
    """Return when the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _beat(write: Callable[[bytes], Awaitable[None]]) -> None:
    while True:
        await asyncio.sleep(BEAT_SECONDS)
        await write(b":\n\n")


# Any: what a query asked for.
def _event(answer: dict[str, Any]) -> bytes:
    text = json.dumps(answer, ensure_ascii=False, separators=(",", ":"))
    return f"event: next\ndata: {text.translate(_BREAKS)}\n\n".encode()
