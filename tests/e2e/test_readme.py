"""The queries that the README and docs/ show, on the real server."""

from __future__ import annotations

import asyncio
import re
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from postcards.scenes import SETTINGS
from tests.e2e.postcards import sunset
from tests.e2e.process import ROOT, Server
from tests.graph.subscription_clients import next_result, over_sse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TypeAlias

    Names: TypeAlias = Callable[[Iterable[dict[str, Any]]], list[str]]
    """What gives the file names of nodes, or of edges' nodes."""

LARGE_LIBRARIES = (ROOT / "docs" / "large-libraries.md").read_text()
DOCUMENTS = (
    (ROOT / "README.md").read_text(),
    (ROOT / "docs" / "queries.md").read_text(),
    LARGE_LIBRARIES,
)
SHOWN = [
    query
    for document in DOCUMENTS
    for query in re.findall(r"```graphql\n(.*?)```", document, re.DOTALL)
]
QUERIES = {re.findall(r"(?:query|subscription) (\w+)", query)[0]: query for query in SHOWN}
MUTATIONS = re.findall(r"`\s*(mutation \(.*?)`", LARGE_LIBRARIES, re.DOTALL)
DELETE = "mutation ($ids: [ID!]!) { deleteImages(input: {ids: $ids}) { deletedImageIds } }"
STATUS = "query ($id: ID!) { image(id: $id) { status } }"
EVERYTHING = "{ images(first: 100) { nodes { id filename } } }"
COUNT = 50
CASTLES = {"castle.png", "castle again.webp", "castle small.jpg"}


@pytest.fixture
def ids(postcards: Server) -> dict[str, str]:
    nodes = postcards.ask(EVERYTHING)["images"]["nodes"]
    return {node["filename"]: node["id"] for node in nodes}


@pytest.fixture
def names(ids: dict[str, str]) -> Names:
    known = {id_: name for name, id_ in ids.items()}
    return lambda nodes: [known[node.get("node", node)["id"]] for node in nodes]


def test_there_are_six_of_them_and_a_live_search() -> None:
    assert 7 == len(QUERIES) == len(SHOWN)


def test_words_find_what_answers_them_and_nothing_else(postcards: Server, names: Names) -> None:
    found = postcards.ask(QUERIES["Words"])["searchImages"]
    assert {"sunset 0.png", "sunset 1.png", "sunset 2.png"} == set(names(found["edges"]))
    assert 3 == found["relevantCount"]
    assert all(0.5 <= edge["relevance"] <= 1 for edge in found["edges"])
    assert {"STRONG", "LIKELY"} >= {edge["band"] for edge in found["edges"]}
    node = found["edges"][0]["node"]
    assert (480, 320, None) == (node["width"], node["height"], node["altText"])
    assert "image/webp" == postcards.http.get(node["url"]).headers["content-type"]
    assert found["pageInfo"]["hasNextPage"] is False
    again = "query ($id: ID!) { searchImages(by: {searchId: $id}, minRelevance: 0.5) { searchId } }"
    asked = postcards.ask(again, id=found["searchId"])["searchImages"]
    assert found["searchId"] == asked["searchId"]


def test_what_is_alike_comes_first_and_never_the_picture_itself(
    postcards: Server, names: Names, ids: dict[str, str]
) -> None:
    query = QUERIES["MoreLikeThis"]
    found = postcards.ask(query, id=ids["castle.png"])["image"]["similarImages"]["edges"]
    assert 6 == len(found)
    assert CASTLES - {"castle.png"} == set(names(found[:2]))
    assert "castle.png" not in names(found)
    relevances = [edge["relevance"] for edge in found]
    assert min(relevances[:2]) > 0.9
    assert max(relevances[2:]) < 0.5


def test_a_blend_leaves_out_what_a_text_cannot(postcards: Server, names: Names) -> None:
    found = postcards.ask(QUERIES["HarbourWithoutBoats"])["searchImages"]
    assert 5 == len(found["edges"])
    assert {f"quay {n}.png" for n in range(4)} < set(names(found["edges"]))
    assert not [name for name in names(found["edges"]) if name.startswith("boats")]
    assert {"STRONG", "LIKELY"} >= {edge["band"] for edge in found["edges"]}
    explain = found["explain"]
    assert explain["model"].startswith("model@")
    # A library as small as this is compared picture by picture, and there is nothing to miss.
    assert (True, None) == (explain["exact"], explain["recall"])
    assert ["encode", "search", "fetch"] == [stage["name"] for stage in explain["stages"]]
    assert all(stage["milliseconds"] > 0 for stage in explain["stages"])
    words = '{ searchImages(by: {text: "a harbour without boats"}, first: 4) { nodes { id } } }'
    assert {f"boats {n}.png" for n in range(4)} == set(
        names(postcards.ask(words)["searchImages"]["nodes"])
    )


