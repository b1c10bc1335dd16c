"""A proxy in front of an HTTP server that answers with faults on demand."""

from __future__ import annotations

import asyncio
import re
from contextlib import asynccontextmanager, suppress
from enum import Enum
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ETAG = re.compile(rb"(?im)^etag:[^\r]*")
OBJECT = re.compile(rb"GET /[^/?]+/[^?]")
DENIED = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
CONTENT_LENGTH = re.compile(rb"(?im)^content-length: *(\d+)")


class Fault(Enum):
    """What happens to a request."""

    FORBIDDEN = "403"
    """Objects may be listed and written, and not be read."""
    ERROR_500 = "500"
    ERROR_503 = "503"
    RESET = "reset"
    """The connection is closed without an answer."""
    SILENCE = "silence"
    TRUNCATION = "truncation"
    """The connection is closed after half of the body."""
    WRONG_ETAG = "wrong ETag"


class FaultProxy:
    """Forwards requests, one after another on each connection. ``fault`` applies to each."""

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        self._host, self._port = parts.hostname, parts.port
        self.fault: Fault | None = None
        self.url = ""
        self._tasks: set[asyncio.Task[None]] = set()

    @classmethod
    @asynccontextmanager
    async def to(cls, target: str) -> AsyncIterator[FaultProxy]:
        """Serve on a free port in the block."""
        proxy = cls(target)
        server = await asyncio.start_server(proxy._serve, "127.0.0.1", 0)
        proxy.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield proxy
        finally:
            server.close()
            for task in proxy._tasks:
                task.cancel()
            await asyncio.gather(*proxy._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if task := asyncio.current_task():
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                while await self._answer(reader, writer):
                    await writer.drain()
        finally:
            await _close(writer)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer a request, and return whether the connection stays open."""
        request = await _read_message(reader)
        match self.fault:
            case Fault.FORBIDDEN if OBJECT.match(request):
                line = f"HTTP/1.1 403 No\r\nContent-Length: {len(DENIED)}\r\n\r\n"
                writer.write(line.encode() + DENIED)
                return True
            case Fault.ERROR_500 | Fault.ERROR_503:
                line = f"HTTP/1.1 {self.fault.value} No\r\nContent-Length: 0\r\n\r\n"
                writer.write(line.encode())
                return True
            case Fault.RESET:
                return False
            case Fault.SILENCE:
                await asyncio.Event().wait()
        response = await self._forward(request)
        head, _, body = response.partition(b"\r\n\r\n")
        if self.fault is Fault.WRONG_ETAG:
            head = ETAG.sub(b'ETag: "00000000000000000000000000000000"', head)
        truncated = self.fault is Fault.TRUNCATION and body
        writer.write(head + b"\r\n\r\n" + (body[: len(body) // 2] if truncated else body))
        return not truncated and not request.startswith(b"HEAD")

    async def _forward(self, request: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(self._host, self._port)
        try:
            head, separator, body = request.partition(b"\r\n\r\n")
            writer.write(head + b"\r\nConnection: close" + separator + body)
            return await reader.read()
        finally:
            await _close(writer)


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


async def _read_message(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = CONTENT_LENGTH.search(head)
    return head + (await reader.readexactly(int(length[1])) if length else b"")
