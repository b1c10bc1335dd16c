from __future__ import annotations

import asyncio
import itertools
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from benchmarks.http_load import Connection, Request, run_load
from benchmarks.systems import check_found, check_stored, search_pictograph, upload_pictograph

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"
REFUSED = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy"


@asynccontextmanager
async def server(answer: bytes, received: list[bytes]) -> AsyncIterator[str]:
    connections: list[asyncio.Task[None]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError):  # the client has closed the connection
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                size = int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0])
                received.append(head + await reader.readexactly(size))
                writer.write(answer)
        writer.close()
        await writer.wait_closed()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(asyncio.create_task(serve(reader, writer)))

    listening = await asyncio.start_server(accept, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    async with listening:
        yield f"http://127.0.0.1:{port}"
        await asyncio.gather(*connections)


@pytest.mark.parametrize("answer", [PLAIN, CHUNKED])
async def test_bodies_of_known_and_of_unknown_length_are_read(answer: bytes) -> None:
    received: list[bytes] = []
    async with server(answer, received) as url, Connection.open(url) as connection:
        assert b"hello" == await connection.send(Request.json("/graphql", {"query": "{ a }"}))
        assert b"hello" == await connection.send(Request("GET", "/search?q=a"))
    assert received[0].startswith(b"POST /graphql HTTP/1.1\r\nHost: 127.0.0.1:")
    assert received[0].endswith(b'\r\n\r\n{"query": "{ a }"}')
    assert received[1].startswith(b"GET /search?q=a HTTP/1.1\r\n")


async def test_a_refusal_is_no_result() -> None:
    async with server(REFUSED, []) as url:
        with pytest.raises(ValueError, match="503"):
            await run_load(url, [Request("GET", "/")], clients=1, seconds=60, check=bytes)


async def test_clients_share_the_requests_and_stop_at_their_end() -> None:
    received: list[bytes] = []
    requests = [Request("GET", f"/{number}") for number in range(10)]
    async with server(PLAIN, received) as url:
        load = await run_load(url, requests, clients=3, seconds=60, check=bytes)
    assert 10 == len(load.milliseconds)
    assert {f"/{number}" for number in range(10)} == {
        each.split(b" ")[1].decode() for each in received
    }
    assert pytest.approx(10 / load.seconds) == load.per_second


async def test_endless_requests_stop_at_the_end_of_the_time() -> None:
    async with server(PLAIN, []) as url:
        endless = itertools.repeat(Request("GET", "/"))
        load = await run_load(url, endless, clients=2, seconds=0.05, check=bytes)
    assert load.milliseconds


@pytest.mark.parametrize("body", [b'{"data":{"searchImages":{"edges":[{"score":1', b'{"hits": [{"'])
def test_an_answer_with_hits_is_a_success(body: bytes) -> None:
    check_found(body)


@pytest.mark.parametrize("body", [b'{"data":{"searchImages":{"edges":[]}}}', b'{"errors":[]}'])
def test_an_answer_without_hits_is_no_success(body: bytes) -> None:
    with pytest.raises(ValueError, match="no success"):
        check_found(body)


def test_a_duplicate_is_no_upload() -> None:
    check_stored(b'{"data":{"uploadImages":{"results":[{"isDuplicate":false')
    check_stored(b'{"id":"1"}')
    with pytest.raises(ValueError, match="no success"):
        check_stored(b'{"data":{"uploadImages":{"results":[{"isDuplicate":true')


def test_a_form_has_its_fields_before_its_file() -> None:
    body = upload_pictograph("a.jpg", b"\xff\xd8").body
    assert body.index(b'name="operations"') < body.index(b'name="map"') < body.index(b"\xff\xd8")
    assert b'filename="a.jpg"' in body


def test_a_search_asks_for_its_text() -> None:
    assert b'"text": "a red boat"' in search_pictograph("a red boat").body
