"""Connections of clients: how many there are at once, and how slow they may be."""

import asyncio
import json
import resource
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from graph.http import protocol, server
from graph.http.app import create_app
from graph.http.body import Pace
from graph.http.protocol import ConnectionLimits, http_protocol, raise_descriptor_limit
from tests.graph.fake_server import FakeBackend

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
TYPENAME = b"GET /graphql?query={__typename} HTTP/1.1\r\nHost: localhost\r\n\r\n"
QUICK = Pace(idle_seconds=0.2, min_bytes_per_second=10_000)


class Client:
    """A connection on which a test writes and reads single bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def ask(self, request: bytes) -> tuple[int, dict[str, str], Any]:
        """Return the status, the headers and the JSON of a response."""
        self.writer.write(request)
        head = (await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 60)).decode()
        status, *lines = head.strip().split("\r\n")
        headers = {
            name.lower(): value for name, value in (line.split(": ", 1) for line in lines if line)
        }
        body = await self.reader.readexactly(int(headers["content-length"]))
        return int(status.split()[1]), headers, json.loads(body)

    async def is_closed(self) -> bool:
        """Wait until the server closes the connection."""
        try:
            while await asyncio.wait_for(self.reader.read(1 << 20), 60):
                pass
        except ConnectionResetError:
            pass
        return True


Connect = Callable[..., Awaitable[Client]]


@asynccontextmanager
async def serving(app: Starlette, limits: ConnectionLimits) -> AsyncIterator[Connect]:
    """Serve, and yield a function that connects. The server ends with its task."""
    clients: list[Client] = []
    started = asyncio.Event()
    with server.bind("127.0.0.1", 0) as listening:
        address = listening.getsockname()

        async def connect(limit: int = 65_536) -> Client:
            clients.append(Client(*await asyncio.open_connection(*address, limit=limit)))
            return clients[-1]

        serving = asyncio.create_task(
            server.serve(
                app, listening, log_level="info", limits=limits, ready=lambda _: started.set()
            )
        )
        await started.wait()
        yield connect
        for client in clients:
            client.writer.close()
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


async def test_health_is_answered_where_there_are_too_many_connections_for_others(
    backend: FakeBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "SPARE_CONNECTIONS", 2)
    async with serving(create_app(backend.use_cases), ConnectionLimits(2)) as connect:
        first, second = await connect(), await connect()
        assert 200 == (await first.ask(TYPENAME))[0]
        assert 200 == (await second.ask(HEALTH))[0]
        third = await connect()
        assert 200 == (await third.ask(HEALTH))[0]
        fourth = await connect()
        status, headers, body = await fourth.ask(TYPENAME)
        assert (503, "1") == (status, headers["retry-after"])
        assert "SERVICE_UNAVAILABLE" == body["errors"][0]["extensions"]["code"]
        assert await fourth.is_closed()
        fourth, fifth = await connect(), await connect()
        status, headers, body = await fifth.ask(b"")
        assert (503, "1") == (status, headers["retry-after"])
        assert headers["x-request-id"]
        assert await fifth.is_closed()
        first.writer.close()
        second.writer.close()
        fourth.writer.close()
        # The server notices the closed connections one after another.
        while (await (await connect()).ask(TYPENAME))[0] != 200:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_head_that_does_not_come_in_time_ends_the_connection(
    backend: FakeBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.2)
    async with serving(create_app(backend.use_cases), ConnectionLimits()) as connect:
        silent, begun, used = await connect(), await connect(), await connect()
        begun.writer.write(HEALTH[:10])
        assert 200 == (await used.ask(HEALTH))[0]
        used.writer.write(HEALTH[:10])
        for client in (silent, begun, used):
            assert await client.is_closed()


async def test_the_rest_of_a_refused_body_is_read_for_a_short_time(
    backend: FakeBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.2)
    async with serving(create_app(backend.use_cases), ConnectionLimits()) as connect:
        client = await connect()
        status, _, _ = await client.ask(
            b"POST /nothing HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\nbegun"
        )
        assert 404 == status
        assert await client.is_closed()


async def test_a_malformed_request_is_answered_as_json_with_an_id(backend: FakeBackend) -> None:
    async with serving(create_app(backend.use_cases), ConnectionLimits()) as connect:
        client = await connect()
        status, headers, body = await client.ask(b"no request\r\n\r\n")
        assert 400 == status
        assert "BAD_USER_INPUT" == body["errors"][0]["extensions"]["code"]
        assert headers["x-request-id"]
        assert await client.is_closed()


async def _endless(scope: Scope, receive: Receive, send: Send) -> None:
    del scope, receive
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(1_000):
        await send({"type": "http.response.body", "body": bytes(65_536), "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def test_a_client_that_does_not_take_its_response_is_cut() -> None:
    ended = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await _endless(scope, receive, send)
        finally:
            ended.set()

    async with serving(app, ConnectionLimits(pace=QUICK)) as connect:  # type: ignore[arg-type]  # ASGI
        slow = await connect(limit=1_024)
        slow.writer.write(HEALTH)
        await asyncio.wait_for(ended.wait(), 60)
        quick = await connect()
        quick.writer.write(HEALTH)
        taken = 0
        while data := await asyncio.wait_for(quick.reader.read(1 << 20), 60):
            taken += len(data)
            if taken > 1_000 * 65_536:
                break
        assert taken > 1_000 * 65_536


@pytest.mark.skipif(
    not hasattr(socket, "TCP_USER_TIMEOUT"), reason="this system has no TCP_USER_TIMEOUT"
)
async def test_a_client_that_does_not_take_the_few_bytes_of_an_idle_stream_is_cut() -> None:
    ended = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        del scope
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": bytes(32_768), "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass
        ended.set()

    async with serving(app, ConnectionLimits(pace=QUICK)) as connect:  # type: ignore[arg-type]  # ASGI
        address = (await connect()).writer.get_extra_info("peername")
        with socket.socket() as client:
            # Its buffer is smaller than the response, which is less than what pauses the server.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            client.settimeout(0)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(client, address)
            await loop.sock_sendall(client, HEALTH)
            await asyncio.wait_for(ended.wait(), 60)


LOW_WATER = 16_384


class TimedLoop(NamedTuple):
    """The part of an event loop that a connection uses, with the timers of a test."""

    create_task: Callable[..., Any]
    call_later: Callable[..., asyncio.TimerHandle]


class FakeTransport(asyncio.Transport):
    """A transport of which a test takes what was written."""

    def __init__(self, connection: asyncio.Protocol, server_end: socket.socket) -> None:
        super().__init__({"socket": server_end})
        self.connection = connection
        self.buffered = 0
        self.is_paused = self.is_aborted = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.buffered += len(data)
        if self.buffered > 4 * LOW_WATER and not self.is_paused:
            self.is_paused = True
            self.connection.pause_writing()

    def take(self, count: int) -> None:
        self.buffered = max(0, self.buffered - count)
        if self.buffered <= LOW_WATER and self.is_paused:
            self.is_paused = False
            self.connection.resume_writing()

    def get_write_buffer_size(self) -> int:
        return self.buffered

    def is_closing(self) -> bool:
        return self.is_aborted

    def abort(self) -> None:
        self.is_aborted = True


@pytest.mark.parametrize(
    ("first", "then", "is_cut"), [(85_000, 0, True), (85_000, 100, True), (85_000, 4_000, False)]
)
async def test_the_end_of_a_response_is_taken_as_fast_as_the_rest(
    monkeypatch: pytest.MonkeyPatch, first: int, then: int, *, is_cut: bool
) -> None:
    config = uvicorn.Config(Response(bytes(100_000)), lifespan="off", log_config=None)
    connection = http_protocol(ConnectionLimits(pace=QUICK))(config, ServerState(), {})
    checks: list[Callable[[], None]] = []

    def timer(_: float, check: Callable[..., None], *args: object) -> asyncio.TimerHandle:
        handle = asyncio.get_running_loop().call_later(60, check, *args)
        if check == connection._check_taking:  # noqa: SLF001 - the test is its clock
            checks.append(lambda: None if handle.cancelled() else check(*args))
        return handle

    client_end, server_end = socket.socketpair()
    with client_end, server_end:
        transport = FakeTransport(connection, server_end)
        connection.connection_made(transport)
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(connection, "loop", TimedLoop(loop.create_task, timer))
        connection.data_received(HEALTH)
        await asyncio.gather(*connection.tasks)
        transport.take(first)
        assert 0 < transport.buffered <= LOW_WATER
        while transport.buffered and not transport.is_aborted and checks:
            transport.take(then)
            checks.pop()()
        assert is_cut == transport.is_aborted
        assert is_cut == bool(transport.buffered)
        connection.connection_lost(ConnectionResetError())


def test_the_limit_of_open_files_is_raised_to_the_hard_one() -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, limits[1]))
        assert raise_descriptor_limit() == resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 256
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
