"""The codes of errors: every error has one, and ``docs/errors.md`` lists them all."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from graph.http.responses import STATUS_CODES
from graph.schema.codes import ErrorCode
from graph.schema.errors import REFUSAL_CODES
from graph.schema.user_errors import ImageErrorCode, UploadErrorCode
from tests.graph.multipart_requests import KEY

if TYPE_CHECKING:
    from tests.graph.fake_server import Client

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
SHA256 = "e39ecb102c57c56c4bd4fcded7094a5627c4fee5aee75086ef490b571d1964f0"
PERSISTED = {"persistedQuery": {"version": 1, "sha256Hash": SHA256}}


def listed(section: str) -> list[str]:
    """Return the codes in the tables of a section."""
    text = PAGE.partition(f"## {section}\n")[2].partition("\n## ")[0]
    return re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)


def test_the_page_lists_every_code_once() -> None:
    codes = listed("Requests that are not executed") + listed("Fields and requests")
    assert sorted(ErrorCode) == sorted(codes)
    users = [*UploadErrorCode.__members__, *ImageErrorCode.__members__]
    assert sorted(users) == sorted(listed("User errors of mutations"))


def test_every_code_is_used() -> None:
    sources = "\n".join(
        path.read_text(encoding="utf-8")
        for path in (ROOT / "graph").rglob("*.py")
        if path.name != "codes.py"
    )
    assert [] == [code for code in ErrorCode if f"ErrorCode.{code}" not in sources]
    assert [] == re.findall(r'"code": "\w+"', sources)
    assert {*STATUS_CODES.values(), *REFUSAL_CODES.values()} <= set(ErrorCode)


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({"query": "{"}, ErrorCode.GRAPHQL_PARSE_FAILED),
        ({"query": "{ nothing }"}, ErrorCode.GRAPHQL_VALIDATION_FAILED),
        ({"query": "{ images(filter: {rating: 1}) { totalCount } }"}, "GRAPHQL_VALIDATION_FAILED"),
        (
            {"query": "query A { __typename } query B { __typename }"},
            "OPERATION_RESOLUTION_FAILURE",
        ),
        ({"query": "{ __typename }", "operationName": "C"}, "OPERATION_RESOLUTION_FAILURE"),
        ({"query": "query ($n: Int!) { images(first: $n) { totalCount } }"}, "BAD_USER_INPUT"),
        (
            {
                "query": "query ($f: ImageFilter) { images(filter: $f) { totalCount } }",
                "variables": {"f": {"takenAt": {"gte": "yesterday"}}},
            },
            "BAD_USER_INPUT",
        ),
        ({"query": "{" + "a " * 9000 + "}"}, ErrorCode.QUERY_TOO_LARGE),
        ({"query": "{ images(first: -1) { totalCount } }"}, ErrorCode.BAD_USER_INPUT),
        ({"query": "{ models { name } }"}, ErrorCode.UNAUTHENTICATED),
        ({}, ErrorCode.BAD_USER_INPUT),
        ({"extensions": {}}, ErrorCode.BAD_USER_INPUT),
    ],
)
@pytest.mark.parametrize("accept", ["application/json", "application/graphql-response+json"])
async def test_every_error_of_an_operation_has_a_code(
    client: Client, request_: dict[str, object], code: str, *, accept: str
) -> None:
    response = await client.http.post("/graphql", json=request_, headers={"Accept": accept})
    assert {str(code)} == {error["extensions"]["code"] for error in response.json()["errors"]}


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_the_hash_of_a_query_is_answered_so_that_clients_send_the_query(
    client: Client, method: str
) -> None:
    for accept in ("*/*", "application/graphql-response+json, application/json;q=0.9"):
        if method == "GET":
            params = {"extensions": json.dumps(PERSISTED), "operationName": "Find"}
            response = await client.http.get("/graphql", params=params, headers={"Accept": accept})
        else:
            body = {"operationName": "Find", "variables": {}, "extensions": PERSISTED}
            response = await client.http.post("/graphql", json=body, headers={"Accept": accept})
        assert 200 == response.status_code
        extensions = {"code": "PERSISTED_QUERY_NOT_SUPPORTED"}
        expected = {"message": "PersistedQueryNotSupported", "extensions": extensions}
        assert {"errors": [expected]} == response.json()
    whole = {"query": "{ __typename }", "extensions": PERSISTED}
    response = await client.http.post("/graphql", json=whole)
    assert {"data": {"__typename": "Query"}} == response.json()


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/nothing", ErrorCode.NOT_FOUND),
        ("DELETE", "/graphql", ErrorCode.METHOD_NOT_ALLOWED),
        ("POST", "/graphql", ErrorCode.UNSUPPORTED_MEDIA_TYPE),
        ("POST", "/uploads/x", ErrorCode.NOT_FOUND),
        ("GET", "/ui/nothing", ErrorCode.NOT_FOUND),
        ("GET", "/graphql?query=mutation%7Bx%7D", ErrorCode.METHOD_NOT_ALLOWED),
    ],
)
async def test_every_error_of_a_route_has_a_code(
    client: Client, method: str, path: str, code: ErrorCode
) -> None:
    headers = {"Authorization": f"Bearer {KEY}"}
    response = await client.http.request(method, path, headers=headers)
    [error] = response.json()["errors"]
    assert code == error["extensions"]["code"]
