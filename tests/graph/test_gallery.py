"""The gallery: what the server hands out, and whether its operations are the schema's."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from graphql import build_schema, parse, validate

from graph.http.gallery import FILES
from graph.schema.schema import print_schema

if TYPE_CHECKING:
    from tests.graph.fake_server import Client, Serve

STRICT = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def operations() -> dict[str, str]:
    """Return the documents of documents.js by their names there."""
    text = (FILES / "documents.js").read_text(encoding="utf-8")
    [card] = re.findall(r"^const CARD = `([^`]*)`", text, re.MULTILINE)
    found = re.findall(r"^export const (\w+) = `([^`]*)`", text, re.MULTILINE)
    return {name: document.replace("${CARD}", card) for name, document in found}


def addresses(html: str) -> list[str]:
    """Return where the page's parts come from, without the part of a file."""
    found = re.findall(r'(?:src|href)="([^"#]+)', html)
    return sorted({address for address in found if address.startswith("ui/") or "//" in address})


async def test_the_front_door_opens_on_a_page_that_loads_from_here_alone(client: Client) -> None:
    page = await client.http.get("/")
    assert page.headers["Content-Type"].startswith("text/html")
    assert STRICT == page.headers["Content-Security-Policy"]
    assert "{{" not in page.text
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", page.text)
    found = addresses(page.text)
    parts = {f"ui/{file.name}" for file in FILES.iterdir()} - {"ui/index.html"}
    assert parts == set(found)
    for address in found:
        assert 200 == (await client.http.get(f"/{address}")).status_code, address


async def test_a_page_behind_a_public_address_takes_pictures_from_there(serve: Serve) -> None:
    page = await serve(public_url="https://pictures.example/library").http.get("/")
    policy = page.headers["Content-Security-Policy"]
    assert "img-src 'self' blob: https://pictures.example;" in policy
    assert "connect-src 'self' https://pictures.example;" in policy
    assert "script-src 'self';" in policy


async def test_a_file_that_a_browser_has_is_not_sent_again(client: Client) -> None:
    first = await client.http.get("/ui/app.js")
    assert "no-cache" == first.headers["Cache-Control"]
    assert "javascript" in first.headers["Content-Type"]
    again = await client.http.get("/ui/app.js", headers={"If-None-Match": first.headers["ETag"]})
    assert (304, b"") == (again.status_code, again.content)


@pytest.mark.parametrize(
    "path", ["/ui/nothing.js", "/ui/", "/ui/..%2Fhttp.py", "/ui", "/ui/index.html"]
)
async def test_nothing_else_is_handed_out(client: Client, path: str) -> None:
    answer = await client.http.get(path)
    assert 404 == answer.status_code
    assert "NOT_FOUND" == answer.json()["errors"][0]["extensions"]["code"]


@pytest.mark.parametrize("file", sorted(FILES.iterdir()), ids=lambda file: file.name)
def test_no_file_names_another_server(file: object) -> None:
    text = (FILES / str(file)).read_text(encoding="utf-8")
    assert [] == re.findall(r"https?://(?!www\.w3\.org/2000/svg)[^\s\"'`]*", text)


@pytest.mark.parametrize("name", sorted(operations()))
def test_every_operation_of_the_page_is_one_of_the_schema(name: str) -> None:
    assert [] == validate(build_schema(print_schema()), parse(operations()[name]))
