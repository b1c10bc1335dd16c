"""Limits on the size and cost of an operation."""

# ruff: noqa: ANN401 - a response is any JSON

import time
from typing import Any

import pytest
from graphql import get_introspection_query, parse
from hypothesis import given
from hypothesis import strategies as st

from graph.schema.cost import GROUP_COST, LIBRARY_COST, ROW_COST, SEARCH_COST, STATEMENT_COST
from graph.schema.schema import Schema
from tests.graph.fake_server import Client, FakeBackend
from tests.graph.multipart_requests import KEY


def exceeded_limit(query: str, **variables: object) -> Any:
    error = PRICING.limit_error(parse(query), variables)
    return error and error.message.split()[2]


def aliased(selection: str, *, times: int) -> str:
    """Repeat a selection under different aliases."""
    return " ".join(f"a{number}: {selection}" for number in range(times))


PRICING = Schema().pricing
LABELS = "labels(candidates: [{}]) {{ __typename }}".format(", ".join(f'"{n}"' for n in range(10)))
VALUES = "cameras(first: 100) { value count } tags(first: 100) { value count } months { count }"


def fragment_bomb(fragments: int) -> Any:
    """Return a query whose expanded size doubles with every fragment."""
    chain = " ".join(
        f"fragment f{n} on Query {{ ...f{n + 1} ...f{n + 1} }}" for n in range(fragments)
    )
    return f"{{ ...f0 }} {chain} fragment f{fragments} on Query {{ __typename }}"


async def test_a_fragment_bomb_is_refused(client: Client) -> None:
    error = await client.error(fragment_bomb(60))
    assert "QUERY_TOO_LARGE" == error["extensions"]["code"]
    assert "at most" in error["message"]


def test_every_fragment_is_measured_once() -> None:
    document = parse(fragment_bomb(150))
    began = time.process_time()
    assert PRICING.limit_error(document, None)
    # Expanding 2**150 spreads would never end; the bound only tells the two apart.
    assert time.process_time() - began < 60


@pytest.mark.parametrize(
    "root",
    [
        "duplicates { nodes { ...f0 } }",
        "duplicates(first: 0) { nodes { ...f0 } }",
        "__schema { types { ...f0 } }",
    ],
)
@pytest.mark.parametrize("last", ["kind", "images { similarImages { searchId } }"])
async def test_a_size_beyond_all_numbers_is_told_as_a_billion(
    client: Client, root: str, last: str
) -> None:
    chain = " ".join(
        f"fragment f{n} on DuplicateGroup {{ images {{ ...f{n + 1} }} }}" for n in range(170)
    )
    query = f"{{ {root} }} {chain} fragment f170 on DuplicateGroup {{ {last} }}"
    body = {"query": query, "extensions": {"cost": True}}
    response = (await client.http.post("/graphql", json=body)).json()
    assert "QUERY_TOO_LARGE" == response["errors"][0]["extensions"]["code"]
    assert 10**9 == response["extensions"]["cost"]["cost"]


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("{ " + "a " * 31 + "}", "repetitions"),
        ("{ " + "a { b { c } } " * 31 + "}", "repetitions"),
        ("{ " + "a { b b b } " * 11 + "}", "repetitions"),
        ("{ " + "...f " * 16 + " } fragment f on Q { a ... on Q { a } }", "repetitions"),
        ("{ a" * 13 + " }" * 13, "depth"),
        ("{ " + " ".join(f"a{n}: b" for n in range(31)) + " }", "aliases"),
        ("{ a " + "@skip(if: true) " * 51 + " }", "directives"),
        ("query " + "@x " * 51 + " { a }", "directives"),
        ("{ ...f } fragment f on Q " + "@x " * 51 + " { a }", "directives"),
        ("{ ... on Query { " + "a " * 1_001 + " } }", "fields"),
        ("{ images(first: 11) { nodes { similarImages { searchId } } } }", "searches"),
        ("{ images { nodes { similarImages { searchId } } } }", "searches"),
        (
            "{ images(last: 99999999999999999999) { nodes { similarImages { searchId } } } }",
            "searches",
        ),
        ("{ images(first: -1) { nodes { similarImages { searchId } } } }", "searches"),
        (
            '{ nodes(ids: ["'
            + '", "'.join("abcdefghijk")
            + '"]) { ... on Image { similarImages { searchId } } } }',
            "searches",
        ),
        ("{ images(first: 100) { nodes { " + "id " * 250 + " } } }", "cost"),
        (f"{{ {aliased('images { facets { tags { value } } }', times=14)} }}", "cost"),
        (f"{{ images {{ {aliased(f'facets {{ {LABELS} }}', times=7)} }} }}", "cost"),
        (f"{{ images {{ facets {{ {aliased(LABELS, times=10)} }} }} }}", "cost"),
        (f"{{ images {{ nodes {{ {aliased(LABELS, times=10)} }} }} }}", "cost"),
        (f"{{ images(first: 100) {{ nodes {{ {aliased(LABELS, times=9)} }} }} }}", "cost"),
        (
            f"{{ {aliased('images(first: 100) { nodes { exif { all { name } } } }', times=2)} }}",
            "cost",
        ),
        ("{ images(last: 100) { nodes { exif { all { name value } } } } }", "cost"),
        ("{ images(first: null, last: 100) { nodes { exif { all { name } } } } }", "cost"),
        (f"{{ {aliased('images(first: 100) { pageInfo { endCursor } }', times=30)} }}", "cost"),
        (f"{{ {aliased('images(first: 100) { nodes { tags } }', times=15)} }}", "cost"),
        (f"{{ {aliased('images(first: 100) { nodes { altText } }', times=16)} }}", "cost"),
        (
            f"{{ {aliased('__schema { types { fields { name args { name } } } }', times=30)} }}",
            "cost",
        ),
        (
            f"{{ images(first: 9) {{ nodes {{ similarImages {{ nodes {{ {LABELS} }} }} }} }} }}",
            "cost",
        ),
    ],
)
def test_the_error_names_the_exceeded_limit(query: str, name: str) -> None:
    assert name == exceeded_limit(query)


