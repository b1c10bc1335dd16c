"""GraphQL over WebSocket, as graphql-ws speaks it."""

# ruff: noqa: ANN401 - what a server answers is any JSON

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from domain.entities.images import uuid7
from graph.http.app import create_app
from graph.http.options import HttpOptions
from graph.schema.ids import global_id
from tests.graph.fake_server import FakeBackend
from tests.graph.multipart_requests import KEY
from tests.graph.subscription_clients import running

PROTOCOL = Subprotocol("graphql-transport-ws")
ORIGIN = "https://gallery.example"


@pytest.fixture
async def address(backend: FakeBackend) -> AsyncIterator[Any]:
    """Return where a real server listens."""
    options = HttpOptions(cors_origins=(ORIGIN,), max_operations=2, operation_seconds=1)
    app = create_app(backend.use_cases, options)
    async with running(app) as url:
        yield url.replace("http://", "ws://") + "/graphql"


class Talk:
    """One connection, in messages."""

    def __init__(self, ws: ClientConnection) -> None:
        self.ws = ws

    async def send(self, kind: str, **rest: object) -> None:
        await self.ws.send(json.dumps({"type": kind, **rest}))

    async def hear(self) -> Any:
        return json.loads(await asyncio.wait_for(self.ws.recv(), 60))

    async def begin(self, payload: object = None) -> Any:
        await self.send("connection_init", **({"payload": payload} if payload else {}))
        return await self.hear()

    async def ask(self, query: str, **payload: object) -> Any:
        """Return the messages that answer a query."""
        await self.send("subscribe", id="1", payload={"query": query, **payload})
        heard = [await self.hear()]
        if heard[0]["type"] == "next":
            heard.append(await self.hear())
        return heard

    async def closed(self) -> Any:
        """Return the code that the server closes with."""
        with pytest.raises(ConnectionClosed) as closing:
            await self.hear()
        assert closing.value.rcvd
        return closing.value.rcvd.code


@asynccontextmanager
async def talking(address: str, **options: Any) -> AsyncIterator[Any]:
    async with connect(address, subprotocols=[PROTOCOL], proxy=None, **options) as ws:
        yield Talk(ws)


async def test_a_query_is_answered_and_completed(address: str) -> None:
    async with talking(address) as talk:
        assert "connection_ack" == (await talk.begin())["type"]
        answer, end = await talk.ask("{ __typename images { nodes { url } } }")
        assert {"__typename": "Query", "images": {"nodes": []}} == answer["payload"]["data"]
        assert "complete" == end["type"]


@pytest.mark.parametrize("how", ["payload", "header"])
async def test_the_key_comes_in_the_first_message_or_the_header(address: str, how: str) -> None:
    sent = {"Authorization": f"Bearer {KEY}"}
    change = "mutation { deleteImages(input: {ids: []}) { deletedImageIds } }"
    async with talking(address, additional_headers=sent if how == "header" else None) as talk:
        await talk.begin(sent if how == "payload" else None)
        answer, _ = await talk.ask(change)
        assert {"deleteImages": {"deletedImageIds": []}} == answer["payload"]["data"]


async def test_without_a_key_nothing_is_changed(address: str) -> None:
    async with talking(address) as talk:
        await talk.begin()
        answer, _ = await talk.ask(
            "mutation { deleteImages(input: {ids: []}) { deletedImageIds } }"
        )
        assert "UNAUTHENTICATED" == answer["payload"]["errors"][0]["extensions"]["code"]


@pytest.mark.parametrize("sent", ["Bearer wrong", "Basic x", 1])
async def test_a_wrong_key_ends_the_connection(address: str, sent: object) -> None:
    async with talking(address) as talk:
        await talk.send("connection_init", payload={"authorization": sent})
        assert 4403 == await talk.closed()


async def test_nothing_is_answered_before_the_first_message(address: str) -> None:
    async with talking(address) as talk:
        await talk.send("subscribe", id="1", payload={"query": "{ __typename }"})
        assert 4401 == await talk.closed()


