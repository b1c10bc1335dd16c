"""Load over HTTP, by raw sockets, so that the client costs little beside the servers."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping

BOUNDARY = "pictograph-benchmark"
TIMEOUT_SECONDS = 60.0
MAX_LINE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Request:
    """A request, as the bytes of its head and body."""

    method: str
    path: str
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()

    @classmethod
    def json(cls, path: str, content: object) -> Request:
        """Return a POST with a body of JSON."""
        body = json.dumps(content).encode()
        return cls("POST", path, body, (("Content-Type", "application/json"),))

    @classmethod
    def form(
        cls,
        path: str,
        fields: Mapping[str, str],
        file: tuple[str, str, bytes],
        headers: tuple[tuple[str, str], ...] = (),
    ) -> Request:
        """Return a POST of a multipart form with one file: field, name and bytes."""
        parts = [
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in fields.items()
        ]
        field, name, data = file
        parts.append(
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n'
            "Content-Type: image/jpeg\r\n\r\n"
        )
        body = "".join(parts).encode() + data + f"\r\n--{BOUNDARY}--\r\n".encode()
        content_type = ("Content-Type", f"multipart/form-data; boundary={BOUNDARY}")
        return cls("POST", path, body, (content_type, *headers))

    def encode(self, host: str) -> bytes:
        """Return the bytes to send."""
        lines = [
            f"{self.method} {self.path} HTTP/1.1",
            f"Host: {host}",
            f"Content-Length: {len(self.body)}",
            *(f"{name}: {value}" for name, value in self.headers),
        ]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + self.body


@dataclass(frozen=True, slots=True)
class Connection:
    """A persistent connection to a server."""

    host: str
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str) -> AsyncIterator[Connection]:
        """Connect, and close the connection at the end of the block."""
        parts = urlsplit(url)
        reader, writer = await asyncio.open_connection(
            parts.hostname, parts.port, limit=MAX_LINE_BYTES
        )
        try:
            yield cls(parts.netloc, reader, writer)
        finally:
            writer.close()
            with suppress(OSError):  # the server may have closed it first
                await writer.wait_closed()

    async def send(self, request: Request) -> bytes:
        """Return the body of the answer. Raises ValueError unless the status is 200."""
        async with asyncio.timeout(TIMEOUT_SECONDS):
            self.writer.write(request.encode(self.host))
            await self.writer.drain()
            head = await self.reader.readuntil(b"\r\n\r\n")
            body = await self._read_body(head)
        status = head.split(b" ", 2)[1]
        if status != b"200":
            raise ValueError(f"{request.path} was answered with {status!r}: {body[:200]!r}")
        return body

    async def _read_body(self, head: bytes) -> bytes:
        headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(b":") for line in head.split(b"\r\n")[1:])
        }
        if b"content-length" in headers:
            return await self.reader.readexactly(int(headers[b"content-length"]))
        chunks = []
        while size := int(await self.reader.readline(), 16):
            chunks.append(await self.reader.readexactly(size))
            await self.reader.readline()
        await self.reader.readline()
        return b"".join(chunks)


@dataclass(frozen=True, slots=True)
class Load:
    """What clients measured: the latency of each request, and the time of all."""

    milliseconds: tuple[float, ...]
    seconds: float

    @property
    def per_second(self) -> float:
        """The requests that were answered in a second."""
        return len(self.milliseconds) / self.seconds


async def run_load(
    url: str,
    requests: Iterable[Request],
    *,
    clients: int,
    seconds: float,
    check: Callable[[bytes], object],
) -> Load:
    """Send requests from several clients, each one after another, until they or the time end.

    ``check`` raises for an answer that is no success: a refusal would be fast.
    """
    waiting = iter(requests)
    latencies: list[float] = []
    began = time.perf_counter()

    async def client() -> None:
        async with Connection.open(url) as connection:
            while time.perf_counter() < began + seconds:
                request = next(waiting, None)
                if request is None:
                    return
                sent = time.perf_counter()
                check(await connection.send(request))
                latencies.append(1_000 * (time.perf_counter() - sent))

    await asyncio.gather(*(client() for _ in range(clients)))
    return Load(tuple(latencies), time.perf_counter() - began)
