"""Runs a real server, and subscribes over WebSocket and over Server-Sent Events."""

# ruff: noqa: ANN401 - a response is any JSON

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from typing import Any

import httpx
import uvicorn
from starlette.applications import Starlette
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

ACCEPT_SSE = {"Accept": "text/event-stream"}

Subscribe = Callable[..., AbstractAsyncContextManager[AsyncIterator[Any]]]
"""Sends an operation to a server, and yields its results until it is complete."""


@asynccontextmanager
async def running(app: Starlette) -> AsyncIterator[str]:
    """Run a server, and yield its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(app, lifespan="off", log_config=None)
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.01)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        app.state.stopping.set()
        server.should_exit = True
        await serving


@asynccontextmanager
async def over_websocket(
    url: str, query: str, variables: object = None, *, key: str | None = None
) -> AsyncIterator[AsyncIterator[Any]]:
    """Subscribe with the protocol graphql-transport-ws."""
    address = url.replace("http://", "ws://") + "/graphql"
    protocol = Subprotocol("graphql-transport-ws")

    async def results() -> AsyncGenerator[Any]:
        while True:
            message = json.loads(await asyncio.wait_for(ws.recv(), 60))
            if message["type"] == "next":
                yield message["payload"]
            elif message["type"] == "error":
                yield {"errors": message["payload"]}
                return
            else:
                assert "complete" == message["type"]
                return

    async with connect(
        address, subprotocols=[protocol], proxy=None, additional_headers=_with_key(key)
    ) as ws:
        await ws.send(json.dumps({"type": "connection_init"}))
        assert "connection_ack" == json.loads(await ws.recv())["type"]
        payload = {"query": query, "variables": variables}
        await ws.send(json.dumps({"type": "subscribe", "id": "1", "payload": payload}))
        async with aclosing(results()) as each:
            yield each


@asynccontextmanager
async def over_sse(
    url: str, query: str, variables: object = None, *, key: str | None = None
) -> AsyncIterator[AsyncIterator[Any]]:
    """Subscribe with the protocol of graphql-sse."""
    body = {"query": query, "variables": variables}
    headers = ACCEPT_SSE | _with_key(key)
    async with (
        httpx.AsyncClient(base_url=url, timeout=60) as http,
        http.stream("POST", "/graphql", json=body, headers=headers) as response,
        aclosing(results_of(response)) as each,
    ):
        yield each


def _with_key(key: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"} if key else {}


async def results_of(response: httpx.Response) -> AsyncGenerator[Any]:
    """Yield the results of an event stream, which must end with the event `complete`."""
    assert 200 == response.status_code
    assert "text/event-stream; charset=utf-8" == response.headers["content-type"]
    event = ""
    async for line in response.aiter_lines():
        if line.startswith("event: "):
            event = line.removeprefix("event: ")
        elif line.startswith("data: "):
            assert "next" == event
            yield json.loads(line.removeprefix("data: "))
        else:
            assert line in ("", ":", "data:")
    assert "complete" == event


async def next_result(results: AsyncIterator[Any]) -> Any:
    """Return the next result."""
    return await asyncio.wait_for(anext(results), 60)


async def all_results(results: AsyncIterator[Any]) -> list[Any]:
    """Return all remaining results."""
    async with asyncio.timeout(60):
        return [result async for result in results]