@pytest.mark.parametrize(
    "query",
    [
        f"{{ images(first: 100) {{ nodes {{ id filename tags {LABELS} }} }} }}",
        f"{{ images(first: 100) {{ nodes {{ id url }} facets {{ {VALUES} {LABELS} }} }} }}",
        f"{{ {aliased('images { facets { tags { value count } } }', times=10)} }}",
    ],
)
def test_the_queries_of_a_page_are_within_the_limits(query: str) -> None:
    assert exceeded_limit(query) is None


def cost(query: str, **variables: object) -> int:
    return PRICING.cost(parse(query), variables)


def searched(arguments: str = "", selection: str = "searchId") -> int:
    return cost(f'{{ searchImages(by: {{text: "a"}}{arguments}) {{ {selection} }} }}')


def test_scans_of_the_library_and_of_every_vector_have_a_price() -> None:
    assert searched() + LIBRARY_COST == searched(", exact: true")
    assert searched() == searched(", exact: false")
    assert searched() + LIBRARY_COST < searched(selection="explain { recall }")
    assert searched() + SEARCH_COST <= searched(selection="relevantCount")
    query = 'query ($exact: Boolean!) { searchImages(by: {text: "a"}, exact: $exact) { searchId } }'
    assert cost(query, exact=False) + LIBRARY_COST == cost(query, exact=True)
    assert cost("{ images { totalCount } }") >= cost("{ images { __typename } }") + STATEMENT_COST


def test_each_list_of_candidates_of_facets_is_priced_as_a_scan() -> None:
    def labels(times: int) -> str:
        field = 'labels(candidates: ["a"]) { value }'
        return f"{{ images {{ facets {{ {aliased(field, times=times)} }} }} }}"

    assert cost(labels(2)) - cost(labels(1)) > LIBRARY_COST
    assert exceeded_limit(labels(5)) is None
    assert "cost" == exceeded_limit(labels(11))


def test_groups_of_duplicates_cost_more_than_images_whatever_is_selected() -> None:
    groups = "duplicates(first: 100) {{ {} }}"
    for selection in ("nodes { kind }", "pageInfo { endCursor }"):
        page = groups.format(selection)
        assert exceeded_limit(f"{{ {page} }}") is None
        assert "cost" == exceeded_limit(f"{{ {aliased(page, times=7)} }}")
    assert exceeded_limit(f"{{ {groups.format('nodes { images { id } }')} }}") is None
    few, many = (cost(f"{{ duplicates(first: {size}) {{ __typename }} }}") for size in (1, 100))
    assert many - few == 99 * GROUP_COST > 99 * ROW_COST


def test_what_a_page_has_once_is_counted_once() -> None:
    few, many = (
        cost(f"{{ images(first: {size}) {{ totalCount pageInfo {{ endCursor }} }} }}")
        for size in (1, 100)
    )
    assert many - few == 99 * ROW_COST


