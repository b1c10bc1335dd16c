"""Relevance, facets and explanations of search results, computed only when selected."""

# ruff: noqa: ANN401 - a response is any JSON

from typing import Any

import pytest

from tests.fakes.encoder import COLOURS
from tests.fakes.imaging import picture_file
from tests.graph.fake_server import Client, FakeBackend
from tests.graph.recording_fakes import RecordingCatalog


@pytest.fixture
async def ids(client: Client, backend: FakeBackend, catalog: RecordingCatalog) -> dict[str, str]:
    """An image of each colour, tagged by its first letter, and a copy of red in another file."""
    found = {}
    for colour, rgb in (*COLOURS.items(), ("red again", COLOURS["red"])):
        file = picture_file(rgb, words=colour)
        payload = await client.upload(file, names=(colour,), tags=(colour[0],))
        found[colour] = payload["results"][0]["image"]["id"]
    backend.space.judged = 0
    catalog.calls.clear()
    return found


async def search(client: Client, fields: str, arguments: str = "", text: str = "red") -> Any:
    query = f'{{ searchImages(by: {{text: "{text}"}} {arguments}) {{ {fields} }} }}'
    return (await client.data(query))["searchImages"]


@pytest.mark.usefixtures("ids")
async def test_relevance_facets_and_explanations_are_computed_only_when_selected(
    client: Client, backend: FakeBackend, catalog: RecordingCatalog
) -> None:
    await search(
        client,
        "searchId edges { cursor score collapsedCount node { filename tags } } "
        "nodes { id } pageInfo { endCursor } facets { __typename }",
    )
    await search(client, "explain { model exact stages { name milliseconds } }")
    assert 0 == backend.space.judged
    assert ["search", "search"] == catalog.calls


PAGE_FRAGMENT = "fragment Page on ImageSearchConnection { searchId nodes { id } }"
COUNT_FRAGMENTS = """
fragment Outer on ImageSearchConnection { ...Inner ...Inner }
fragment Inner on ImageSearchConnection { relevantCount }
"""


@pytest.mark.usefixtures("ids")
@pytest.mark.parametrize(
    ("fields", "fragments", "depth"),
    [
        ("edges { relevance node { similarImages { searchId } } }", "", 120),
        ("explain { exact plan }", "", 120),
        ("...Page", PAGE_FRAGMENT, 120),
        ("relevantCount", "", 1_000),
        ("count: relevantCount", "", 1_000),
        ("facets { tags { count } }", "", 1_000),
        ("... on ImageSearchConnection { searchId ... { relevantCount } }", "", 1_000),
        ("...Outer", COUNT_FRAGMENTS, 1_000),
    ],
)
async def test_counts_over_all_hits_rank_them_at_once_and_pages_do_not(
    client: Client, catalog: RecordingCatalog, fields: str, fragments: str, depth: int
) -> None:
    search = f'searchImages(by: {{text: "red"}}, first: 1) {{ {fields} }}'
    await client.data(f"{{ {search} }} {fragments}")
    assert {depth} == set(catalog.ranked_depths)


@pytest.mark.usefixtures("ids")
async def test_relevance_and_band_are_scored_once_for_a_page(
    client: Client, backend: FakeBackend
) -> None:
    found = await search(
        client, "edges { relevance band again: relevance score node { filename } }", "first: 5"
    )
    assert 5 == backend.space.judged
    relevances = [edge["relevance"] for edge in found["edges"]]
    assert all(0 <= relevance <= 1 for relevance in relevances)
    assert sorted(relevances, reverse=True) == relevances
    assert ["STRONG", "STRONG"] == [edge["band"] for edge in found["edges"][:2]]
    assert "WEAK" == found["edges"][-1]["band"]
    for edge in found["edges"]:
        assert edge["relevance"] == edge["again"]
        band = (
            "STRONG" if edge["relevance"] >= 0.9 else "LIKELY" if edge["relevance"] >= 0.5 else ""
        )
        assert (band or "WEAK") == edge["band"]


@pytest.mark.usefixtures("ids")
async def test_all_hits_are_scored_once_for_the_relevant_count_and_all_facets(
    client: Client, backend: FakeBackend, catalog: RecordingCatalog
) -> None:
    found = await search(
        client,
        "relevantCount again: relevantCount facets { tags { value count } } "
        'more: facets { contentTypes { value count } labels(candidates: ["red"]) { count } }',
        "first: 1",
    )
    assert 13 == backend.space.judged
    assert 1 == catalog.calls.count("facets")
    assert 2 == found["relevantCount"] == found["again"]
    assert [{"value": "r", "count": 2}] == found["facets"]["tags"]
    assert [{"value": "image/png", "count": 2}] == found["more"]["contentTypes"]
    assert [{"count": 2}] == found["more"]["labels"]


