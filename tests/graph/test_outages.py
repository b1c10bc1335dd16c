"""Outages, overload and clients that disconnect: refusals with the status 503, and no lost work."""

import asyncio
import json

import pytest
from starlette.types import Message, Scope

from domain.concurrency import may_use_reserve
from domain.errors import Overloaded, Unavailable
from graph.http.app import create_app
from tests.fakes.imaging import picture_file
from tests.graph.fake_server import Client, FakeBackend, Serve
from tests.graph.multipart_requests import KEY, upload_form

LIST = "{ images { nodes { id } totalCount } }"
SEARCH = """
query ($after: String) {
  searchImages(by: {text: "red"}, first: 1, after: $after) {
    searchId edges { node { id } } pageInfo { hasNextPage endCursor }
  }
}
"""
AWAY = Unavailable("The server has lost the connection to its database; try again in a moment.")
BUSY = Overloaded("The server is busy; try again in a moment.")
REFUSALS = pytest.mark.parametrize(
    ("error", "code"), [(AWAY, "SERVICE_UNAVAILABLE"), (BUSY, "OVERLOADED")]
)


@REFUSALS
@pytest.mark.parametrize("accept", ["application/json", "application/graphql-response+json"])
async def test_a_request_without_any_data_for_now_is_503(
    client: Client, backend: FakeBackend, error: Exception, code: str, accept: str
) -> None:
    backend.catalog.error = error
    response = await client.http.post("/graphql", json={"query": LIST}, headers={"Accept": accept})
    assert 503 == response.status_code
    assert int(response.headers["Retry-After"]) > 0
    [shown] = response.json()["errors"]
    assert str(error) == shown["message"]
    assert code == shown["extensions"]["code"]


async def test_an_outage_is_logged_in_one_line_with_its_cause(
    client: Client, backend: FakeBackend, caplog: pytest.LogCaptureFixture
) -> None:
    outage = Unavailable("The database is away.")
    outage.__cause__ = ConnectionRefusedError("port 5432")
    backend.catalog.error = outage
    error = await client.error(LIST)
    assert "5432" not in error["message"]
    [record] = caplog.records
    assert error["extensions"]["requestId"] in record.message
    assert "ConnectionRefusedError: port 5432" in record.message
    assert record.exc_info is None


@REFUSALS
async def test_an_outage_during_authentication_is_503(
    client: Client, backend: FakeBackend, error: Exception, code: str
) -> None:
    backend.keys.error = error
    headers = {"Authorization": "Bearer unknown"}
    response = await client.http.post("/graphql", json={"query": LIST}, headers=headers)
    assert (503, code) == (
        response.status_code,
        response.json()["errors"][0]["extensions"]["code"],
    )
    assert response.headers["Retry-After"]


@REFUSALS
async def test_a_picture_that_cannot_be_read_for_now_is_503(
    client: Client, backend: FakeBackend, error: Exception, code: str
) -> None:
    url = await _uploaded_url(client)
    backend.storage.error = error
    response = await client.http.get(url)
    assert (503, code) == (
        response.status_code,
        response.json()["errors"][0]["extensions"]["code"],
    )
    assert response.headers["Retry-After"]


async def test_an_upload_during_an_outage_is_503_and_succeeds_afterwards(
    client: Client, backend: FakeBackend
) -> None:
    backend.catalog.error = AWAY
    form = upload_form({"a.png": picture_file()})
    headers = {"Authorization": f"Bearer {KEY}", "GraphQL-Require-Preflight": "1"}
    refused = await client.http.post("/graphql", headers=headers, **form)
    assert (503, {"uploadImages": None}) == (refused.status_code, refused.json()["data"])
    backend.catalog.error = None
    assert [] == (await client.upload(picture_file()))["userErrors"]


