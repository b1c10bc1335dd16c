"""Subscriptions, over WebSocket and over Server-Sent Events."""

# ruff: noqa: ANN401 - a response is any JSON

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import httpx
import pytest

from domain.entities.embeddings import Embedding, Ranking
from domain.entities.images import Image, ImageStatus, uuid7
from domain.entities.keys import ApiKey, Scope, digest
from domain.errors import Overloaded, Unavailable
from graph.http.app import create_app
from graph.http.options import HttpOptions
from graph.schema.ids import global_id
from tests.fakes.events import MemoryEvents
from tests.fakes.images import image_with
from tests.graph.fake_server import FakeBackend
from tests.graph.recording_fakes import RecordingCatalog
from tests.graph.subscription_clients import (
    ACCEPT_SSE,
    Subscribe,
    all_results,
    next_result,
    over_sse,
    over_websocket,
    results_of,
    running,
)

STATUS = "subscription ($ids: [ID!]!) { imageStatusChanged(imageIds: $ids) { id status } }"
MATCHES = """
    subscription ($by: ImageSearchBy!, $filter: ImageFilter, $least: Float) {
      imageMatched(by: $by, filter: $filter, minRelevance: $least) {
        cursor node { id tags } score relevance band collapsedCount
      }
    }
"""
RED = {"by": {"text": "red"}}
PROCESSING, READY = ImageStatus.PROCESSING, ImageStatus.READY
TIMEOUT_SECONDS = 1.0


@pytest.fixture(params=[over_websocket, over_sse])
def subscribe(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
async def url(backend: FakeBackend) -> AsyncIterator[str]:
    async with running(create_app(backend.use_cases)) as url:
        yield url


@pytest.fixture
async def impatient_url(backend: FakeBackend) -> AsyncIterator[str]:
    """A server with a short time limit of operations."""
    options = HttpOptions(operation_seconds=TIMEOUT_SECONDS)
    async with running(create_app(backend.use_cases, options)) as url:
        yield url


async def add_image(backend: FakeBackend, colour: str, **facts: Any) -> Image:
    """Add an image that is embedded as a colour."""
    [embedding] = await backend.encoder.encode_texts([colour])
    return await backend.catalog.add(image_with(**facts), embedding)


async def add_pending(backend: FakeBackend) -> Image:
    return await backend.catalog.add_pending(image_with(status=PROCESSING))


async def until_listening(catalog: RecordingCatalog, count: int = 1) -> None:
    async with asyncio.timeout(60):
        while len(catalog.events.listeners) != count:  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0.01)


def status_of(image: Image, status: ImageStatus) -> Any:
    changed = {"id": global_id(image.id), "status": status.name}
    return {"data": {"imageStatusChanged": changed}}


async def test_images_are_watched_until_all_are_ready_or_failed(
    url: str, backend: FakeBackend, subscribe: Subscribe
) -> None:
    images = [await add_pending(backend), await add_pending(backend)]
    ids = {"ids": [global_id(image.id) for image in images]}
    async with subscribe(url, STATUS, ids) as results:
        assert [status_of(image, PROCESSING) for image in images] == [
            await next_result(results) for _ in images
        ]
        backend.catalog.put(replace(images[1], status=ImageStatus.FAILED))
        assert status_of(images[1], ImageStatus.FAILED) == await next_result(results)
        backend.catalog.put(replace(images[0], status=READY))
        assert [status_of(images[0], READY)] == await all_results(results)
    assert not backend.catalog.events.listeners


async def test_a_live_search_yields_matching_images_that_become_ready(
    url: str, backend: FakeBackend, subscribe: Subscribe
) -> None:
    variables = {**RED, "filter": {"tagsAny": ["sea"]}, "least": 0.2}
    async with subscribe(url, MATCHES, variables) as results:
        await until_listening(backend.catalog)
        await add_image(backend, "red")
        await add_image(backend, "blue", tags=("sea",))
        image = await add_image(backend, "red", tags=("sea",))
        edge = (await next_result(results))["data"]["imageMatched"]
    assert edge == {
        "cursor": global_id(image.id),
        "node": {"id": global_id(image.id), "tags": ["sea"]},
        "score": pytest.approx(1),
        "relevance": pytest.approx(1, abs=0.01),
        "band": "STRONG",
        "collapsedCount": 1,
    }


