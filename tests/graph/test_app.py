"""Routes, health endpoints, security headers and CORS."""

import asyncio

import pytest

from domain.errors import Unavailable
from tests.graph.fake_server import Client, Serve
from tests.graph.multipart_requests import KEY


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


@pytest.mark.parametrize(
    "name",
    [
        *("sentry-trace", "baggage", "traceparent", "tracestate", "X-Requested-With"),
        *("apollographql-client-name", "apollographql-client-version", "If-None-Match"),
    ],
)
async def test_pages_of_a_listed_origin_may_send_what_client_libraries_add(
    serve: Serve, name: str
) -> None:
    client = serve(cors_origins=(ORIGIN, "capacitor://localhost"))
    for origin in (ORIGIN, "capacitor://localhost"):
        sent = PREFLIGHT | {"Origin": origin, "Access-Control-Request-Headers": f"{name},range"}
        allowed = await client.http.options("/graphql", headers=sent)
        assert (200, origin) == (
            allowed.status_code,
            allowed.headers["Access-Control-Allow-Origin"],
        )
        listed = allowed.headers["Access-Control-Allow-Headers"].lower().split(", ")
        assert {name.lower(), "range"} <= set(listed)


async def test_more_headers_can_be_allowed_and_others_are_refused_by_name(serve: Serve) -> None:
    sent = PREFLIGHT | {"Origin": ORIGIN, "Access-Control-Request-Headers": "x-mine"}
    refused = await serve(cors_origins=(ORIGIN,)).http.options("/graphql", headers=sent)
    [error] = refused.json()["errors"]
    assert (400, "BAD_USER_INPUT") == (refused.status_code, error["extensions"]["code"])
    assert "“x-mine”" in error["message"]
    assert "PICTOGRAPH_CORS_HEADERS" in error["message"]
    client = serve(cors_origins=(ORIGIN,), cors_headers=("X-Mine",))
    assert 200 == (await client.http.options("/graphql", headers=sent)).status_code


async def test_pages_of_a_listed_origin_can_read_the_errors_of_every_layer(serve: Serve) -> None:
    client = serve(cors_origins=(ORIGIN,))
    for path, headers in (
        ("/nothing", {}),
        ("/healthz/x", {"Host": "rebound.example"}),
        ("/graphql", {"Authorization": "Bearer wrong"}),
    ):
        response = await client.http.get(path, headers={"Origin": ORIGIN, **headers})
        assert response.status_code >= 400
        assert ORIGIN == response.headers["Access-Control-Allow-Origin"]


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/", {"GET", "HEAD"}),
        ("/graphql", {"GET", "HEAD", "POST"}),
        ("/images/x/original", {"GET", "HEAD"}),
        ("/uploads/x", {"POST"}),
        ("/healthz", {"GET", "HEAD"}),
        ("/ui/app.js", {"GET", "HEAD"}),
    ],
)
async def test_options_lists_the_methods_of_every_route(
    serve: Serve, path: str, methods: set[str]
) -> None:
    for client in (serve(), serve(cors_origins=(ORIGIN,))):
        response = await client.http.options(path)
        assert (204, b"") == (response.status_code, response.content)
        assert {*methods, "OPTIONS"} == set(response.headers["Allow"].split(", "))


SUB_PATH = {"X-Forwarded-Proto": "https", "X-Forwarded-Prefix": "/pictures/"}
TARGETS = """mutation { createUploadTargets(input: {files: [
    {filename: "a.png", contentType: "", byteSize: 1}
]}) { targets { url } } }"""


async def test_the_prefix_of_a_trusted_proxy_is_part_of_all_addresses(serve: Serve) -> None:
    headers = SUB_PATH | {"Authorization": f"Bearer {KEY}"}
    for proxies, expected in (
        (("127.0.0.1",), "https://pictures.test/pictures/uploads/"),
        (("127.0.0.0/8",), "https://pictures.test/pictures/uploads/"),
        (("10.0.0.1",), "http://pictures.test/uploads/"),
    ):
        client = serve(trusted_proxies=proxies)
        response = await client.http.post("/graphql", json={"query": TARGETS}, headers=headers)
        [target] = response.json()["data"]["createUploadTargets"]["targets"]
        assert target["url"].startswith(expected)
        assert not target["url"].startswith("https://pictures.test//")


@pytest.mark.parametrize("prefix", ["", "/", "pictures", "//evil.example", "/a b", "/a?b", "/a/#"])
async def test_a_prefix_that_is_no_path_is_ignored(serve: Serve, prefix: str) -> None:
    headers = {"X-Forwarded-Prefix": prefix, "Authorization": f"Bearer {KEY}"}
    response = await serve().http.post("/graphql", json={"query": TARGETS}, headers=headers)
    [target] = response.json()["data"]["createUploadTargets"]["targets"]
    assert target["url"].startswith("http://pictures.test/uploads/")


async def test_without_listed_origins_no_other_page_may_use_the_api(client: Client) -> None:
    response = await client.http.get("/healthz", headers={"Origin": ORIGIN})
    assert "Access-Control-Allow-Origin" not in response.headers
