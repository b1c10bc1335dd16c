"""A proxy in front of an S3 server that lets requests fail: 503, resets, cut and late answers."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter
    from collections.abc import AsyncIterator

CHUNK_BYTES = 64 * 1024
LATE_SECONDS = 3.0
UNAVAILABLE = b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@dataclass(slots=True)
class FaultProxy:
    """Forwards connections, and injects faults into a share of what is sent through them."""

    host: str
    port: int
    random: Random
    share: float = 0.0
    """Of the chunks that clients send and get. 0 injects nothing."""
    injected: int = 0
    _connections: set[asyncio.Task[None]] = field(default_factory=set)

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, *, seed: int) -> AsyncIterator[tuple[FaultProxy, str]]:
        """Listen on a free port, and yield the proxy and its URL."""
        address = urlsplit(url)
        assert address.hostname
        assert address.port
        proxy = cls(address.hostname, address.port, Random(seed))
        server = await asyncio.start_server(proxy._serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        try:
            yield proxy, f"http://127.0.0.1:{port}"
        finally:
            server.close()
            for connection in proxy._connections:
                connection.cancel()
            await asyncio.gather(*proxy._connections, return_exceptions=True)

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._connections.add(task)
        try:
            with suppress(OSError):
                await self._forward(reader, writer)
        finally:
            self._connections.discard(task)
            writer.close()

    async def _forward(self, reader: StreamReader, writer: StreamWriter) -> None:
        upstream_reader, upstream_writer = await asyncio.open_connection(self.host, self.port)
        try:
            directions = [
                asyncio.create_task(self._copy(reader, upstream_writer, client=writer)),
                asyncio.create_task(self._copy(upstream_reader, writer, client=writer)),
            ]
            try:
                await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for direction in directions:
                    direction.cancel()
                await asyncio.gather(*directions, return_exceptions=True)
        finally:
            upstream_writer.close()

    async def _copy(
        self, source: StreamReader, target: StreamWriter, *, client: StreamWriter
    ) -> None:
        while chunk := await source.read(CHUNK_BYTES):
            if self.random.random() < self.share:
                self.injected += 1
                match self.random.randrange(4):
                    case 0 if target is not client:
                        client.write(UNAVAILABLE)
                        await client.drain()
                        return
                    case 1:
                        client.transport.abort()
                        return
                    case 2:
                        target.write(chunk[: len(chunk) // 2])
                        await target.drain()
                        return
                    case _:
                        await asyncio.sleep(LATE_SECONDS)
            target.write(chunk)
            await target.drain()
