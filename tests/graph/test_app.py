"""Routes, health endpoints, security headers and CORS."""

import asyncio

import pytest

from tests.graph.fake_server import Client, Serve


async def test_the_process_is_alive(client: Client) -> None:
    answer = await client.http.get("/healthz")
    assert (200, {"status": "ok"}) == (answer.status_code, answer.json())


async def test_a_server_is_ready_when_all_it_stands_on_works(serve: Serve) -> None:
    async def works() -> None:
        pass

    answer = await serve(ready={"database": works}).http.get("/readyz")
    assert 200 == answer.status_code
    assert {"status": "ready", "checks": {"database": "ok"}} == answer.json()


async def test_a_server_that_is_not_ready_names_what_fails_and_no_secret(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    async def works() -> None:
        pass

    async def fails() -> None:
        raise ConnectionRefusedError("postgres://user:secret@db")

    answer = await serve(ready={"model": works, "database": fails}).http.get("/readyz")
    assert 503 == answer.status_code
    assert {"model": "ok", "database": "failing"} == answer.json()["checks"]
    assert "secret" not in answer.text
    assert "database" in caplog.text


async def test_a_check_that_hangs_is_one_that_fails(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("graph.http.health.CHECK_TIMEOUT_SECONDS", 0.01)
    answer = await serve(ready={"database": lambda: asyncio.sleep(10)}).http.get("/readyz")
    assert 503 == answer.status_code


@pytest.mark.parametrize("path", ["/nothing", "/graphql/", "/images", "/images/1/2/3", "/%ff"])
async def test_what_is_not_there_is_404_as_json(client: Client, path: str) -> None:
    answer = await client.http.get(path)
    assert 404 == answer.status_code
    assert "NOT_FOUND" == answer.json()["errors"][0]["extensions"]["code"]


@pytest.mark.parametrize("path", ["/healthz", "/graphql", "/nothing"])
async def test_every_answer_protects_browsers(client: Client, path: str) -> None:
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


async def test_pages_of_a_listed_origin_may_ask(serve: Serve) -> None:
    client = serve(cors_origins=(ORIGIN,))
    allowed = await client.http.options("/graphql", headers={"Origin": ORIGIN} | PREFLIGHT)
    assert 200 == allowed.status_code
    assert ORIGIN == allowed.headers["Access-Control-Allow-Origin"]
    answer = await client.http.get("/healthz", headers={"Origin": ORIGIN})
    assert ORIGIN == answer.headers["Access-Control-Allow-Origin"]
    assert "X-Request-ID" in answer.headers["Access-Control-Expose-Headers"]
    assert "Origin" in answer.headers["Vary"]


async def test_pages_of_other_origins_may_not(serve: Serve) -> None:
    client = serve(cors_origins=(ORIGIN,))
    for origin in ("https://gallery.example.evil.test", "http://gallery.example", "null"):
        refused = await client.http.options("/graphql", headers={"Origin": origin} | PREFLIGHT)
        assert 400 == refused.status_code
        assert "Access-Control-Allow-Origin" not in refused.headers


async def test_no_page_may_ask_where_no_origin_is_listed(client: Client) -> None:
    answer = await client.http.get("/healthz", headers={"Origin": ORIGIN})
    assert "Access-Control-Allow-Origin" not in answer.headers