@pytest.mark.usefixtures("ids")
async def test_the_minimum_relevance_applies_to_hits_relevant_count_and_facets(
    client: Client, backend: FakeBackend
) -> None:
    everything = await search(client, "edges { relevance node { tags } }", "first: 100")
    relevances = [edge["relevance"] for edge in everything["edges"]]
    for bound in (0.0, relevances[3], relevances[1], 1.0):
        backend.space.judged = 0
        kept = sum(relevance >= bound for relevance in relevances)
        found = await search(
            client,
            "relevantCount edges { relevance } facets { tags(first: 100) { value count } }",
            f"minRelevance: {bound!r}, first: 100",
        )
        assert relevances[:kept] == [edge["relevance"] for edge in found["edges"]]
        assert kept == found["relevantCount"]
        assert kept == sum(each["count"] for each in found["facets"]["tags"])
        # The search has scored all hits already.
        assert 13 == backend.space.judged


@pytest.mark.usefixtures("ids")
async def test_collapsed_copies_are_shown_once_and_counted(client: Client) -> None:
    for collapse in ("EXACT_COPIES", "NEAR_DUPLICATES"):
        found = await search(
            client,
            "relevantCount edges { collapsedCount node { filename } }",
            f"collapse: {collapse}",
        )
        assert 12 == len(found["edges"])
        counts = {edge["node"]["filename"]: edge["collapsedCount"] for edge in found["edges"]}
        assert {2} == {counts.pop(name) for name in list(counts) if name.startswith("red")}
        assert {1} == set(counts.values())
        # The count is that of the hits, not of the images that they stand for.
        assert 1 == found["relevantCount"]


EXPLAIN = "explain { model exact recall plan stages { name milliseconds } }"


@pytest.mark.usefixtures("ids")
async def test_an_explanation_has_model_stages_recall_and_plan(
    client: Client, catalog: RecordingCatalog
) -> None:
    explained = (await search(client, EXPLAIN, "first: 3"))["explain"]
    assert ["search", "search", "explain"] == catalog.calls
    stages = explained.pop("stages")
    assert {
        "model": "fake",
        "exact": False,
        "recall": 1.0,
        "plan": "Compare 13 images, and keep 120",
    } == explained
    assert ["encode", "search", "fetch"] == [stage["name"] for stage in stages]
    assert all(stage["milliseconds"] >= 0 for stage in stages)


@pytest.mark.usefixtures("ids")
async def test_an_exact_search_has_no_recall(client: Client, catalog: RecordingCatalog) -> None:
    explained = (await search(client, EXPLAIN, "exact: true"))["explain"]
    assert explained["exact"]
    assert explained["recall"] is None
    assert 1 == catalog.calls.count("search")


@pytest.mark.usefixtures("ids")
async def test_each_recall_counts_as_a_search(client: Client) -> None:
    one = 'searchImages(by: {text: "red"}) { explain { recall } }'
    await client.data("{" + " ".join(f"s{n}: {one}" for n in range(5)) + "}")
    error = (await client.ask("{" + " ".join(f"s{n}: {one}" for n in range(6)) + "}"))["errors"][0]
    assert "searches come to 12; at most 10 are allowed" in error["message"]


async def test_similar_images_have_relevance_facets_and_an_explanation(
    client: Client, ids: dict[str, str], backend: FakeBackend
) -> None:
    query = """query ($id: ID!) { image(id: $id) { similarImages(first: 2) {
        relevantCount edges { band node { filename } } facets { tags { value } }
        explain { model plan recall }
    } } }"""
    similar = (await client.data(query, id=ids["red"]))["image"]["similarImages"]
    assert ("red again", "LIKELY") == (
        similar["edges"][0]["node"]["filename"],
        similar["edges"][0]["band"],
    )
    assert 1 == similar["relevantCount"]
    assert [{"value": "r"}] == similar["facets"]["tags"]
    assert "Compare 12 images, and keep 1000" == similar["explain"]["plan"]
    assert 12 + 2 == backend.space.judged


async def test_images_deleted_between_pages_are_not_counted_as_relevant(
    client: Client, ids: dict[str, str]
) -> None:
    narrowed = "first: 1, minRelevance: 0.5"
    found = await search(client, "relevantCount pageInfo { endCursor }", narrowed)
    await client.change(
        "mutation ($ids: [ID!]!) { deleteImages(input: {ids: $ids}) { deletedImageIds } }",
        ids=[ids["red again"]],
    )
    after = f'{narrowed}, after: "{found["pageInfo"]["endCursor"]}"'
    rest = await search(client, "relevantCount facets { tags { count } }", after)
    assert (2, 1) == (found["relevantCount"], rest["relevantCount"])
    assert [{"count": 1}] == rest["facets"]["tags"]


@pytest.mark.usefixtures("ids")
async def test_a_failure_to_score_is_one_error(
    client: Client, backend: FakeBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def overloaded(*_: object) -> Any:
        await backend.encoder.encode_texts(["concept"])

    monkeypatch.setattr(backend.space, "margins", overloaded)
    found = await search(client, "searchId")
    backend.encoder.overloaded = True
    for fields in ("edges { relevance band }", "relevantCount", "facets { tags { value } }"):
        response = await client.ask(
            f"query ($id: ID!) {{ searchImages(by: {{searchId: $id}}) {{ {fields} }} }}",
            id=found["searchId"],
        )
        assert ["OVERLOADED"] == [error["extensions"]["code"] for error in response["errors"]]
        assert response["data"] is None
