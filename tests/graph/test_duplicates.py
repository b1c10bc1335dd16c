"""Duplicates over the API."""

# ruff: noqa: ANN401 - a response is any JSON

import base64
import json
from typing import Any

import pytest
from graphql import parse

from graph.schema.schema import Schema
from tests.fakes.imaging import picture_file
from tests.graph.fake_server import Client, Serve
from tests.graph.multipart_requests import KEY

PRICING = Schema().pricing
AN_ID = "019a0000-0000-7000-8000-000000000000"
RED, GREEN, GREY = (200, 0, 10), (0, 200, 10), (90, 90, 90)

DUPLICATES = """
    query ($kind: Collapse! = NEAR_DUPLICATES, $first: Int! = 20, $after: String) {
      duplicates(kind: $kind, first: $first, after: $after) {
        edges { cursor node { kind similarity images { filename } } }
        nodes { images { id } }
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
      }
    }
"""


@pytest.fixture
async def ids(client: Client) -> Any:
    """Two files of a red picture and a smaller one; two of a green one; two of grey, unlike."""
    files = {
        "red.png": picture_file(RED),
        "again.png": picture_file(RED, words="again"),
        "small.png": picture_file(RED, (4, 3)),
        "green.png": picture_file(GREEN),
        "leaf.png": picture_file(GREEN, words="again"),
        "grey.png": picture_file(GREY),
        "wide.png": picture_file(GREY, (9, 2)),
    }
    ids = {}
    for name, file in files.items():
        payload = await client.upload(file, names=(name,))
        ids[name] = payload["results"][0]["image"]["id"]
    return ids


async def duplicates(client: Client, **variables: Any) -> Any:
    return (await client.data(DUPLICATES, **variables))["duplicates"]


def groups(found: Any) -> list[tuple[str, set[str]]]:
    return [
        (edge["node"]["kind"], {image["filename"] for image in edge["node"]["images"]})
        for edge in found["edges"]
    ]


GROUPS_OF_101 = "{ duplicates(first: 101) { nodes { kind } } }"
GROUPS = "duplicates(first: 1) { nodes { kind } }"
COPIES = ("EXACT_COPIES", {"green.png", "leaf.png"})


@pytest.mark.usefixtures("ids")
async def test_exact_copies_and_near_duplicates_are_different_kinds(client: Client) -> None:
    near, exact = [
        groups(await duplicates(client, kind=kind)) for kind in ("NEAR_DUPLICATES", "EXACT_COPIES")
    ]
    red = ("NEAR_DUPLICATES", {"red.png", "again.png", "small.png"})
    assert sorted([COPIES, red]) == sorted(near)
    assert sorted([COPIES, ("EXACT_COPIES", {"red.png", "again.png"})]) == sorted(exact)


@pytest.mark.usefixtures("ids")
async def test_the_default_kind_is_near_duplicates(client: Client) -> None:
    data = await client.data("{ duplicates { nodes { kind similarity images { filename } } } }")
    assert 2 == len(data["duplicates"]["nodes"])
    assert all(0.9 < node["similarity"] <= 1 for node in data["duplicates"]["nodes"])


async def test_pages_of_groups_follow_one_another(client: Client, ids: dict[str, str]) -> None:
    first = await duplicates(client, first=1)
    assert {"hasNextPage": True, "hasPreviousPage": False} == {
        name: first["pageInfo"][name] for name in ("hasNextPage", "hasPreviousPage")
    }
    [edge] = first["edges"]
    assert edge["cursor"] == first["pageInfo"]["endCursor"] == first["pageInfo"]["startCursor"]
    second = await duplicates(client, first=1, after=edge["cursor"])
    assert (second["pageInfo"]["hasNextPage"], second["pageInfo"]["hasPreviousPage"]) == (
        False,
        True,
    )
    assert len(ids) - 2 == len(first["nodes"][0]["images"]) + len(second["nodes"][0]["images"])
    empty = await duplicates(client, first=0)
    assert ([], None) == (empty["edges"], empty["pageInfo"]["endCursor"])