def test_the_last_images_cost_as_much_as_the_first() -> None:
    first, last, both = (
        cost(f"{{ images({arguments}) {{ nodes {{ id }} }} }}")
        for arguments in ("first: 50", "last: 50", "first: null, last: 50")
    )
    assert first == last == both


@pytest.mark.parametrize(
    ("declared", "given", "variables"),
    [
        ("$ids: [ID!]!", '{imageIds: $ids, tags: ["a"]}', {"ids": ["x"] * 500}),
        ("$in: TagImagesInput!", "$in", {"in": {"imageIds": ["x"] * 500, "tags": ["a"]}}),
    ],
)
def test_the_payload_of_a_mutation_is_as_long_as_its_input(
    declared: str, given: str, variables: dict[str, object]
) -> None:
    query = f"mutation ({declared}) {{ tagImages(input: {given}) {{ images {{ id tags }} }} }}"
    assert 500 * 3 <= cost(query, **variables) <= 500 * 20
    assert exceeded_limit(query, **variables) is None


def test_one_introspection_of_the_whole_schema_is_allowed_and_several_are_not() -> None:
    whole = get_introspection_query(
        descriptions=True, specified_by_url=True, directive_is_repeatable=True
    )
    assert exceeded_limit(whole) is None
    selection = whole[whole.index("__schema {") + len("__schema {") :]
    body, _, fragments = selection.partition("fragment ")
    body = body.strip().removesuffix("}")
    twice = (
        "{ a: __schema { ...S } b: __schema { ...S } } "
        f"fragment S on __Schema {{ {body} fragment {fragments}"
    )
    assert "cost" == exceeded_limit(twice)


async def test_the_cost_is_told_on_request(client: Client) -> None:
    async def asked(query: str, extensions: object) -> Any:
        body = {"query": query, "extensions": extensions}
        return (await client.http.post("/graphql", json=body)).json()

    query = "{ images(first: 2) { nodes { id } } }"
    told = await asked(query, {"cost": True})
    assert {"nodes": []} == told["data"]["images"]
    assert {"cost": cost(query), "limit": 20_000} == told["extensions"]["cost"]
    for extensions in (None, {}, {"cost": False}, {"cost": 1}):
        assert "extensions" not in await asked(query, extensions)
    dear = "{ images(first: 100) { nodes { exif { all { name value } } } } }"
    refused = await asked(dear, {"cost": True})
    assert "QUERY_TOO_LARGE" == refused["errors"][0]["extensions"]["code"]
    assert {"cost": cost(dear), "limit": 20_000} == refused["extensions"]["cost"]
    mistake = await asked("{ nothing }", {"cost": True})
    assert {"cost": 1, "limit": 20_000} == mistake["extensions"]["cost"]
    assert "data" not in mistake


