"""GraphQL over WebSocket with the protocol of graphql-ws."""

# ruff: noqa: ANN401 - a response is any JSON

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from domain.concurrency import may_use_reserve
from domain.entities.images import uuid7
from domain.entities.keys import ApiKey, Scope, digest
from domain.errors import Overloaded, Unavailable
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
    """Yield the WebSocket URL of a real server."""
    options = HttpOptions(cors_origins=(ORIGIN,), max_operations=2, operation_seconds=1)
    app = create_app(backend.use_cases, options)
    async with running(app) as url:
        yield url.replace("http://", "ws://") + "/graphql"


class Connection:
    """A client's connection that sends and receives single messages."""

    def __init__(self, ws: ClientConnection) -> None:
        self.ws = ws

    async def send(self, kind: str, **fields: object) -> None:
        await self.ws.send(json.dumps({"type": kind, **fields}))

    async def receive(self) -> Any:
        return json.loads(await asyncio.wait_for(self.ws.recv(), 60))

    async def init(self, payload: object = None) -> Any:
        await self.send("connection_init", **({"payload": payload} if payload else {}))
        return await self.receive()

    async def ask(self, query: str, **payload: object) -> Any:
        """Return the messages that response a query."""
        await self.send("subscribe", id="1", payload={"query": query, **payload})
        messages = [await self.receive()]
        if messages[0]["type"] == "next":
            messages.append(await self.receive())
        return messages

    async def close_code(self) -> Any:
        """Return the code with which the server closes."""
        with pytest.raises(ConnectionClosed) as closing:
            await self.receive()
        assert closing.value.rcvd
        return closing.value.rcvd.code


@asynccontextmanager
async def connected(address: str, **options: Any) -> AsyncIterator[Any]:
    async with connect(address, subprotocols=[PROTOCOL], proxy=None, **options) as ws:
        yield Connection(ws)


async def test_a_query_is_answered_and_completed(address: str) -> None:
    async with connected(address) as connection:
        assert "connection_ack" == (await connection.init())["type"]
        response, end = await connection.ask("{ __typename images { nodes { url } } }")
        assert {"__typename": "Query", "images": {"nodes": []}} == response["payload"]["data"]
        assert "complete" == end["type"]


@pytest.mark.parametrize("how", ["payload", "header"])
async def test_the_key_is_read_from_connection_init_or_the_header(address: str, how: str) -> None:
    sent = {"Authorization": f"Bearer {KEY}"}
    change = "mutation { deleteImages(input: {ids: []}) { deletedImageIds } }"
    async with connected(
        address, additional_headers=sent if how == "header" else None
    ) as connection:
        await connection.init(sent if how == "payload" else None)
        response, _ = await connection.ask(change)
        assert {"deleteImages": {"deletedImageIds": []}} == response["payload"]["data"]


@pytest.mark.parametrize(
    "payload",
    [
        {"headers": {"Authorization": f"Bearer {KEY}"}},
        {"headers": {"x-api-key": KEY}, "client": "x"},
        {"AUTHORIZATION": f"bearer {KEY}"},
        {"authToken": KEY},
        {"token": f"Bearer {KEY}"},
        {"api_key": KEY},
    ],
)
async def test_the_key_is_read_from_the_usual_forms_of_connection_params(
    address: str, payload: dict[str, object]
) -> None:
    # A proxy in front may ask for a password.
    proxied = {"Authorization": "Basic bWU6c2VjcmV0"}
    async with connected(address, additional_headers=proxied) as connection:
        assert "connection_ack" == (await connection.init(payload))["type"]
        response, _ = await connection.ask(
            "mutation { deleteImages(input: {ids: []}) { deletedImageIds } }"
        )
        assert "errors" not in response["payload"]