@pytest.mark.parametrize(
    "query",
    [
        "{ nothing }",
        "{ a" * 13 + " }" * 13,
        "subscription { nothing }",
        "{ __typename }" + " " * 16_000,
        "{",
        "",
    ],
)
async def test_a_query_that_is_refused_is_an_error_message(address: str, query: str) -> None:
    async with talking(address) as talk:
        await talk.begin()
        [answer] = await talk.ask(query)
        assert "error" == answer["type"]
        assert answer["payload"][0]["message"]
        [_, end] = await talk.ask("{ __typename }")
        assert "complete" == end["type"]


async def test_an_operation_name_of_nothing_is_told(address: str) -> None:
    async with talking(address) as talk:
        await talk.begin()
        await talk.send(
            "subscribe", id="1", payload={"query": "{ __typename }", "operationName": "Nobody"}
        )
        assert "error" == (await talk.hear())["type"]


@pytest.mark.parametrize(
    "text",
    [
        "nonsense",
        "1",
        "null",
        "[]",
        "{}",
        '{"type": 1}',
        '{"type": "unheard"}',
        '{"type": "subscribe"}',
        '{"type": "subscribe", "id": 1, "payload": {"query": "{ __typename }"}}',
        '{"type": "subscribe", "id": "1", "payload": 1}',
        '{"type": "subscribe", "id": "1", "payload": {"query": 1}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": "{a}", "variables": 1}}',
        '{"type": "complete"}',
        '{"type": "complete", "id": []}',
        '{"type": "ping", "x": NaN}',
        "[" * 50_000,
        '{"type": "ping", "x": "' + "x" * 70_000 + '"}',
        b"\x00",
    ],
)
async def test_a_malformed_message_ends_the_connection_with_4400(
    address: str, text: str | bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with talking(address) as talk:
        await talk.begin()
        await talk.ws.send(text)
        assert 4400 == await talk.closed()
    assert [] == [record for record in caplog.records if record.levelname == "ERROR"]


async def test_a_bug_is_masked_and_logged_once(
    address: str, backend: FakeBackend, caplog: pytest.LogCaptureFixture
) -> None:
    backend.catalog.error = ConnectionRefusedError("secret")
    async with talking(address) as talk:
        await talk.begin()
        answer, _ = await talk.ask("{ images { totalCount } }")
    assert "Internal server error" == answer["payload"]["errors"][0]["message"]
    assert 1 == len([record for record in caplog.records if record.levelname == "ERROR"])


async def test_an_operation_has_its_time_and_no_more(address: str, backend: FakeBackend) -> None:
    backend.catalog.slow = True
    async with talking(address) as talk:
        await talk.begin()
        heard = await talk.ask("{ images { nodes { id } } }")
        assert "TIMEOUT" in json.dumps(heard)


async def test_a_connection_runs_few_operations_at_once(address: str, backend: FakeBackend) -> None:
    backend.catalog.slow = True
    async with talking(address) as talk:
        await talk.begin()
        for name in "abc":
            await talk.send("subscribe", id=name, payload={"query": "{ images { nodes { id } } }"})
        answer = await talk.hear()
        assert ("c", "error") == (answer["id"], answer["type"])


async def test_operations_of_one_connection_share_no_lookups(
    address: str, backend: FakeBackend
) -> None:

    async with talking(address) as talk:
        await talk.begin()
        for _ in range(2):
            await talk.ask(f'{{ image(id: "{global_id(uuid7())}") {{ id }} }}')
    assert 2 == backend.catalog.get_calls


async def test_pages_of_other_origins_get_no_connection(address: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with talking(address, origin="https://evil.test"):
            pass
    assert 403 == refused.value.response.status_code
    for origin in (ORIGIN, address.replace("ws://", "http://").removesuffix("/graphql")):
        async with talking(address, origin=origin) as talk:
            assert "connection_ack" == (await talk.begin())["type"]


async def test_another_protocol_is_not_spoken(address: str) -> None:
    async with connect(address, subprotocols=[Subprotocol("graphql-ws")], proxy=None) as ws:
        with pytest.raises(ConnectionClosed) as closing:
            await ws.recv()
    assert closing.value.rcvd
    assert 4406 == closing.value.rcvd.code