async def test_a_query_that_is_too_dear_runs_nothing(
    client: Client, backend: FakeBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Any call of the catalog would fail.
    monkeypatch.setattr(backend.catalog, "list", None)
    dear = aliased("images(first: 100) { nodes { exif { all { name value } } } }", times=30)
    response = await client.ask(f"{{ {dear} }}")
    assert ["errors"] == list(response)
    assert "QUERY_TOO_LARGE" == response["errors"][0]["extensions"]["code"]


def test_labels_in_variables_are_measured() -> None:
    query = (
        "query ($c: [String!]!) { images { nodes { a: labels(candidates: $c) { label share } } } }"
    )
    assert exceeded_limit(query, c=["x"] * 50) is None
    assert "cost" == exceeded_limit(query, c=["x"] * 100)


async def test_ten_searches_are_answered_in_one_request(client: Client) -> None:
    searches = " ".join(
        f's{n}: searchImages(by: {{text: "{n}"}}) {{ searchId }}' for n in range(10)
    )
    assert 10 == len(await client.data(f"{{ {searches} }}"))
    more = f'{{ {searches} s10: searchImages(by: {{text: "x"}}) {{ searchId }} }}'
    assert "QUERY_TOO_LARGE" == (await client.error(more))["extensions"]["code"]


@pytest.mark.parametrize(
    ("definition", "variables", "expected"),
    [
        ("$n: Int", {"n": 10}, False),
        ("$n: Int", {"n": 11}, True),
        ("$n: Int", {"n": "many"}, True),
        ("$n: Int = 10", {}, False),
        ("$n: Int = 11", {}, True),
        ("$n: Int = 11", {"n": 1}, False),
        ("$n: Int", {}, True),
    ],
)
def test_page_sizes_in_variables_are_measured(
    definition: str, variables: dict[str, object], expected: object
) -> None:
    nested = "nodes { similarImages { searchId } }"
    query = f"query ({definition}) {{ images(first: $n) {{ {nested} }} }}"
    assert expected == bool(exceeded_limit(query, **variables))


def test_ids_in_variables_are_measured() -> None:
    query = (
        "query ($ids: [ID!]!) { nodes(ids: $ids) { ... on Image { similarImages { searchId } } } }"
    )
    assert exceeded_limit(query, ids=["x"] * 10) is None
    assert "searches" == exceeded_limit(query, ids=["x"] * 11)


def test_a_live_search_counts_as_a_search() -> None:
    def live(times: int) -> str:
        similar = aliased("similarImages { searchId }", times=times)
        return f'subscription {{ imageMatched(by: {{text: "a"}}) {{ node {{ {similar} }} }} }}'

    assert exceeded_limit(live(9)) is None
    assert "searches" == exceeded_limit(live(10))


def test_measuring_ends_for_cyclic_and_unknown_fragments() -> None:
    assert exceeded_limit("{ ...a ...nothing } fragment a on Query { b ...a }") is None


async def test_cyclic_fragments_are_refused_by_validation(
    client: Client,
) -> None:
    error = await client.error("{ ...a } fragment a on Query { __typename ...a }")
    assert "itself" in error["message"]


@pytest.mark.parametrize(
    "query",
    [
        "{ a" * 600 + " }" * 600,
        "{ image(id: " + "[" * 900 + "]" * 900 + ") { id } }",
        "{ " + "a " * 2_100 + " }",
        "{ image(id: " + "{a: " * 400 + "1" + "}" * 400 + ") { id } }",
        " ".join(f"fragment f{n} on Query {{ ...f{n + 1} }}" for n in range(240)) + " { ...f0 }",
        "query (" + " ".join(f"$v{n}: Int" for n in range(450)) + ") { __typename }",
    ],
)
async def test_other_oversized_queries_are_refused_without_an_internal_error(
    client: Client, query: str, caplog: pytest.LogCaptureFixture
) -> None:
    response = await client.ask(query)
    assert response["errors"]
    assert "INTERNAL_SERVER_ERROR" not in str(response)
    assert [] == caplog.records


async def test_the_images_of_a_mutation_are_not_measured_as_a_page(client: Client) -> None:
    query = """mutation { tagImages(input: {imageIds: [], tags: ["a"]}) {
        images { similarImages { searchId } } userErrors { message }
    } }"""
    assert {"images": [], "userErrors": []} == (await client.data(query, key=KEY))["tagImages"]


NAMES = st.sampled_from(
    ["images", "nodes", "similarImages", "__schema", "id", "edges", "facets", "labels"]
)
SELECTIONS = st.recursive(
    NAMES | st.sampled_from(["...a", "...b", "...c", "x: id", "id @skip(if: true)"]),
    lambda inner: st.builds(
        lambda head, body: f"{head} {{ {' '.join(body)} }}",
        NAMES
        | st.sampled_from(
            ["images(first: 7)", "nodes(ids: $v)", "labels(candidates: $v)", "... on X", "..."]
        ),
        st.lists(inner, min_size=1, max_size=3),
    ),
)
FRAGMENTS = st.tuples(SELECTIONS, SELECTIONS, SELECTIONS)


@given(SELECTIONS, FRAGMENTS, st.none() | st.dictionaries(st.just("v"), st.lists(st.text())))
def test_measuring_ends_for_every_document(
    selection: str, fragments: tuple[str, str, str], variables: dict[str, object] | None
) -> None:
    named = " ".join(
        f"fragment {name} on X {{ {body} }}" for name, body in zip("abc", fragments, strict=True)
    )
    PRICING.limit_error(parse(f"{{ {selection} }} {named}"), variables)


async def test_a_repeated_query_is_measured_with_its_own_variables(client: Client) -> None:
    query = (
        "query ($first: Int) { images(first: $first) { nodes { similarImages { nodes { id } } } } }"
    )
    assert "errors" not in await client.ask(query, first=1)
    refused = await client.error(query, first=100)
    assert "QUERY_TOO_LARGE" == refused["extensions"]["code"]
    assert "errors" not in await client.ask(query, first=1)
