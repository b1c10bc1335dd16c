"""GraphiQL, and the download of its files."""

# ruff: noqa: ANN401 - a response is any JSON

import hashlib
import io
import re
import subprocess
import tarfile
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from graphql import OperationDefinitionNode, OperationType, build_schema, parse, validate

from graph.http.fetch_graphiql import fetch, main, npm_pack
from graph.http.graphiql_assets import ASSETS, Asset
from graph.schema.schema import print_schema
from tests.fakes.imaging import picture_file
from tests.graph.fake_server import Client, Serve
from tests.graph.multipart_requests import KEY, multipart

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def content(asset: Asset) -> Any:
    return f"content of {asset.package}/{asset.path}".encode()


@pytest.fixture
def assets(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Pin files with a known content."""
    known = tuple(
        replace(asset, sha256=hashlib.sha256(content(asset)).hexdigest()) for asset in ASSETS
    )
    for module in ("graph.http.graphiql", "graph.http.fetch_graphiql"):
        monkeypatch.setattr(f"{module}.ASSETS", known)
    return known


@pytest.fixture
def folder(assets: tuple[Asset, ...], tmp_path: Path) -> Any:
    for asset in assets:
        (tmp_path / asset.name).write_bytes(content(asset))
    return tmp_path


def policy(response: httpx.Response) -> Any:
    return response.headers["Content-Security-Policy"]


async def test_browsers_get_graphiql_and_other_clients_a_response(client: Client) -> None:
    page = await client.http.get("/graphql", headers=HTML)
    assert page.headers["Content-Type"].startswith("text/html")
    assert "Accept" == page.headers["Vary"]
    commands = await client.http.get("/graphql", params={"query": "{ __typename }"}, headers=HTML)
    assert {"data": {"__typename": "Query"}} == commands.json()
    assert 400 == (await client.http.get("/graphql")).status_code


async def test_with_local_files_graphiql_loads_only_from_this_server(
    serve: Serve, folder: Path, assets: tuple[Asset, ...]
) -> None:
    client = serve(graphiql_assets=folder)
    page = await client.http.get("/graphql", headers=HTML)
    assert "script-src 'self';" in policy(page)
    assert "http" not in policy(page)
    addresses = re.findall(r'(?:src|href)="([^"]*)"', page.text)
    assert len(assets) + 4 == len(addresses)
    for address in addresses:
        if address not in {"data:,", "./"}:
            # Relative, so that the page works below any path of a proxy.
            assert address.startswith("graphiql/")
            assert 200 == (await client.http.get(f"/{address}")).status_code
    assert "make graphiql" not in page.text


@pytest.mark.parametrize("damage", ["missing", "altered"])
async def test_without_local_files_graphiql_uses_pinned_files_of_a_cdn_and_says_so(
    serve: Serve, folder: Path, assets: tuple[Asset, ...], damage: str
) -> None:
    if damage == "missing":
        (folder / "react.js").unlink()
    else:
        (folder / "react.js").write_bytes(b"alert(1)")
    client = serve(graphiql_assets=folder)
    page = await client.http.get("/graphql", headers=HTML)
    cdn_urls = [asset.cdn_url for asset in assets]
    assert all(address.startswith("https://unpkg.com/") for address in cdn_urls)
    assert sorted(cdn_urls) == sorted(re.findall(r"https:[^\s;]+", policy(page)))
    assert sorted(cdn_urls) == sorted(re.findall(r'"(https:[^"]+)" integrity="sha256-', page.text))
    assert "make graphiql" in page.text
    assert 404 == (await client.http.get("/graphiql/react.js")).status_code
    assert 200 == (await client.http.get("/graphiql/page.js")).status_code


async def test_graphiql_has_no_inline_scripts(client: Client) -> None:
    page = await client.http.get("/graphql", headers=HTML)
    assert re.findall(r"<script[^>]*>(.+?)</script>", page.text) == []
    assert "{{" not in page.text


async def test_graphiql_has_a_title_a_link_to_the_gallery_and_an_empty_icon(
    client: Client,
) -> None:
    page = (await client.http.get("/graphql", headers=HTML)).text
    assert "<title>Pictograph: GraphiQL</title>" in page
    assert '<a href="./">Gallery</a>' in page
    assert '<link rel="icon" href="data:,">' in page


async def test_graphiql_starts_with_six_valid_operations(
    client: Client,
) -> None:
    script = (await client.http.get("/graphiql/page.js")).text
    [welcome] = re.findall(r"const welcome = `(.*?)`;", script, re.DOTALL)
    document = parse(welcome)
    assert [] == validate(build_schema(print_schema()), document)
    kinds = Counter(
        each.operation for each in document.definitions if isinstance(each, OperationDefinitionNode)
    )
    assert {OperationType.QUERY: 5, OperationType.SUBSCRIPTION: 1} == kinds
    assert "imageMatched" in welcome
    # Longer lines are cut off on most screens.
    assert [] == [line for line in welcome.splitlines() if len(line) > 60]


async def test_the_curl_command_of_graphiql_uploads_a_file(client: Client) -> None:
    script = (await client.http.get("/graphiql/page.js")).text
    [upload] = re.findall(r'const upload =\s+"([^"]+)"', script)
    assert 'id="curl"' in (await client.http.get("/graphql", headers=HTML)).text
    response = await client.http.post(
        "/graphql",
        headers={"Authorization": f"Bearer {KEY}", "GraphQL-Require-Preflight": "1"},
        **multipart(
            {"query": upload, "variables": {"f": [None]}},
            {"0": ["variables.f.0"]},
            {"0": ("picture.jpg", picture_file())},
        ),
    )
    [result] = response.json()["data"]["uploadImages"]["results"]
    assert "picture.jpg" == result["image"]["filename"]


async def test_graphiql_keeps_the_key_in_session_storage_only(client: Client) -> None:
    script = (await client.http.get("/graphiql/page.js")).text
    assert 'const KEY = "pictograph.key";' in script
    assert "shouldPersistHeaders: false" in script
    assert not re.search(r"localStorage\.setItem\((?!\"graphiql:tabState\")", script)


async def test_graphiql_can_be_turned_off(serve: Serve) -> None:
    client = serve(graphiql=False)
    assert 400 == (await client.http.get("/graphql", headers=HTML)).status_code
    assert 404 == (await client.http.get("/graphiql/page.js")).status_code


async def test_other_files_of_graphiql_are_404(client: Client) -> None:
    assert 404 == (await client.http.get("/graphiql/..%2Fhttp.py")).status_code
    assert 404 == (await client.http.get("/graphiql/graphiql.py")).status_code


def fake_npm(assets: tuple[Asset, ...], scratch_content: Callable[[Asset], bytes]) -> Any:
    """Return a fake of npm_pack and the list of packages that it packed."""
    packed = []

    def pack(package: str, scratch: Path) -> Any:
        packed.append(package)
        path = scratch / "package.tgz"
        with tarfile.open(path, "w:gz") as archive:
            for asset in assets:
                if package == f"{asset.package}@{asset.version}":
                    data = scratch_content(asset)
                    member = tarfile.TarInfo(f"package/{asset.path}")
                    member.size = len(data)
                    archive.addfile(member, io.BytesIO(data))
        return path

    return pack, packed


def test_fetching_downloads_each_missing_package_once(
    assets: tuple[Asset, ...], tmp_path: Path
) -> None:
    pack, packed = fake_npm(assets, content)
    fetch(tmp_path / "new", pack=pack)
    assert all(asset.is_in(tmp_path / "new") for asset in assets)
    assert len(set(packed)) == len(packed)
    fetch(tmp_path / "new", pack=pack)
    assert 4 == len(packed)


def test_a_file_with_an_unexpected_digest_is_not_written(
    assets: tuple[Asset, ...], tmp_path: Path
) -> None:
    pack, _ = fake_npm(assets, lambda _: b"alert(1)")
    with pytest.raises(ValueError, match="does not have the expected SHA-256"):
        fetch(tmp_path, pack=pack)
    assert [] == list(tmp_path.iterdir())


def test_npm_packs_the_pinned_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands = []

    def run(command: list[str], **options: Any) -> Any:
        commands.append((command[1:], options["cwd"]))
        return subprocess.CompletedProcess(command, 0, stdout="notice\nreact-18.3.1.tgz\n")

    monkeypatch.setattr(subprocess, "run", run)
    assert tmp_path / "react-18.3.1.tgz" == npm_pack("react@18.3.1", tmp_path)
    assert [(["pack", "--silent", "react@18.3.1"], tmp_path)] == commands


def test_without_npm_fetching_reports_that_the_cdn_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert 0 == main([str(tmp_path / "assets")])
    assert "GraphiQL is loaded from its CDN" in capsys.readouterr().err
