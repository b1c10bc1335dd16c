"""Server-Sent Events: content negotiation, format and shutdown."""

# ruff: noqa: ANN401 - a response is any JSON

import asyncio
import json
import logging
import os
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from graph.http import event_stream, server
from graph.http.app import create_app
from graph.http.options import HttpOptions
from graph.schema.ids import global_id
from tests.fakes.imaging import picture_file
from tests.graph.fake_server import Client, FakeBackend
from tests.graph.multipart_requests import KEY, multipart, upload_form
from tests.graph.subscription_clients import (
    ACCEPT_SSE,
    all_results,
    next_result,
    over_sse,
    over_websocket,
    results_of,
    running,
)
from tests.graph.test_subscriptions import MATCHES, RED, STATUS, add_image, until_listening

NOTHING = "subscription { imageStatusChanged(imageIds: []) { id } }"
URQL = (
    "application/graphql-response+json, application/graphql+json, application/json, "
    "text/event-stream, multipart/mixed"
)
COMPLETE = "event: complete\ndata:\n\n"
MIME = "text/event-stream; charset=utf-8"


def streamed(response: object) -> str:
    text = json.dumps(response, separators=(",", ":"), ensure_ascii=False)
    return f"event: next\ndata: {text}\n\n{COMPLETE}"


@pytest.fixture
async def url(backend: FakeBackend) -> AsyncIterator[str]:
    async with running(create_app(backend.use_cases)) as url:
        yield url


async def post(client: Client, query: str, *, accept: str = "text/event-stream") -> httpx.Response:
    return await client.http.post("/graphql", json={"query": query}, headers={"Accept": accept})


@pytest.mark.parametrize(
    "accept",
    [
        "text/event-stream",
        "Text/Event-Stream;q=0.5",
        "text/event-stream, application/json",
        "application/json;q=0.9, text/event-stream",
        "text/event-stream, multipart/mixed, */*;q=0.1",
    ],
)
async def test_a_client_that_prefers_events_gets_an_event_stream(
    client: Client, accept: str
) -> None:
    response = await post(client, "{ __typename }", accept=accept)
    assert MIME == response.headers["content-type"]
    assert streamed({"data": {"__typename": "Query"}}) == response.text


@pytest.mark.parametrize(
    "accept",
    [
        URQL,
        "application/json, text/event-stream",
        "text/event-stream;q=0.9, application/json",
        "text/event-stream;q=0",
        "*/*",
        "",
    ],
)
async def test_a_client_that_prefers_json_gets_json(client: Client, accept: str) -> None:
    response = await post(client, "{ __typename }", accept=accept)
    assert "json" in response.headers["content-type"]
    assert {"data": {"__typename": "Query"}} == response.json()
    refused = await post(client, NOTHING, accept=accept)
    assert 400 == refused.status_code
    [error] = refused.json()["errors"]
    assert (
        "A subscription needs a stream: use WebSocket (graphql-transport-ws), or Server-Sent "
        "Events with the header “Accept: text/event-stream”."
    ) == error["message"]


async def test_events_are_neither_cached_nor_buffered(client: Client) -> None:
    response = await post(client, NOTHING)
    assert COMPLETE == response.text
    assert "no-store" == response.headers["cache-control"]
    assert "no" == response.headers["x-accel-buffering"]
    assert "Accept" == response.headers["vary"]


async def test_an_event_source_of_a_browser_can_subscribe_by_get(client: Client) -> None:
    for query, text in ((NOTHING, COMPLETE), ("{ __typename }", None)):
        response = await client.http.get("/graphql", params={"query": query}, headers=ACCEPT_SSE)
        assert (200, MIME) == (response.status_code, response.headers["content-type"])
        assert text in (None, response.text)


async def test_a_mutation_by_get_is_refused_as_an_event_stream_too(client: Client) -> None:
    query = "mutation { deleteImages(input: {ids: []}) { deletedImageIds } }"
    response = await client.http.get("/graphql", params={"query": query}, headers=ACCEPT_SSE)
    assert 405 == response.status_code
    allowed = {**ACCEPT_SSE, "Authorization": f"Bearer {KEY}"}
    changed = await client.http.post("/graphql", json={"query": query}, headers=allowed)
    assert streamed({"data": {"deleteImages": {"deletedImageIds": []}}}) == changed.text


@pytest.mark.parametrize("query", ["{ nothing }", "{", "subscription { nothing }"])
async def test_a_request_error_is_a_result_of_the_stream(client: Client, query: str) -> None:
    response = await post(client, query)
    assert 200 == response.status_code
    [result] = [each async for each in results_of(response)]
    assert result.keys() == {"errors"}
    assert result["errors"][0]["message"]


@pytest.mark.parametrize("body", [b"null", b"{", b'{"query": 1}', b"[]"])
async def test_a_malformed_request_is_refused_as_json(client: Client, body: bytes) -> None:
    headers = {**ACCEPT_SSE, "Content-Type": "application/json"}
    response = await client.http.post("/graphql", content=body, headers=headers)
    assert (400, "application/json") == (response.status_code, response.headers["content-type"])