@pytest.mark.parametrize(
    "payload", [None, {"Authorization": ""}, {"authorization": "Bearer "}, {"token": None}]
)
async def test_params_without_a_key_are_those_of_an_anonymous_caller(
    address: str, payload: dict[str, object] | None
) -> None:
    proxied = {"Authorization": "Basic bWU6c2VjcmV0"}
    async with connected(address, additional_headers=proxied) as connection:
        assert "connection_ack" == (await connection.init(payload))["type"]
        response, _ = await connection.ask("{ service { version } }")
        assert "errors" not in response["payload"]


async def test_a_mutation_without_a_key_is_refused(address: str) -> None:
    async with connected(address) as connection:
        await connection.init()
        response, _ = await connection.ask(
            "mutation { deleteImages(input: {ids: []}) { deletedImageIds } }"
        )
        assert "UNAUTHENTICATED" == response["payload"]["errors"][0]["extensions"]["code"]


async def keep_key(backend: FakeBackend, scope: Scope) -> ApiKey:
    """Keep a key whose text is its scope."""
    key = ApiKey(uuid7(), scope.name, digest(scope.name), frozenset({scope}), backend.clock())
    await backend.keys.add(key)
    return key


async def test_a_revoked_key_changes_nothing_more_over_an_open_connection(
    address: str, backend: FakeBackend
) -> None:
    key = await keep_key(backend, Scope.WRITE)
    async with connected(address) as connection:
        await connection.init({"Authorization": "Bearer WRITE"})
        change = "mutation { deleteImages(input: {ids: []}) { deletedImageIds } }"
        response, _ = await connection.ask(change)
        assert "errors" not in response["payload"]
        backend.keys.error = ConnectionRefusedError("postgres://user:secret@db")
        [failed] = await connection.ask(change)
        assert "INTERNAL_SERVER_ERROR" == failed["payload"][0]["extensions"]["code"]
        assert "secret" not in str(failed)
        backend.keys.error = None
        await backend.keys.revoke(key.id, backend.clock())
        await connection.send("subscribe", id="2", payload={"query": change})
        assert 4403 == await connection.close_code()


