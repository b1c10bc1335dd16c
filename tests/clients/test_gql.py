"""Python's gql 4 against the real server: a transport for each way that it speaks."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from gql import Client, FileVar, GraphQLRequest
from gql.transport.aiohttp import AIOHTTPTransport
from gql.transport.exceptions import TransportQueryError
from gql.transport.httpx import HTTPXAsyncTransport, HTTPXTransport
from gql.transport.websockets import WebsocketsTransport

from tests.clients.conftest import HERE
from tests.e2e.process import KEY, UPLOAD, Server

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

KEYED = {"Authorization": f"Bearer {KEY}", "GraphQL-Require-Preflight": "1"}
SCHEMA = (HERE.parents[1] / "graph" / "schema.graphql").read_text()
PAGE = """
query Page($after: String) {
  images(first: 20, after: $after, filter: {tagsAny: ["postcard"]}) {
    nodes { id }
    pageInfo { hasNextPage endCursor }
  }
}
"""
SUNSETS = """
query Sunsets($text: String!) {
  searchImages(by: {text: $text}, minRelevance: 0.5, filter: {tagsAny: ["postcard"]}) {
    nodes { filename }
  }
}
"""
TEXT = {"text": "a red sailboat at sunset"}
DELETE = """
mutation Delete($ids: [ID!]!) {
  deleteImages(input: {ids: $ids}) { deletedImageIds userErrors { field code } }
}
"""
STATUS = "subscription ($ids: [ID!]!) { imageStatusChanged(imageIds: $ids) { id status } }"
MATCHED = "subscription ($text: String!) { imageMatched(by: {text: $text}) { node { id } } }"
NOWHERE = {"ids": ["SW1hZ2U6MDAwMDAwMDAtMDAwMC03MDAwLTgwMDAtMDAwMDAwMDAwMDAw"]}


def client(server: Server, transport: type[Any] = HTTPXTransport, **headers: str) -> Client:
    # The schema checks documents before they are sent.
    made = transport(url=f"{server.url}/graphql", headers=headers or KEYED)
    return Client(transport=made, schema=SCHEMA)


def asked(query: str, **variables: object) -> GraphQLRequest:
    return GraphQLRequest(query, variable_values=variables)


def test_a_query_is_answered(server: Server) -> None:
    found = client(server).execute(asked(SUNSETS, **TEXT))
    names = {node["filename"] for node in found["searchImages"]["nodes"]}
    assert {"sunset 0.png", "sunset 1.png", "sunset 2.png"} == names


def test_pages_follow_each_other_and_nothing_is_there_twice(server: Server) -> None:
    def pages() -> Iterator[list[str]]:
        after, more = None, True
        with client(server) as session:
            while more:
                images = session.execute(asked(PAGE, after=after))["images"]
                yield [node["id"] for node in images["nodes"]]
                after, more = images["pageInfo"]["endCursor"], images["pageInfo"]["hasNextPage"]

    found = list(pages())
    assert [20, 20, 10] == [len(page) for page in found]
    assert 50 == len({image_id for page in found for image_id in page})


def test_the_schema_of_the_server_can_be_fetched(server: Server) -> None:
    transport = HTTPXTransport(url=f"{server.url}/graphql")
    with Client(transport=transport, fetch_schema_from_transport=True) as session:
        assert session.client.schema
        assert "imageMatched" in session.client.schema.subscription_type.fields


def test_a_misspelt_query_is_an_error_with_its_message(server: Server) -> None:
    unchecked = Client(transport=HTTPXTransport(url=f"{server.url}/graphql"))
    with pytest.raises(TransportQueryError, match="Did you mean 'searchImages'"):
        unchecked.execute(asked("{ searchImage { id } }"))


def test_what_a_user_can_mend_is_in_user_errors(server: Server) -> None:
    done = client(server).execute(asked(DELETE, **NOWHERE))["deleteImages"]
    assert [{"code": "NOT_FOUND", "field": ["input", "ids", "0"]}] == done["userErrors"]


def test_a_change_without_a_key_is_refused(server: Server) -> None:
    keyless = Client(transport=HTTPXTransport(url=f"{server.url}/graphql"))
    with pytest.raises(TransportQueryError) as refused:
        keyless.execute(asked(DELETE, **NOWHERE))
    [error] = refused.value.errors or []
    assert "UNAUTHENTICATED" == error["extensions"]["code"]


def test_an_unknown_key_is_refused_with_the_reason(server: Server) -> None:
    stranger = client(server, Authorization="Bearer nobody-knows-me")
    with pytest.raises(TransportQueryError, match="key") as refused:
        stranger.execute(asked(PAGE))
    [error] = refused.value.errors or []
    assert "UNAUTHENTICATED" == error["extensions"]["code"]


@pytest.mark.parametrize("count", [1, 3])
def test_files_become_images(server: Server, pictures: Sequence[Path], count: int) -> None:
    files = [FileVar(str(path)) for path in pictures[:count]]
    request = asked(UPLOAD, files=files)
    done = client(server).execute(request, upload_files=True)["uploadImages"]
    assert [] == done["userErrors"]
    names = [result["image"]["filename"] for result in done["results"]]
    assert [f"sunset-{number:02}.png" for number in range(count)] == names


@pytest.mark.parametrize("transport", [AIOHTTPTransport, HTTPXAsyncTransport])
async def test_files_become_images_without_a_thread_that_waits(
    transport: type[Any], server: Server, pictures: Sequence[Path]
) -> None:
    files = [FileVar(str(path)) for path in pictures[:2]]
    async with client(server, transport) as session:
        done = await session.execute(asked(UPLOAD, files=files), upload_files=True)
        assert 2 == len(done["uploadImages"]["results"])
        assert 20 == len((await session.execute(asked(PAGE)))["images"]["nodes"])


async def test_subscriptions_tell_of_what_happens(server: Server, pictures: Sequence[Path]) -> None:
    paths = iter(pictures)
    sent = []

    async def upload() -> str:
        path = next(paths)
        done = await asyncio.to_thread(server.upload, {path.name: path.read_bytes()})
        sent.append(done["results"][0]["image"]["id"])
        return str(sent[-1])

    url = f"{server.url}/graphql".replace("http://", "ws://")
    transport = WebsocketsTransport(url=url, init_payload=KEYED)
    async with asyncio.timeout(120), Client(transport=transport, schema=SCHEMA) as session:
        ids = [await upload(), await upload()]
        told = [each async for each in session.subscribe(asked(STATUS, ids=ids))]
        assert ["READY", "READY"] == [each["imageStatusChanged"]["status"] for each in told]
        live = session.subscribe(asked(MATCHED, **TEXT))
        waiting = asyncio.ensure_future(anext(live))
        # Nobody tells when a live search has begun.
        while not waiting.done():
            await upload()
            await asyncio.wait([waiting], timeout=1)
        assert waiting.result()["imageMatched"]["node"]["id"] in sent
        await live.aclose()
