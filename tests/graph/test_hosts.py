"""The hosts that the server answers for."""

from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from graph.http.app import create_app
from graph.http.options import HttpOptions
from tests.graph.fake_server import FakeBackend, Serve
from tests.graph.multipart_requests import KEY, upload_form
from tests.graph.subscription_clients import running

OPTIONS: dict[str, Any] = {
    "allowed_hosts": ("server", "*.lan.example"),
    "public_url": "https://pictures.example:8443/sub",
}
TYPENAME = {"query": "{ __typename }"}


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.0.0.1:8000",
        "192.168.1.2:8000",
        "[::1]:8000",
        "localhost",
        "LocalHost:8000",
        "gallery.localhost:8000",
        "pictures.example",
        "pictures.example.:443",
        "server:8000",
        "nas.lan.example",
    ],
)
async def test_addresses_loopback_and_names_that_are_set_are_answered(
    serve: Serve, host: str
) -> None:
    client = serve(**OPTIONS)
    response = await client.http.post("/graphql", json=TYPENAME, headers={"Host": host})
    assert 200 == response.status_code


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8000",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "evillocalhost",
        "xpictures.example",
        "lan.example",
        "server.evil.example",
        "evil.example@127.0.0.1.evil",
        "[",
        "[::1",
        "a b",
        "127.0.0.1/?",
        "127.0.0.1:x",
        "",
    ],
)
async def test_another_host_is_refused_on_every_route(serve: Serve, host: str) -> None:
    client = serve(**OPTIONS)
    headers = {"Host": host, "Authorization": f"Bearer {KEY}", "GraphQL-Require-Preflight": "1"}
    for response in (
        await client.http.get("/", headers=headers),
        await client.http.get("/images/1/original", headers=headers),
        await client.http.post("/graphql", json=TYPENAME, headers=headers),
        await client.http.post("/graphql", headers=headers, **upload_form({"a.png": b"x"})),
    ):
        assert 421 == response.status_code
        [error] = response.json()["errors"]
        assert "MISDIRECTED_REQUEST" == error["extensions"]["code"]
        assert "PICTOGRAPH_ALLOWED_HOSTS" in error["message"]
        assert response.headers["X-Request-ID"]


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_health_checks_are_answered_for_every_host(serve: Serve, path: str) -> None:
    response = await serve().http.get(path, headers={"Host": "10-0-0-7.pods.example"})
    assert 200 == response.status_code


async def test_a_websocket_for_another_host_is_refused(backend: FakeBackend) -> None:
    app = create_app(backend.use_cases, HttpOptions(public_url="https://pictures.example"))
    async with running(app) as url:
        address = url.replace("http://", "ws://") + "/graphql"
        port = url.rpartition(":")[2]
        options: dict[str, Any] = {
            "subprotocols": [Subprotocol("graphql-transport-ws")],
            "proxy": None,
            "host": "127.0.0.1",
            "port": int(port),
        }
        with pytest.raises(InvalidStatus) as refused:
            async with connect(address.replace("127.0.0.1", "evil.example"), **options):
                pass
        assert 421 == refused.value.response.status_code
        for host in ("127.0.0.1", "localhost", "pictures.example"):
            async with connect(address.replace("127.0.0.1", host), **options) as socket:
                assert "graphql-transport-ws" == socket.subprotocol
