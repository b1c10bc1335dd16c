"""The gallery: its files, its security policy, and its operations."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from graphql import build_schema, parse, validate

from graph.http.gallery import UI_FOLDER
from graph.schema.schema import print_schema

if TYPE_CHECKING:
    from tests.graph.fake_server import Client, Serve

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def operations() -> dict[str, str]:
    """Return the operations of documents.js by their names."""
    text = (UI_FOLDER / "documents.js").read_text(encoding="utf-8")
    [card] = re.findall(r"^const CARD = `([^`]*)`", text, re.MULTILINE)
    found = re.findall(r"^export const (\w+) = `([^`]*)`", text, re.MULTILINE)
    return {name: document.replace("${CARD}", card) for name, document in found}


def urls(html: str) -> list[str]:
    """Return the URLs of the page's parts, without fragments."""
    found = re.findall(r'(?:src|href)="([^"#]+)', html)
    return sorted({url for url in found if url.startswith("ui/") or "//" in url})


async def test_the_gallery_loads_only_files_of_this_server(client: Client) -> None:
    page = await client.http.get("/")
    assert page.headers["Content-Type"].startswith("text/html")
    assert POLICY == page.headers["Content-Security-Policy"]
    assert "{{" not in page.text
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", page.text)
    found = urls(page.text)
    parts = {f"ui/{file.name}" for file in UI_FOLDER.iterdir()} - {"ui/index.html"}
    assert parts == set(found)
    for url in found:
        assert 200 == (await client.http.get(f"/{url}")).status_code, url


async def test_the_gallery_may_load_pictures_from_the_public_url(serve: Serve) -> None:
    page = await serve(public_url="https://pictures.example/library").http.get("/")
    policy = page.headers["Content-Security-Policy"]
    assert "img-src 'self' blob: https://pictures.example;" in policy
    assert "connect-src 'self' https://pictures.example;" in policy
    assert "script-src 'self';" in policy


async def test_a_cached_file_of_the_gallery_is_304(client: Client) -> None:
    first = await client.http.get("/ui/app.js")
    assert "no-cache" == first.headers["Cache-Control"]
    assert "javascript" in first.headers["Content-Type"]
    again = await client.http.get("/ui/app.js", headers={"If-None-Match": first.headers["ETag"]})
    assert (304, b"") == (again.status_code, again.content)


@pytest.mark.parametrize(
    "path", ["/ui/nothing.js", "/ui/", "/ui/..%2Fhttp.py", "/ui", "/ui/index.html"]
)
async def test_other_files_of_the_gallery_are_404(client: Client, path: str) -> None:
    response = await client.http.get(path)
    assert 404 == response.status_code
    assert "NOT_FOUND" == response.json()["errors"][0]["extensions"]["code"]


@pytest.mark.parametrize("file", sorted(UI_FOLDER.iterdir()), ids=lambda file: file.name)
def test_no_file_of_the_gallery_has_a_url_of_another_server(file: object) -> None:
    text = (UI_FOLDER / str(file)).read_text(encoding="utf-8")
    assert [] == re.findall(r"https?://(?!www\.w3\.org/2000/svg)[^\s\"'`]*", text)


@pytest.mark.parametrize("name", sorted(operations()))
def test_every_operation_of_the_gallery_is_valid(name: str) -> None:
    assert [] == validate(build_schema(print_schema()), parse(operations()[name]))