async def test_searching_goes_on_page_by_page_while_no_search_can_be_saved(
    client: Client, backend: FakeBackend
) -> None:
    await client.upload(picture_file((255, 0, 0)), picture_file((250, 0, 0)))
    backend.searches.error = Unavailable("The disk of the database is full.")
    first = (await client.data(SEARCH))["searchImages"]
    after = first["pageInfo"]["endCursor"]
    second = (await client.data(SEARCH, after=after))["searchImages"]
    assert first["pageInfo"]["hasNextPage"]
    assert first["edges"][0]["node"] != second["edges"][0]["node"]
    again = "query ($id: ID!) { searchImages(by: {searchId: $id}) { edges { node { id } } } }"
    found = await client.data(again, id=first["searchId"])
    assert 2 == len(found["searchImages"]["edges"])


async def test_a_model_that_hangs_ends_the_request_at_its_time_limit(
    serve: Serve, backend: FakeBackend
) -> None:
    backend.encoder.hangs = True
    error = await serve(operation_seconds=0.05).error(SEARCH)
    assert "TIMEOUT" == error["extensions"]["code"]
    backend.encoder.hangs = False
    await serve().data(SEARCH)


async def test_a_model_that_fails_fails_one_request(client: Client, backend: FakeBackend) -> None:
    backend.encoder.error = RuntimeError("out of memory")
    assert "INTERNAL_SERVER_ERROR" == (await client.error(SEARCH))["extensions"]["code"]
    backend.encoder.error = None
    await client.data(SEARCH)


@pytest.mark.parametrize(("key", "expected"), [(None, False), (KEY, True)])
async def test_only_callers_with_a_key_use_reserved_capacity(
    client: Client, backend: FakeBackend, key: str | None, *, expected: bool
) -> None:
    seen: list[bool] = []

    class Recording(list[str]):
        def append(self, _: str) -> None:
            seen.append(may_use_reserve.get())

    backend.catalog.calls = Recording()
    await client.data("{ images { facets { tags { value } } } }", key=key)
    assert seen
    assert {expected} == set(seen)


async def test_a_client_that_disconnects_cancels_its_query(
    backend: FakeBackend, caplog: pytest.LogCaptureFixture
) -> None:
    backend.catalog.slow = True
    sent = await _disconnect_from(backend, "{ images { nodes { id } } }")
    assert backend.catalog.cancelled.is_set()
    assert [] == sent
    assert [] == caplog.records


async def test_a_client_that_disconnects_does_not_cancel_its_change(backend: FakeBackend) -> None:
    backend.catalog.slow = True
    query = 'mutation { deleteImages(input: {ids: ["SW1hZ2U6MA=="]}) { userErrors { message } } }'
    sent = await _disconnect_from(backend, query)
    assert ["http.response.start", "http.response.body"] == [each["type"] for each in sent]


async def _disconnect_from(backend: FakeBackend, query: str) -> list[Message]:
    """Send a query, disconnect, and return what the server sends."""
    use_cases = backend.use_cases()
    app = create_app(lambda: use_cases)
    body = json.dumps({"query": query}).encode()
    received = [{"type": "http.request", "body": body}, {"type": "http.disconnect"}]
    sent: list[Message] = []

    async def receive() -> Message:
        await asyncio.sleep(0)
        return received.pop(0) if received else await asyncio.Event().wait()  # type: ignore[return-value]

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Scope = {
        "type": "http",
        "method": "POST",
        "path": "/graphql",
        "raw_path": b"/graphql",
        "query_string": b"",
        "scheme": "http",
        "headers": [
            (b"content-type", b"application/json"),
            (b"host", b"localhost"),
            (b"authorization", f"Bearer {KEY}".encode()),
        ],
        "http_version": "1.1",
        "server": ("localhost", 80),
    }
    await app(scope, receive, send)
    return sent


async def _uploaded_url(client: Client) -> str:
    await client.upload(picture_file())
    images = await client.data("{ images { nodes { url } } }")
    url: str = images["images"]["nodes"][0]["url"]
    return url