def test_a_filter_narrows_and_facets_count_what_is_relevant(postcards: Server) -> None:
    found = postcards.ask(QUERIES["Lighthouses"])["searchImages"]
    assert 10 == len(found["nodes"])
    assert all("postcard" in node["tags"] for node in found["nodes"])
    assert not [node for node in found["nodes"] if "harbour" in node["tags"]]
    number = found["relevantCount"]
    assert 2 <= number < 10
    relevant = found["nodes"][:number]
    facets = {
        name: {each["value"]: each["count"] for each in values}
        for name, values in found["facets"].items()
    }
    assert number == facets["tags"].pop("postcard")
    assert number == sum(facets["tags"].values()) == sum(facets["months"].values())
    assert {"Brush 0", "Brush 1"} >= set(facets["cameras"])
    assert relevant[0]["exif"]["takenAtLocal"][:7] in facets["months"]
    assert relevant[0]["exif"]["cameraModel"] in facets["cameras"]


def test_labels_tell_places_apart(postcards: Server, names: Names) -> None:
    places = {"beach", "city", "desert", "forest", "harbour"}
    found = postcards.ask(QUERIES["Labels"])["images"]
    assert 20 == len(found["nodes"])
    best = {}
    for node, name in zip(found["nodes"], names(found["nodes"]), strict=True):
        assert places == {each["label"] for each in node["labels"]}
        assert pytest.approx(1) == sum(each["share"] for each in node["labels"])
        best[name] = node["labels"][0]["label"]
    assert {"harbour"} == {best[f"{name} {n}.png"] for name in ("boats", "quay") for n in range(4)}
    counts = {each["value"]: each["count"] for each in found["facets"]["labels"]}
    assert places == set(counts)
    assert COUNT == sum(counts.values())
    assert counts["harbour"] >= 10


def test_a_motif_is_found_once_and_listed_as_duplicates(postcards: Server) -> None:
    found = postcards.ask(QUERIES["EveryMotifOnce"])
    counts = {
        edge["node"]["filename"]: edge["collapsedCount"] for edge in found["searchImages"]["edges"]
    }
    assert 10 == len(counts)
    [castle] = CASTLES & set(counts)
    assert 3 == counts.pop(castle)
    assert {1} == set(counts.values())
    [group] = found["duplicates"]["nodes"]
    assert CASTLES == {image["filename"] for image in group["images"]}
    assert "NEAR_DUPLICATES" == group["kind"]
    assert 0.9 < group["similarity"] <= 1
    assert all(image["byteSize"] > 0 for image in group["images"])


def test_the_postcards_are_as_many_as_the_tests_count(ids: dict[str, str]) -> None:
    assert COUNT == len(ids)
    assert {f"{setting} 2.jpg" for setting in SETTINGS} <= set(ids)


async def test_a_live_search_tells_of_what_comes_to_match(postcards: Server) -> None:
    ids = []
    async with over_sse(postcards.url, QUERIES["Sunsets"]) as results:
        waiting = asyncio.ensure_future(next_result(results))
        # Nobody tells when a live search has begun.
        for seed in count(90):
            name = f"another sunset {seed}.png"
            taken = await asyncio.to_thread(postcards.upload, {name: sunset(seed)})
            ids.append(taken["results"][0]["image"]["id"])
            done, _ = await asyncio.wait([waiting], timeout=2)
            if done:
                break
        edge = (await waiting)["data"]["imageMatched"]
    postcards.ask(DELETE, ids=ids)
    assert edge["node"]["id"] in ids
    assert edge["relevance"] >= 0.5


def test_a_file_goes_straight_to_where_files_lie(postcards: Server) -> None:
    create, complete = MUTATIONS
    data = sunset(80)
    file = {"filename": "straight.png", "contentType": "image/png", "byteSize": len(data)}
    [target] = postcards.ask(create, file=file)["createUploadTargets"]["targets"]
    assert target["existing"] is None
    form = {field["name"]: field["value"] for field in target["fields"]}
    sent = postcards.http.post(target["url"], data=form, files={"file": ("a", data)})
    assert 204 == sent.status_code
    done = postcards.ask(complete, id=target["id"])["completeUploads"]
    assert [] == done["userErrors"]
    image_id = done["results"][0]["image"]["id"]
    while "PROCESSING" in str(postcards.ask(STATUS, id=image_id)):
        pass
    assert {"image": {"status": "READY"}} == postcards.ask(STATUS, id=image_id)
    postcards.ask(DELETE, ids=[image_id])