async def test_deleted_images_leave_their_groups_and_groups_of_one_vanish(
    client: Client, ids: dict[str, str]
) -> None:
    await duplicates(client)
    gone = [ids["leaf.png"], ids["again.png"]]
    delete = "mutation ($ids: [ID!]!) { deleteImages(input: {ids: $ids}) { deletedImageIds } }"
    await client.data(delete, key=KEY, ids=gone)
    assert [("NEAR_DUPLICATES", {"red.png", "small.png"})] == groups(await duplicates(client))


@pytest.mark.usefixtures("ids")
async def test_a_cursor_of_another_kind_is_refused(client: Client) -> None:
    cursor = (await duplicates(client, kind="EXACT_COPIES"))["pageInfo"]["startCursor"]
    error = await client.error(DUPLICATES, after=cursor)
    assert "BAD_USER_INPUT" == error["extensions"]["code"]
    assert "another kind" in error["message"]


def forged(*parts: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "malformed",
        forged(),
        forged("near_duplicates", AN_ID),
        forged("near_duplicates", AN_ID, 0),
        forged("near_duplicates", AN_ID, "not-an-id"),
        forged("near_duplicates", "not-an-id", AN_ID),
        forged("near_duplicates", [AN_ID], AN_ID),
        forged("near_duplicates", None, AN_ID),
        forged("nothing", AN_ID, AN_ID),
        forged(["near_duplicates"], AN_ID, AN_ID),
    ],
)
async def test_a_forged_cursor_is_refused(client: Client, cursor: str) -> None:
    error = await client.error(DUPLICATES, after=cursor)
    assert "BAD_USER_INPUT" == error["extensions"]["code"]
    assert "`after` was not returned by this API" in error["message"]


async def test_the_kind_none_is_refused(client: Client) -> None:
    error = await client.error(DUPLICATES, kind="NONE")
    assert "BAD_USER_INPUT" == error["extensions"]["code"]
    assert "kind" in error["message"]


async def test_a_page_of_more_than_100_groups_is_refused(client: Client) -> None:
    assert "it may be 0 to 100" in (await client.error(GROUPS_OF_101))["message"]


async def test_duplicates_need_a_key_when_public_reading_is_off(serve: Serve) -> None:
    closed = serve(public_reading=False)
    error = await closed.error(DUPLICATES)
    assert "UNAUTHENTICATED" == error["extensions"]["code"]
    assert [] == (await closed.data(DUPLICATES, key=KEY))["duplicates"]["edges"]


def test_duplicates_count_as_a_search_and_as_a_page() -> None:
    eleven = " ".join(f"d{n}: duplicates(first: 1) {{ nodes {{ kind }} }}" for n in range(11))
    assert "searches" in str(PRICING.limit_error(parse(f"{{ {eleven} }}"), None))
    deep = "{ duplicates { nodes { images { similarImages { searchId } } } } }"
    assert "searches" in str(PRICING.limit_error(parse(deep), None))


def test_a_page_of_groups_costs_as_much_as_facets() -> None:
    pages, facets = (
        " ".join(f"{name}{number}: {field}" for number in range(8))
        for name, field in (("d", GROUPS), ("f", "images { facets { __typename } }"))
    )
    assert PRICING.limit_error(parse(f"{{ {pages} }}"), None) is None
    assert "cost" in str(PRICING.limit_error(parse(f"{{ {pages} {facets} }}"), None))


@pytest.mark.parametrize("images", ["images { id url }", "...images"])
def test_a_group_is_measured_with_the_most_images_it_can_have(images: str) -> None:
    fragment = " fragment images on DuplicateGroup { images { id url } }"
    query = f"{{ duplicates(first: %d) {{ nodes {{ {images} }} }} }}{fragment}"
    assert PRICING.limit_error(parse(query % 60), None) is None
    assert "cost" in str(PRICING.limit_error(parse(query % 100), None))
    both = f"{{ duplicates(first: 50) {{ nodes {{ {images} }} }} images {{ nodes {{ id }} }} }}"
    assert PRICING.limit_error(parse(both + fragment), None) is None
