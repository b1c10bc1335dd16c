"""A server whose storage or database does not work, or is full: clean refusals, and recovery."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from tests.e2e.pictures import picture
from tests.e2e.process import KEY, Server
from tests.fault_proxy import Fault, FaultProxy
from tests.s3_server import ACCESS_KEY, create_bucket, s3_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anyio.from_thread import BlockingPortal

SEARCH = """
query ($after: String) {
  searchImages(by: {text: "picture"}, first: 1, after: $after) {
    edges { node { id url } } pageInfo { endCursor }
  }
}
"""


@pytest.fixture(scope="module")
def proxy(portal: BlockingPortal) -> Iterator[FaultProxy]:
    """A proxy in front of an S3-compatible store."""
    with (
        s3_server() as url,
        portal.wrap_async_context_manager(FaultProxy.to(url)) as proxy,
    ):
        yield proxy


@pytest.fixture(scope="module")
def settings(settings: dict[str, object], proxy: FaultProxy) -> dict[str, object]:
    return settings | {
        "s3_bucket": create_bucket(proxy.url),
        "s3_endpoint_url": proxy.url,
        "s3_access_key_id": ACCESS_KEY,
        "s3_secret_access_key": ACCESS_KEY,
        "s3_call_seconds": 10,
        "database_pool_size": 2,
        "database_wait_seconds": 0.5,
        "worker": False,
    }


@pytest.fixture(scope="module")
def server(server: Server) -> Server:
    """A server with two pictures."""
    server.upload({f"{number}.jpg": picture(number) for number in range(2)})
    return server


def readiness(server: Server) -> tuple[int, list[str]]:
    """Return the status of /readyz, and the names of the failing checks."""
    time.sleep(1.1)  # an outcome is reused for a second
    answer = server.http.get("/readyz")
    checks = answer.json()["checks"]
    return answer.status_code, [name for name, state in checks.items() if state != "ok"]


def upload(server: Server, number: int) -> httpx.Response:
    return server.http.post(
        "/graphql",
        data={
            "operations": '{"query": "mutation ($f: [Upload!]!) { uploadImages(input: {files: $f})'
            ' { userErrors { code } } }", "variables": {"f": [null]}}',
            "map": '{"0": ["variables.f.0"]}',
        },
        files={"0": (f"{number}.jpg", picture(number))},
        headers={"GraphQL-Require-Preflight": "1", "Authorization": f"Bearer {KEY}"},
    )


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["errors"][0]["extensions"]["code"]


@pytest.mark.parametrize("fault", [Fault.ERROR_503, Fault.RESET], ids=lambda fault: fault.value)
def test_searching_goes_on_while_the_storage_is_away(
    server: Server, proxy: FaultProxy, fault: Fault
) -> None:
    number = list(Fault).index(fault) + 10  # a picture that the library does not have
    [edge] = server.ask(SEARCH)["searchImages"]["edges"]
    proxy.fault = fault
    try:
        assert [edge] == server.ask(SEARCH)["searchImages"]["edges"]
        assert (200, ["storage"]) == readiness(server)
        refused = server.http.get(edge["node"]["url"])
        assert (503, "SERVICE_UNAVAILABLE") == code_of(refused)
        assert refused.headers["Retry-After"]
        assert (503, "SERVICE_UNAVAILABLE") == code_of(upload(server, number))
    finally:
        proxy.fault = None
    assert (200, []) == readiness(server)
    assert 200 == server.http.get(edge["node"]["url"]).status_code
    assert "errors" not in upload(server, number).json()


def test_searching_goes_on_while_the_database_accepts_no_changes(
    server: Server, portal: BlockingPortal, postgres_module_url: str
) -> None:
    name = make_url(postgres_module_url).database

    async def set_read_only(value: str) -> None:
        engine = create_async_engine(postgres_module_url, isolation_level="AUTOCOMMIT")
        async with engine.connect() as connection:
            change = f'ALTER DATABASE "{name}" SET default_transaction_read_only = {value}'
            await connection.execute(text("SET default_transaction_read_only = off"))
            await connection.execute(text(change))
            await connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            )
        await engine.dispose()

    portal.call(set_read_only, "on")
    try:
        first = server.ask(SEARCH)["searchImages"]
        after = first["pageInfo"]["endCursor"]
        second = server.ask(SEARCH, after=after)["searchImages"]
        assert first["edges"] != second["edges"]
        assert (200, ["changes"]) == readiness(server)
        assert (503, "SERVICE_UNAVAILABLE") == code_of(upload(server, 20))
    finally:
        portal.call(set_read_only, "off")
    assert (200, []) == readiness(server)
    assert "errors" not in upload(server, 20).json()


def test_too_many_searches_at_once_are_refused_as_overload(server: Server) -> None:
    async def search(client: httpx.AsyncClient, number: int) -> httpx.Response:
        query = f'{{ searchImages(by: {{text: "picture {number}"}}, exact: true) {{ searchId }} }}'
        return await client.post("/graphql", json={"query": query})

    async def storm() -> tuple[list[httpx.Response], httpx.Response, Any]:
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(base_url=server.url, timeout=60, limits=limits) as client:
            searches = [asyncio.create_task(search(client, number)) for number in range(100)]
            ready = await client.get("/readyz")
            headers = {"Authorization": f"Bearer {KEY}"}
            query = {"query": "{ images(first: 1) { nodes { id } } }"}
            changed = await client.post("/graphql", json=query, headers=headers)
            return await asyncio.gather(*searches), ready, changed

    answers, ready, keyed = asyncio.run(storm())
    refused = [answer for answer in answers if answer.status_code != 200]
    assert all((503, "OVERLOADED") == code_of(answer) for answer in refused)
    assert all(answer.headers["Retry-After"] for answer in refused)
    assert len(refused) < len(answers)
    assert 200 == ready.status_code
    assert 200 == keyed.status_code
    assert "errors" not in server.ask(SEARCH)
