"""Lookups by global id."""

# ruff: noqa: ANN401 - a response is any JSON

import base64
from typing import Any

import pytest

from domain.entities.images import uuid7
from graph.schema.ids import global_id
from tests.fakes.imaging import picture_file
from tests.graph.fake_server import Client, FakeBackend

NAMES = ["a.png", "b.png", "c.png", "d.png", "e.png"]


@pytest.fixture
async def ids(client: Client) -> Any:
    files = [picture_file(words=name) for name in NAMES]
    payload = await client.upload(*files, names=tuple(NAMES), tags=("red",))
    return [result["image"]["id"] for result in payload["results"]]


async def test_nodes_keep_the_order_of_the_ids_with_null_for_unknown_ones(
    client: Client, ids: list[str]
) -> None:
    unknown = global_id(uuid7())
    query = "query ($ids: [ID!]!) { nodes(ids: $ids) { id ... on Image { filename } } }"
    data = await client.data(query, ids=[ids[2], unknown, ids[0], ids[2]])
    assert ["c.png", None, "a.png", "c.png"] == [
        node and node["filename"] for node in data["nodes"]
    ]


async def test_more_than_a_hundred_nodes_are_refused(client: Client) -> None:
    error = await client.error(
        "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=[global_id(uuid7())] * 101
    )
    assert ("BAD_USER_INPUT", "ids") == (
        error["extensions"]["code"],
        error["extensions"]["argument"],
    )


async def test_lookups_of_one_request_are_batched(
    client: Client, ids: list[str], backend: FakeBackend
) -> None:
    before = backend.catalog.get_calls
    query = "query ($a: ID!, $b: ID!) { a: image(id: $a) { id } b: node(id: $b) { id } }"
    await client.data(query, a=ids[0], b=ids[1])
    assert 1 == backend.catalog.get_calls - before


async def test_an_unknown_id_gives_null(client: Client) -> None:
    unknown = global_id(uuid7())
    data = await client.data(
        "query ($id: ID!) { image(id: $id) { id } node(id: $id) { id } }", id=unknown
    )
    assert {"image": None, "node": None} == data


@pytest.mark.parametrize(
    "given_id",
    ["", "1", "Image:1", "é", base64.b64encode(b"Image:x").decode(), "SW1hZ2U6" * 50],
)
async def test_a_malformed_id_is_refused(client: Client, given_id: str) -> None:
    error = await client.error("query ($id: ID!) { node(id: $id) { id } }", id=given_id)
    assert "BAD_USER_INPUT" == error["extensions"]["code"]
    assert "id" == error["extensions"]["argument"]
    assert len(error["message"]) < 200


async def test_an_id_of_another_type_is_refused(client: Client) -> None:
    other = base64.b64encode(f"Album:{uuid7()}".encode()).decode()
    error = await client.error("query ($id: ID!) { image(id: $id) { id } }", id=other)
    assert "BAD_USER_INPUT" == error["extensions"]["code"]
