"""Fuzzing: no request causes an internal error."""

import json

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graph.http.responses import GRAPHQL_JSON
from tests.fakes.imaging import picture_file
from tests.graph.fake_server import Client
from tests.graph.multipart_requests import UPLOAD, multipart

PREFLIGHT = {"GraphQL-Require-Preflight": "1"}
FILE = {"0": ("a.png", picture_file())}

ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
BODIES = (
    st.binary()
    | ANY_JSON.map(lambda value: json.dumps(value).encode())
    | st.fixed_dictionaries(
        {},
        optional={
            "query": ANY_JSON
            | st.sampled_from(["{ __typename }", UPLOAD, "{ images { totalCount } }"]),
            "variables": ANY_JSON | st.fixed_dictionaries({"files": ANY_JSON, "tags": ANY_JSON}),
            "operationName": ANY_JSON,
            "extensions": ANY_JSON,
        },
    ).map(lambda value: json.dumps(value).encode())
)
FUZZ = settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@FUZZ
@given(body=BODIES)
async def test_no_body_ever_ends_in_500(client: Client, body: bytes) -> None:
    headers = {"Content-Type": "application/json", "Accept": GRAPHQL_JSON}
    response = await client.http.post("/graphql", content=body, headers=headers)
    assert response.status_code in (200, 400)
    assert "INTERNAL_SERVER_ERROR" not in response.text


PATHS = st.lists(
    st.sampled_from(["variables", "files", "0", "1", "-1", "", "tags", "query", "x"]), max_size=4
).map(".".join)


@FUZZ
@given(
    operations=ANY_JSON | st.fixed_dictionaries({"query": st.just(UPLOAD), "variables": ANY_JSON}),
    file_map=ANY_JSON | st.dictionaries(st.sampled_from("01"), st.lists(PATHS | ANY_JSON)),
)
async def test_no_form_ever_ends_in_500(
    client: Client, operations: object, file_map: object
) -> None:
    headers = PREFLIGHT | {"Accept": GRAPHQL_JSON}
    response = await client.http.post(
        "/graphql", headers=headers, **multipart(operations, file_map, FILE)
    )
    assert response.status_code in (200, 400)
    assert "INTERNAL_SERVER_ERROR" not in response.text


@FUZZ
@given(
    query=st.text(alphabet='{}()[]:$@!"...{}{} \nqueryimagesnodeid01#fragmenton\\u', max_size=200),
    accept=st.text(alphabet="application/json;q=0.1,*graphql-response+", max_size=60),
)
async def test_no_query_ever_ends_in_500(client: Client, query: str, accept: str) -> None:
    response = await client.http.get(
        "/graphql", params={"query": query}, headers={"Accept": accept}
    )
    assert response.status_code in (200, 400)
    assert "INTERNAL_SERVER_ERROR" not in response.text