async def test_a_wrong_key_is_refused_as_json(client: Client) -> None:
    headers = {**ACCEPT_SSE, "Authorization": "Bearer wrong"}
    response = await client.http.post("/graphql", json={"query": NOTHING}, headers=headers)
    assert (401, "application/json") == (response.status_code, response.headers["content-type"])


async def test_line_breaks_in_a_value_do_not_split_an_event(
    client: Client, backend: FakeBackend
) -> None:
    image = await add_image(backend, "red", alt_text="a\nb\r\n\x85\u2028\u2029c")
    query = "{ images { nodes { altText } } }"
    [result] = [each async for each in results_of(await post(client, query))]
    assert image.alt_text == result["data"]["images"]["nodes"][0]["altText"]


async def test_comments_are_sent_as_heartbeats(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "HEARTBEAT_SECONDS", 0.01)
    received = b""
    async with (
        httpx.AsyncClient(base_url=url, timeout=60) as http,
        http.stream(
            "POST", "/graphql", json={"query": MATCHES, "variables": RED}, headers=ACCEPT_SSE
        ) as response,
    ):
        async for chunk in response.aiter_bytes():
            received += chunk
            if len(received) >= 9:
                break
    assert received.startswith(b":\n\n:\n\n:\n\n")


async def test_a_live_search_can_use_an_example_picture(url: str, backend: FakeBackend) -> None:
    form = multipart(
        {"query": MATCHES, "variables": {"by": {"image": None}}},
        {"0": ["variables.by.image"]},
        {"0": ("red.png", picture_file((255, 0, 0)))},
    )
    headers = {**ACCEPT_SSE, "GraphQL-Require-Preflight": "1"}
    async with (
        httpx.AsyncClient(base_url=url, timeout=60) as http,
        http.stream("POST", "/graphql", headers=headers, **form) as response,
    ):
        results = results_of(response)
        await until_listening(backend.catalog)
        while not backend.encoder.pictures:  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0.01)
        image = await add_image(backend, "red")
        assert global_id(image.id) == (await next_result(results))["data"]["imageMatched"]["cursor"]
        await results.aclose()


async def test_idle_live_searches_by_pictures_leave_the_places_of_forms_to_uploads(
    backend: FakeBackend,
) -> None:
    form = multipart(
        {"query": MATCHES, "variables": {"by": {"image": None}}},
        {"0": ["variables.by.image"]},
        {"0": ("red.png", picture_file((255, 0, 0)))},
    )
    headers = {"GraphQL-Require-Preflight": "1", "Authorization": f"Bearer {KEY}"}
    app = create_app(backend.use_cases, HttpOptions(max_forms=2))
    async with (
        running(app) as url,
        httpx.AsyncClient(base_url=url, timeout=60) as http,
        AsyncExitStack() as streams,
    ):

        async def accepted(request: dict[str, Any], **more: str) -> httpx.Response:
            """Send a form until it is accepted, as the place of the last one is given back soon."""
            async with asyncio.timeout(10):
                while True:
                    stream = http.stream("POST", "/graphql", headers=headers | more, **request)
                    response = await streams.enter_async_context(stream)
                    if response.status_code != 503:
                        return response

        for count in (1, 2, 3):
            await accepted(form, **ACCEPT_SSE)
            await until_listening(backend.catalog, count)
        upload = await accepted(upload_form({"a.png": picture_file()}))
        await upload.aread()
        assert [] == upload.json()["data"]["uploadImages"]["userErrors"]


@pytest.mark.parametrize("subscribe", [over_sse, over_websocket])
async def test_a_graceful_shutdown_ends_all_streams(
    backend: FakeBackend, subscribe: Any, caplog: pytest.LogCaptureFixture
) -> None:
    app = create_app(backend.use_cases)
    ready = asyncio.Event()
    with server.bind("127.0.0.1", 0) as listening:
        serving = asyncio.create_task(
            server.serve(
                app,
                listening,
                log_level="info",
                ready=lambda _: ready.set(),
                stopping=app.state.stopping.set,
            )
        )
        await ready.wait()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        async with subscribe(url, MATCHES, RED) as results:
            await until_listening(backend.catalog)
            os.kill(os.getpid(), signal.SIGTERM)
            if subscribe is over_sse:
                [result] = await all_results(results)
                assert "SERVICE_UNAVAILABLE" == result["errors"][0]["extensions"]["code"]
            else:
                with pytest.raises(ConnectionClosed) as closing:
                    await next_result(results)
                assert closing.value.rcvd
                assert 1012 == closing.value.rcvd.code
        await asyncio.wait_for(serving, 60)
    assert not backend.catalog.events.listeners
    assert [] == [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_an_event_stream_ends_when_its_client_disconnects(
    url: str, backend: FakeBackend
) -> None:
    async with over_sse(url, STATUS, {"ids": []}) as results:
        assert [] == await all_results(results)
    async with over_sse(url, MATCHES, RED):
        await until_listening(backend.catalog)
    await until_listening(backend.catalog, 0)