@pytest.mark.parametrize(
    ("query", "variables", "code", "argument"),
    [
        (STATUS, {"ids": ["x"]}, "BAD_USER_INPUT", "imageIds.0"),
        (STATUS, {"ids": [global_id(uuid7())]}, "NOT_FOUND", "imageIds"),
        (STATUS, {"ids": [global_id(uuid7())] * 101}, "BAD_USER_INPUT", "imageIds"),
        (MATCHES, {"by": {"text": ""}}, "BAD_USER_INPUT", "by.text"),
        (MATCHES, {"by": {"searchId": str(uuid7())}}, "SEARCH_EXPIRED", "by.searchId"),
        (MATCHES, {**RED, "least": 2}, "BAD_USER_INPUT", "minRelevance"),
    ],
)
async def test_a_refused_subscription_has_a_code_and_a_path(  # noqa: PLR0913 - the parameters of a case
    url: str, *, subscribe: Subscribe, query: str, variables: Any, code: str, argument: str
) -> None:
    async with subscribe(url, query, variables) as results:
        [result] = await all_results(results)
    [error] = result["errors"]
    assert {"code": code, "argument": argument} == error["extensions"]
    assert not result.get("data")


async def test_subscriptions_need_the_scope_read(
    backend: FakeBackend, subscribe: Subscribe
) -> None:
    use_cases = backend.use_cases(public_reading=False)
    async with running(create_app(lambda: use_cases)) as url:
        for query, variables in ((STATUS, {"ids": []}), (MATCHES, RED)):
            async with subscribe(url, query, variables) as results:
                [result] = await all_results(results)
            assert "UNAUTHENTICATED" == result["errors"][0]["extensions"]["code"]


