"""Limits on the size and cost of an operation."""

# ruff: noqa: ANN401 - a response is any JSON

import time
from typing import Any

import pytest
from graphql import parse
from hypothesis import given
from hypothesis import strategies as st

from graph.schema.cost import limit_error
from tests.graph.fake_server import Client
from tests.graph.multipart_requests import KEY


def exceeded_limit(query: str, **variables: object) -> Any:
    error = limit_error(parse(query), variables)
    return error and error.message.split()[2]


def aliased(selection: str, *, times: int) -> str:
    """Repeat a selection under different aliases."""
    return " ".join(f"a{number}: {selection}" for number in range(times))


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
    assert limit_error(document, None)
    # Expanding 2**150 spreads would never end; the bound only tells the two apart.
    assert time.process_time() - began < 60


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
        f"{{ {aliased('images { facets { tags { value count } } }', times=12)} }}",
    ],
)
def test_the_queries_of_a_page_are_within_the_limits(query: str) -> None:
    assert exceeded_limit(query) is None


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
    limit_error(parse(f"{{ {selection} }} {named}"), variables)