async def test_a_key_is_looked_up_in_the_reserved_capacity(
    address: str, backend: FakeBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    await keep_key(backend, Scope.READ)
    seen: list[bool] = []
    find = backend.keys.find

    async def recording(sha256: str) -> ApiKey | None:
        seen.append(may_use_reserve.get())
        return await find(sha256)

    monkeypatch.setattr(backend.keys, "find", recording)
    async with connected(address) as connection:
        await connection.init({"Authorization": "Bearer READ"})
    assert [True] == seen


@pytest.mark.parametrize("key", [None, "READ"])
async def test_only_operations_of_a_connection_with_a_key_use_the_reserved_capacity(
    address: str, backend: FakeBackend, monkeypatch: pytest.MonkeyPatch, key: str | None
) -> None:
    await keep_key(backend, Scope.READ)
    seen: list[bool] = []

    async def recording(_: object) -> int:
        seen.append(may_use_reserve.get())
        return 0

    monkeypatch.setattr(backend.catalog, "count", recording)
    async with connected(address) as connection:
        await connection.init({"Authorization": f"Bearer {key}"} if key else None)
        await connection.ask("{ images { totalCount } }")
    assert [key is not None] == seen


@pytest.mark.parametrize(
    "outage", [Unavailable("The database does not answer."), Overloaded("Too many requests.")]
)
async def test_a_key_that_cannot_be_checked_closes_the_connection_for_now(
    address: str, backend: FakeBackend, caplog: pytest.LogCaptureFixture, outage: Exception
) -> None:
    backend.keys.error = outage
    async with connected(address) as connection:
        await connection.send("connection_init", payload={"authorization": "Bearer READ"})
        assert 1013 == await connection.close_code()
    assert [] == [record for record in caplog.records if record.levelname == "ERROR"]


@pytest.mark.parametrize(
    "payload",
    [
        {"authorization": "Bearer wrong"},
        {"authorization": "Basic x"},
        {"authorization": 1},
        {"headers": {"Authorization": KEY}},
        {"authToken": "wrong"},
    ],
)
async def test_an_invalid_key_closes_the_connection(
    address: str, payload: dict[str, object]
) -> None:
    async with connected(address) as connection:
        await connection.send("connection_init", payload=payload)
        assert 4403 == await connection.close_code()


async def test_an_operation_before_connection_init_closes_the_connection(address: str) -> None:
    async with connected(address) as connection:
        await connection.send("subscribe", id="1", payload={"query": "{ __typename }"})
        assert 4401 == await connection.close_code()


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
async def test_a_refused_query_is_an_error_message(address: str, query: str) -> None:
    async with connected(address) as connection:
        await connection.init()
        [response] = await connection.ask(query)
        assert "error" == response["type"]
        assert response["payload"][0]["message"]
        [_, end] = await connection.ask("{ __typename }")
        assert "complete" == end["type"]


async def test_an_unknown_operation_name_is_an_error_message(address: str) -> None:
    async with connected(address) as connection:
        await connection.init()
        await connection.send(
            "subscribe", id="1", payload={"query": "{ __typename }", "operationName": "Unknown"}
        )
        assert "error" == (await connection.receive())["type"]


@pytest.mark.parametrize(
    "text",
    [
        "nonsense",
        "1",
        "null",
        "[]",
        "{}",
        '{"type": 1}',
        '{"type": "unknown"}',
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
async def test_a_malformed_message_closes_the_connection_with_4400(
    address: str, text: str | bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with connected(address) as connection:
        await connection.init()
        await connection.ws.send(text)
        assert 4400 == await connection.close_code()
    assert [] == [record for record in caplog.records if record.levelname == "ERROR"]


async def test_a_bug_is_masked_and_logged_once(
    address: str, backend: FakeBackend, caplog: pytest.LogCaptureFixture
) -> None:
    backend.catalog.error = ConnectionRefusedError("secret")
    async with connected(address) as connection:
        await connection.init()
        response, _ = await connection.ask("{ images { totalCount } }")
    assert "Internal server error" == response["payload"]["errors"][0]["message"]
    assert 1 == len([record for record in caplog.records if record.levelname == "ERROR"])


async def test_an_operation_times_out(address: str, backend: FakeBackend) -> None:
    backend.catalog.slow = True
    async with connected(address) as connection:
        await connection.init()
        messages = await connection.ask("{ images { nodes { id } } }")
        assert "TIMEOUT" in json.dumps(messages)


async def test_a_connection_has_a_limit_of_concurrent_operations(
    address: str, backend: FakeBackend
) -> None:
    backend.catalog.slow = True
    async with connected(address) as connection:
        await connection.init()
        for name in "abc":
            await connection.send(
                "subscribe", id=name, payload={"query": "{ images { nodes { id } } }"}
            )
        response = await connection.receive()
        assert ("c", "error") == (response["id"], response["type"])


async def test_operations_of_one_connection_do_not_share_lookups(
    address: str, backend: FakeBackend
) -> None:

    async with connected(address) as connection:
        await connection.init()
        for _ in range(2):
            await connection.ask(f'{{ image(id: "{global_id(uuid7())}") {{ id }} }}')
    assert 2 == backend.catalog.get_calls


async def test_pages_of_other_origins_cannot_connect(address: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with connected(address, origin="https://evil.test"):
            pass
    assert 403 == refused.value.response.status_code
    for origin in (ORIGIN, address.replace("ws://", "http://").removesuffix("/graphql")):
        async with connected(address, origin=origin) as connection:
            assert "connection_ack" == (await connection.init())["type"]


async def test_another_subprotocol_is_refused(address: str) -> None:
    async with connect(address, subprotocols=[Subprotocol("graphql-ws")], proxy=None) as ws:
        with pytest.raises(ConnectionClosed) as closing:
            await ws.recv()
    assert closing.value.rcvd
    assert 4406 == closing.value.rcvd.code