async def test_a_bug_is_masked_and_logged_once(
    url: str,
    backend: FakeBackend,
    subscribe: Subscribe,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def broken(*_: object) -> set[Any]:
        message = "secret"
        raise RuntimeError(message)

    monkeypatch.setattr(backend.catalog, "matching", broken)
    async with subscribe(url, MATCHES, RED) as results:
        await until_listening(backend.catalog)
        await add_image(backend, "red")
        [result] = await all_results(results)
    assert "Internal server error" == result["errors"][0]["message"]
    assert 1 == len([record for record in caplog.records if record.levelname == "ERROR"])
    assert not backend.catalog.events.listeners


async def test_a_subscription_ends_when_its_client_disconnects(
    url: str, backend: FakeBackend, subscribe: Subscribe, caplog: pytest.LogCaptureFixture
) -> None:
    image = await add_pending(backend)
    async with subscribe(url, STATUS, {"ids": [global_id(image.id)]}) as results:
        await next_result(results)
        async with subscribe(url, MATCHES, RED):
            await until_listening(backend.catalog, 2)
        await until_listening(backend.catalog, 1)
    await until_listening(backend.catalog, 0)
    assert [] == [record for record in caplog.records if record.levelname == "ERROR"]


async def test_waiting_for_events_has_no_time_limit(
    impatient_url: str, backend: FakeBackend, subscribe: Subscribe
) -> None:
    async with subscribe(impatient_url, MATCHES, RED) as results:
        await until_listening(backend.catalog)
        for _ in range(2):
            await asyncio.sleep(1.1 * TIMEOUT_SECONDS)
            image = await add_image(backend, "red")
            result = await next_result(results)
            assert "errors" not in result
            assert global_id(image.id) == result["data"]["imageMatched"]["cursor"]


async def test_the_start_of_a_subscription_times_out(
    impatient_url: str, backend: FakeBackend, subscribe: Subscribe, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def slow(_: Sequence[str]) -> list[Embedding]:
        await asyncio.sleep(60)
        return []

    monkeypatch.setattr(backend.encoder, "encode_texts", slow)
    async with subscribe(impatient_url, MATCHES, RED) as results:
        [result] = await all_results(results)
    assert "TIMEOUT" == result["errors"][0]["extensions"]["code"]
    assert not backend.catalog.events.listeners


SIMILAR = """
    subscription { imageMatched(by: {text: "red"}) { node { similarImages { edges { score } } } } }
"""


async def test_each_result_of_a_subscription_times_out(
    impatient_url: str, backend: FakeBackend, subscribe: Subscribe, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def slow(*_: object, **__: object) -> Ranking:
        await asyncio.sleep(60)
        return Ranking((), exact=True)

    monkeypatch.setattr(backend.catalog, "search", slow)
    async with subscribe(impatient_url, SIMILAR) as results:
        await until_listening(backend.catalog)
        await add_image(backend, "red")
        [result] = await all_results(results)
    assert "TIMEOUT" == result["errors"][0]["extensions"]["code"]
    assert not backend.catalog.events.listeners


async def test_the_search_limit_applies_to_each_result_of_a_subscription(
    url: str, backend: FakeBackend, subscribe: Subscribe
) -> None:
    async with subscribe(url, SIMILAR) as results:
        await until_listening(backend.catalog)
        for _ in range(12):
            await add_image(backend, "red")
            assert "errors" not in await next_result(results)


async def test_a_subscription_that_searches_for_many_images_is_refused(
    url: str, backend: FakeBackend, subscribe: Subscribe
) -> None:
    query = """
        subscription ($ids: [ID!]!) {
          imageStatusChanged(imageIds: $ids) { similarImages { edges { score } } }
        }
    """
    images = [await add_image(backend, "red") for _ in range(11)]
    async with subscribe(url, query, {"ids": [global_id(each.id) for each in images]}) as results:
        [result] = await all_results(results)
    assert "QUERY_TOO_LARGE" == result["errors"][0]["extensions"]["code"]


async def test_too_many_subscriptions_are_overloaded(
    backend: FakeBackend, subscribe: Subscribe
) -> None:
    backend.catalog.events = MemoryEvents(most=1)
    async with running(create_app(backend.use_cases)) as url:
        async with subscribe(url, MATCHES, RED):
            await until_listening(backend.catalog)
            async with subscribe(url, STATUS, {"ids": []}) as results:
                [result] = await all_results(results)
            assert "OVERLOADED" == result["errors"][0]["extensions"]["code"]
        await until_listening(backend.catalog, 0)


async def test_a_subscription_has_one_root_field(url: str, subscribe: Subscribe) -> None:
    query = """
        subscription {
          imageMatched(by: {text: "red"}) { score }
          imageStatusChanged(imageIds: []) { id }
        }
    """
    async with subscribe(url, query) as results:
        [result] = await all_results(results)
    assert "must select only one top level field" in result["errors"][0]["message"]


async def test_a_subscription_ends_when_its_key_was_revoked(
    backend: FakeBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("graph.schema.context.KEY_CHECK_SECONDS", 0)
    key = ApiKey(uuid7(), "reader", digest("reader"), frozenset({Scope.READ}), backend.clock())
    await backend.keys.add(key)
    use_cases = backend.use_cases(public_reading=False)
    image = await add_pending(backend)
    async with (
        running(create_app(lambda: use_cases)) as url,
        httpx.AsyncClient(base_url=url, timeout=60) as http,
        http.stream(
            "POST",
            "/graphql",
            json={"query": STATUS, "variables": {"ids": [global_id(image.id)]}},
            headers={**ACCEPT_SSE, "Authorization": "Bearer reader"},
        ) as response,
        aclosing(results_of(response)) as results,
    ):
        first = await next_result(results)
        assert "PROCESSING" == first["data"]["imageStatusChanged"]["status"]
        await backend.keys.revoke(key.id, backend.clock())
        backend.catalog.put(replace(image, status=READY))
        [ended] = await all_results(results)
        assert "UNAUTHENTICATED" == ended["errors"][0]["extensions"]["code"]
        assert ended.get("data") is None


@pytest.mark.parametrize(
    ("outage", "code"),
    [
        (Unavailable("The database does not answer."), "SERVICE_UNAVAILABLE"),
        (Overloaded("Too many requests; try again later."), "OVERLOADED"),
    ],
)
async def test_a_subscription_ends_with_an_error_when_its_key_cannot_be_checked(
    backend: FakeBackend,
    monkeypatch: pytest.MonkeyPatch,
    *,
    subscribe: Subscribe,
    outage: Exception,
    code: str,
) -> None:
    monkeypatch.setattr("graph.schema.context.KEY_CHECK_SECONDS", 0)
    key = ApiKey(uuid7(), "reader", digest("reader"), frozenset({Scope.READ}), backend.clock())
    await backend.keys.add(key)
    image = await add_pending(backend)
    variables = {"ids": [global_id(image.id)]}
    async with (
        running(create_app(backend.use_cases)) as url,
        subscribe(url, STATUS, variables, key="reader") as results,
    ):
        assert status_of(image, PROCESSING) == await next_result(results)
        backend.keys.error = outage
        backend.catalog.put(replace(image, status=READY))
        [ended] = await all_results(results)
        assert code == ended["errors"][0]["extensions"]["code"]
        assert ended.get("data") is None
    assert not backend.catalog.events.listeners
