"""Server-Sent Events: the protocol of graphql-sse with one operation for each connection."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, aclosing
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from strawberry.types import ExecutionResult

from graph.http.disconnects import wait_for_disconnect
from graph.http.responses import result_body
from graph.schema.codes import ErrorCode

EVENT_STREAM = "text/event-stream"

HEARTBEAT_SECONDS = 12
"""The interval of comments that keep proxies from closing an idle connection."""

SHUTDOWN_RESULT = {
    "errors": [
        {
            "message": "The server is stopping; subscribe again.",
            "extensions": {"code": ErrorCode.SERVICE_UNAVAILABLE},
        }
    ]
}
# Many clients split lines at these characters, which JSON does not escape.
_LINE_BREAKS = {code: f"\\u{code:04x}" for code in (0x85, 0x2028, 0x2029)}
_COMPLETE = b"event: complete\ndata:\n\n"


class EventStream(Response):
    """Streams results until they end, the client disconnects, or the server stops.

    A stopping server sends a last result with an error, so that clients know to subscribe again.
    """

    media_type = EVENT_STREAM

    def __init__(
        self, results: AsyncGenerator[ExecutionResult], *, stopping: asyncio.Event
    ) -> None:
        """Stream ``results`` until they end or ``stopping`` is set."""
        self._results = results
        self._stopping = stopping
        self._resources = AsyncExitStack()
        self.status_code = 200
        self.background = None
        # nginx buffers responses without the last header.
        self.init_headers(
            {"Cache-Control": "no-store", "Vary": "Accept", "X-Accel-Buffering": "no"}
        )

    def close_afterwards(self, close: Callable[[], Awaitable[None]]) -> None:
        """Await ``close`` when the stream has ended."""
        self._resources.push_async_callback(close)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream."""
        del scope
        async with self._resources:
            await self._send(send, receive)

    async def _send(self, send: Send, receive: Receive) -> None:
        async def write(body: bytes, *, more: bool = True) -> None:
            await send({"type": "http.response.body", "body": body, "more_body": more})

        start = {"status": self.status_code, "headers": self.raw_headers}
        await send({"type": "http.response.start", **start})
        results = asyncio.create_task(_send_results(self._results, write))
        disconnect = asyncio.create_task(wait_for_disconnect(receive))
        shutdown = asyncio.create_task(self._stopping.wait())
        heartbeat = asyncio.create_task(_send_heartbeats(write))
        tasks = (results, disconnect, shutdown, heartbeat)
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            is_interrupted = shutdown.done() and not results.done()
        finally:
            for task in tasks:
                task.cancel()
            # Wait until the subscription has released its listeners.
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome
        if is_interrupted:
            await write(_next_event(SHUTDOWN_RESULT) + _COMPLETE)
        await write(b"", more=False)


async def _send_results(
    results: AsyncGenerator[ExecutionResult], write: Callable[[bytes], Awaitable[None]]
) -> None:
    async with aclosing(results):
        async for result in results:
            await write(_next_event(result_body(result)))
    await write(_COMPLETE)


async def _send_heartbeats(write: Callable[[bytes], Awaitable[None]]) -> None:
    while True:
        await asyncio.sleep(HEARTBEAT_SECONDS)
        await write(b":\n\n")


# Any: the data has the shape of the query.
def _next_event(result: dict[str, Any]) -> bytes:
    text = json.dumps(result, ensure_ascii=False, separators=(",", ":"))
    return f"event: next\ndata: {text.translate(_LINE_BREAKS)}\n\n".encode()
