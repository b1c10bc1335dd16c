"""GraphQL over HTTP: content negotiation, request formats and limits."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from graphql import get_introspection_query

from graph.http.body import Pace
from graph.http.responses import GRAPHQL_JSON
from tests.graph.fake_server import Client, Serve
from tests.graph.multipart_requests import KEY, upload_form

HELLO = {"query": "{ __typename }"}
PREFLIGHT = {"GraphQL-Require-Preflight": "1"}


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        (None, "application/json"),
        ("*/*", "application/json"),
        ("text/html", "application/json"),
        ("application/json", "application/json"),
        (GRAPHQL_JSON, GRAPHQL_JSON),
        # Apollo, urql, and a client that prefers plain JSON.
        (f"{GRAPHQL_JSON},application/json;q=0.9", GRAPHQL_JSON),
        (
            f"{GRAPHQL_JSON}, application/graphql+json, application/json, text/event-stream",
            GRAPHQL_JSON,
        ),
        (f"{GRAPHQL_JSON};q=0.5, application/json", "application/json"),
        (f"{GRAPHQL_JSON};q=0, application/json;q=0.1", "application/json"),
        (f"{GRAPHQL_JSON};q=much", "application/json"),
    ],
)
async def test_the_response_has_the_preferred_media_type(
    client: Client, accept: str | None, media_type: str
) -> None:
    client.http.headers.pop("accept")
    headers = {"Accept": accept} if accept else {}
    response = await client.http.post("/graphql", json=HELLO, headers=headers)
    assert 200 == response.status_code
    assert f"{media_type}; charset=utf-8" == response.headers["Content-Type"]
    assert {"data": {"__typename": "Query"}} == response.json()


@pytest.mark.parametrize(
    "query",
    [
        "{",
        "{ nothing }",
        "query ($id: ID!) { __typename }",
        "{ __typename } query B { __typename }",
        "fragment a on Query { __typename }",
        "{ __typename }" + " " * 16_000,
    ],
)
async def test_a_request_error_is_200_as_json_and_400_as_graphql_json(
    client: Client, query: str
) -> None:
    for accept, status in (("application/json", 200), (GRAPHQL_JSON, 400)):
        response = await client.http.post(
            "/graphql", json={"query": query}, headers={"Accept": accept}
        )
        assert status == response.status_code
        assert "data" not in response.json()
        assert response.json()["errors"]


async def test_a_query_can_be_sent_by_get_as_urql_does(client: Client) -> None:
    query = "query Ask($id: ID!) { image(id: $id) { id } }"
    params = {"query": query, "variables": '{"id": "x"}', "operationName": "Ask", "extensions": ""}
    response = await client.http.get("/graphql", params=params)
    assert "BAD_USER_INPUT" == response.json()["errors"][0]["extensions"]["code"]


async def test_the_operation_name_selects_the_operation(client: Client) -> None:
    query = "query A { a: __typename } query B { b: __typename }"
    for name, expected in (("A", {"a": "Query"}), ("B", {"b": "Query"})):
        response = await client.http.post("/graphql", json={"query": query, "operationName": name})
        assert {"data": expected} == response.json()
    for wrong in ("C", None):
        response = await client.http.post("/graphql", json={"query": query, "operationName": wrong})
        assert "operationName" in response.json()["errors"][0]["message"]


async def test_a_mutation_by_get_is_refused(client: Client) -> None:
    query = "mutation { deleteImages(input: {ids: []}) { deletedImageIds } }"
    response = await client.http.get(
        "/graphql", params={"query": query}, headers={"Authorization": f"Bearer {KEY}"}
    )
    assert (405, "POST") == (response.status_code, response.headers["Allow"])


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
async def test_other_methods_are_refused(client: Client, method: str) -> None:
    response = await client.http.request(method, "/graphql", json=HELLO)
    assert 405 == response.status_code
    assert method in response.json()["errors"][0]["message"]


async def test_a_subscription_by_post_is_400(client: Client) -> None:
    response = await client.http.post("/graphql", json={"query": "subscription { nothing }"})
    assert 400 == response.status_code


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"1",
        b'"x"',
        b"true",
        b"[]",
        b'[{"query": "{ __typename }"}]',
        b"{}",
        b'{"query": 1}',
        b'{"query": null}',
        b'{"query": " "}',
        b'{"query": "{ __typename }", "variables": []}',
        b'{"query": "{ __typename }", "operationName": 1}',
        b'{"query": "{ __typename }", "extensions": "x"}',
        b'{"query": "{ __typename }", "variables": {"x": NaN}}',
        b'{"query": "{ __typename }", "variables": {"x": "\\ud800"}}',
        b'{"query": "{ __typename }", "variables": {"x": ' + b"1" * 5_000 + b"}}",
        b"\xff\xfe",
        b'{"query": "\xff"}',
        b"[" * 100_000,
        b'{"a":' * 50_000,
    ],
)
async def test_a_malformed_body_is_400_and_one_sentence(client: Client, body: bytes) -> None:
    response = await client.http.post(
        "/graphql", content=body, headers={"Content-Type": "application/json"}
    )
    assert 400 == response.status_code
    assert response.json()["errors"][0]["message"].endswith((".", "null."))


@pytest.mark.parametrize(
    "params",
    [{}, {"query": ""}, {"query": "{ __typename }", "variables": "{"}, {"variables": "{}"}],
)
async def test_malformed_query_string_parameters_are_400(
    client: Client, params: dict[str, str]
) -> None:
    assert 400 == (await client.http.get("/graphql", params=params)).status_code


@pytest.mark.parametrize(
    "content_type",
    ["", "text/plain", "application/x-www-form-urlencoded", "a", "application/jsonp"],
)
async def test_other_media_types_are_refused(client: Client, content_type: str) -> None:
    response = await client.http.post(
        "/graphql", content=b'{"query": "{ __typename }"}', headers={"Content-Type": content_type}
    )
    assert 415 == response.status_code


async def test_a_body_with_too_large_a_content_length_is_not_read(serve: Serve) -> None:
    client = serve(max_body_bytes=100)

    async def body() -> AsyncIterator[Any]:
        raise AssertionError("was read")
        yield b""

    headers = {"Content-Type": "application/json", "Content-Length": "101"}
    response = await client.http.post("/graphql", content=body(), headers=headers)
    assert 413 == response.status_code


async def test_a_streamed_body_is_refused_as_soon_as_it_is_too_large(serve: Serve) -> None:
    client = serve(max_body_bytes=100, max_request_bytes=1_000)
    sent = []

    async def body() -> AsyncIterator[Any]:
        for _ in range(10_000):
            sent.append(1)
            yield b"x" * 90

    headers = {"Content-Type": "application/json"}
    response = await client.http.post("/graphql", content=body(), headers=headers)
    assert 413 == response.status_code
    assert len(sent) < 5
    form = upload_form({"a.png": b"x" * 2_000})
    response = await client.http.post("/graphql", headers=PREFLIGHT, **form)
    assert 413 == response.status_code


async def test_a_body_that_pauses_too_long_is_408(serve: Serve) -> None:
    client = serve(pace=Pace(idle_seconds=0.01))

    async def body() -> AsyncIterator[Any]:
        yield b"{"
        await asyncio.sleep(10)
        yield b"}"

    headers = {"Content-Type": "application/json"}
    response = await client.http.post("/graphql", content=body(), headers=headers)
    assert 408 == response.status_code


async def test_responses_are_not_cached(client: Client) -> None:
    headers = (await client.http.post("/graphql", json=HELLO)).headers
    assert ("no-store", "Accept") == (headers["Cache-Control"], headers["Vary"])


async def test_a_response_has_at_most_five_errors(client: Client) -> None:
    fields = " ".join(f'f{n}: image(id: "x") {{ id }}' for n in range(9))
    for query in (f"{{ {fields} }}", "{ " + " ".join("abcdefghi") + " }"):
        assert 5 == len((await client.ask(query))["errors"])


async def test_the_standard_introspection_query_is_answered(client: Client) -> None:

    query = get_introspection_query(
        specified_by_url=True, input_value_deprecation=True, directive_is_repeatable=True
    )
    data = await client.data(query)
    assert "Query" == data["__schema"]["queryType"]["name"]


async def test_repeated_valid_and_invalid_queries_have_the_same_results(client: Client) -> None:
    query = "query ($id: ID!) { image(id: $id) { id } }"
    first = await client.ask(query, id="x")
    assert first == await client.ask(query, id="x")
    assert "nothing" in str(await client.ask("{ nothing }"))
    assert "nothing" in str(await client.ask("{ nothing }"))
