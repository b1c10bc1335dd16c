"""Errors as clients and operators see them."""

# ruff: noqa: ANN401 - fakes take any arguments

import asyncio
import logging
from typing import Any

import pytest

from domain.errors import Misconfigured
from graph.schema.lazy import Lazy
from tests.fakes.imaging import picture_file
from tests.graph.fake_server import Client, FakeBackend, Serve
from tests.graph.multipart_requests import KEY, upload_form

OUTAGE = ConnectionRefusedError("postgres://user:secret@db")


async def test_a_bug_is_masked_and_logged_once_with_its_request_id(
    client: Client, backend: FakeBackend, caplog: pytest.LogCaptureFixture
) -> None:
    backend.catalog.error = OUTAGE
    query = "{ a: images { totalCount } b: images { totalCount } }"
    response = await client.http.post(
        "/graphql", json={"query": query}, headers={"X-Request-ID": "my-id.7"}
    )
    for error in response.json()["errors"]:
        assert "Internal server error" == error["message"]
        assert {"code": "INTERNAL_SERVER_ERROR", "requestId": "my-id.7"} == error["extensions"]
        assert error["path"]
    assert "secret" not in response.text
    [record] = caplog.records
    assert logging.ERROR == record.levelno
    assert "my-id.7" in record.getMessage()
    assert record.exc_info
    assert ConnectionRefusedError is record.exc_info[0]


async def test_mistakes_of_clients_are_not_logged(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    for query in (
        "{",
        "{ nothing }",
        '{ image(id: "x") { id } }',
        "{ images(first: 1, last: 1) { totalCount } }",
    ):
        await client.error(query)
    await client.http.get("/nothing")
    await client.http.post("/graphql", content=b"x")
    assert [] == caplog.records


async def test_an_outage_during_authentication_is_masked(
    client: Client, backend: FakeBackend, caplog: pytest.LogCaptureFixture
) -> None:
    backend.keys.error = OUTAGE
    response = await client.http.post(
        "/graphql", json={"query": "{ __typename }"}, headers={"Authorization": "Bearer x"}
    )
    assert 500 == response.status_code
    assert "Internal server error" == response.json()["errors"][0]["message"]
    assert response.headers["X-Request-ID"]
    assert 1 == len(caplog.records)


async def test_a_request_without_a_valid_request_id_gets_a_new_one(client: Client) -> None:
    ids = set()
    for sent in ({}, {"X-Request-ID": "a\tb"}, {"X-Request-ID": "x" * 65}, {"X-Request-ID": ""}):
        ids.add((await client.http.get("/healthz", headers=sent)).headers["X-Request-ID"])
    assert 4 == len(ids)
    assert all(32 == len(request_id) for request_id in ids)


async def test_an_operation_times_out(
    serve: Serve, backend: FakeBackend, caplog: pytest.LogCaptureFixture
) -> None:
    client = serve(operation_seconds=0.01)
    backend.catalog.slow = True
    query = {"query": "{ images { nodes { id } } }"}
    for accept, status in (("application/json", 200), ("application/graphql-response+json", 503)):
        response = await client.http.post("/graphql", json=query, headers={"Accept": accept})
        assert status == response.status_code
        [error] = response.json()["errors"]
        assert "TIMEOUT" == error["extensions"]["code"]
    assert [] == caplog.records


async def test_an_outage_during_an_upload_is_masked(
    client: Client, backend: FakeBackend, caplog: pytest.LogCaptureFixture
) -> None:
    backend.catalog.error = OUTAGE
    headers = {"Authorization": f"Bearer {KEY}", "GraphQL-Require-Preflight": "1"}
    form = upload_form({"a.png": picture_file()})
    files = (await client.http.post("/graphql", headers=headers, **form)).json()
    assert {"uploadImages": None} == files["data"]
    assert "INTERNAL_SERVER_ERROR" == files["errors"][0]["extensions"]["code"]
    assert 1 == len(caplog.records)


async def test_a_misconfigured_server_is_an_internal_error(
    client: Client, backend: FakeBackend, caplog: pytest.LogCaptureFixture
) -> None:
    backend.catalog.error = Misconfigured("The database at postgres://user:secret@db is too old.")
    error = await client.error("{ images { totalCount } }")
    assert "Internal server error" == error["message"]
    assert 1 == len(caplog.records)


async def test_a_field_that_fails_leaves_the_batched_fields_beside_it_alone(
    client: Client, backend: FakeBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = (await client.upload(picture_file()))["results"][0]["image"]
    cosines = backend.catalog.cosines
    failed = asyncio.Event()

    async def fail(*_: Any, **__: Any) -> Any:
        failed.set()
        raise OUTAGE

    async def wait(*arguments: Any) -> Any:
        await failed.wait()
        await asyncio.sleep(0.05)
        return await cosines(*arguments)

    monkeypatch.setattr(backend.catalog, "search", fail)
    monkeypatch.setattr(backend.catalog, "cosines", wait)
    labels = 'labels(candidates: ["a", "b"]) { label }'
    query = f"""query ($id: ID!) {{
        failing: image(id: $id) {{ {labels} similarImages {{ searchId }} }}
        other: image(id: $id) {{ {labels} }}
    }}"""
    response = await client.ask(query, id=image["id"])
    assert [["failing", "similarImages"]] == [error["path"] for error in response["errors"]]
    assert response["data"]["failing"] is None
    assert 2 == len(response["data"]["other"]["labels"])


async def test_work_that_is_cancelled_from_inside_is_an_internal_error(
    client: Client, backend: FakeBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def cancelled(*_: Any) -> Any:
        raise asyncio.CancelledError

    monkeypatch.setattr(backend.catalog, "count", cancelled)
    for accept in ("application/json", "text/event-stream"):
        response = await client.http.post(
            "/graphql",
            json={"query": "{ images { totalCount } }"},
            headers={"Accept": accept, "X-Request-ID": "my-id.8"},
        )
        assert 200 == response.status_code
        assert "INTERNAL_SERVER_ERROR" in response.text
        assert "my-id.8" in response.text


async def test_a_shared_result_survives_all_but_the_last_of_its_callers() -> None:
    ended: list[str] = []

    async def compute() -> int:
        try:
            await asyncio.sleep(0.05)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise
        return 7

    lazy = Lazy(compute)
    callers = [asyncio.create_task(lazy()) for _ in range(2)]
    await asyncio.sleep(0)
    callers[0].cancel()
    assert 7 == await callers[1]
    assert 7 == await lazy()

    lazy = Lazy(compute)
    only = asyncio.create_task(lazy())
    await asyncio.sleep(0)
    only.cancel()
    with pytest.raises(asyncio.CancelledError):
        await only
    await asyncio.sleep(0)
    assert ["cancelled"] == ended
    assert 7 == await lazy()
