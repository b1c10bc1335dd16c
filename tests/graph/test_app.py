"""Routes, health endpoints, security headers and CORS."""

import asyncio

import pytest

from domain.errors import Unavailable
from tests.graph.fake_server import Client, Serve


async def test_healthz_answers_200(client: Client) -> None:
    response = await client.http.get("/healthz")
    assert (200, {"status": "ok"}) == (response.status_code, response.json())


async def test_readyz_answers_200_when_all_checks_pass(serve: Serve) -> None:
    async def works() -> None:
        pass

    response = await serve(ready={"database": works}).http.get("/readyz")
    assert 200 == response.status_code
    assert {"status": "ready", "checks": {"database": "ok"}} == response.json()


async def test_readyz_names_the_failing_checks_and_hides_their_errors(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    async def works() -> None:
        pass

    async def fails() -> None:
        raise ConnectionRefusedError("postgres://user:secret@db")

    response = await serve(ready={"model": works, "database": fails}).http.get("/readyz")
    assert 503 == response.status_code
    assert {"model": "ok", "database": "failing"} == response.json()["checks"]
    assert "secret" not in response.text
    assert "database" in caplog.text


async def test_readyz_answers_200_while_searching_works_and_changes_do_not(serve: Serve) -> None:
    async def works() -> None:
        pass

    async def fails() -> None:
        raise Unavailable("The disk is full.")

    client = serve(ready={"database": works}, degraded={"changes": fails})
    response = await client.http.get("/readyz")
    assert 200 == response.status_code
    assert {
        "status": "degraded",
        "checks": {"database": "ok", "changes": "failing"},
    } == response.json()


async def test_concurrent_requests_of_readyz_share_one_check(serve: Serve) -> None:
    calls = 0

    async def count() -> None:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0)

    client = serve(ready={"database": count})
    await asyncio.gather(*(client.http.get("/readyz") for _ in range(20)))
    assert 1 == calls


async def test_a_check_that_hangs_fails_after_a_timeout(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("graph.http.health.CHECK_TIMEOUT_SECONDS", 0.01)
    response = await serve(ready={"database": lambda: asyncio.sleep(10)}).http.get("/readyz")
    assert 503 == response.status_code


@pytest.mark.parametrize("path", ["/nothing", "/graphql/", "/images", "/images/1/2/3", "/%ff"])
async def test_an_unknown_path_is_404_as_json(client: Client, path: str) -> None:
    response = await client.http.get(path)
    assert 404 == response.status_code
    assert "NOT_FOUND" == response.json()["errors"][0]["extensions"]["code"]


@pytest.mark.parametrize("path", ["/healthz", "/graphql", "/nothing"])
async def test_every_response_has_security_headers(client: Client, path: str) -> None:
    headers = (await client.http.get(path)).headers
    assert "nosniff" == headers["X-Content-Type-Options"]
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "DENY" == headers["X-Frame-Options"]
    assert headers["X-Request-ID"]


ORIGIN = "https://gallery.example"
PREFLIGHT = {
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization, content-type, graphql-require-preflight",
}


async def test_pages_of_a_listed_origin_may_use_the_api(serve: Serve) -> None:
    client = serve(cors_origins=(ORIGIN,))
    allowed = await client.http.options("/graphql", headers={"Origin": ORIGIN} | PREFLIGHT)
    assert 200 == allowed.status_code
    assert ORIGIN == allowed.headers["Access-Control-Allow-Origin"]
    response = await client.http.get("/healthz", headers={"Origin": ORIGIN})
    assert ORIGIN == response.headers["Access-Control-Allow-Origin"]
    assert "X-Request-ID" in response.headers["Access-Control-Expose-Headers"]
    assert "Origin" in response.headers["Vary"]


async def test_pages_of_other_origins_may_not_use_the_api(serve: Serve) -> None:
    client = serve(cors_origins=(ORIGIN,))
    for origin in ("https://gallery.example.evil.test", "http://gallery.example", "null"):
        refused = await client.http.options("/graphql", headers={"Origin": origin} | PREFLIGHT)
        assert 400 == refused.status_code
        assert "Access-Control-Allow-Origin" not in refused.headers


async def test_without_listed_origins_no_other_page_may_use_the_api(client: Client) -> None:
    response = await client.http.get("/healthz", headers={"Origin": ORIGIN})
    assert "Access-Control-Allow-Origin" not in response.headers
