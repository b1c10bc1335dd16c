"""The snippets of docs/clients.md and the README's upload, run unchanged on the real server."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.clients.conftest import HERE, SECONDS, Node
from tests.e2e.process import KEY, ROOT, Server

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

README = (ROOT / "README.md").read_text()
ADDRESS = "http://127.0.0.1:8000"
CLIENTS = (ROOT / "docs" / "clients.md").read_text()
SHOWN = CLIENTS.split("\n## From your app\n")[1].split("\n## ")[0]
NAMED = re.compile(r"^\*\*(\w+)\*\* .*?^```\w+\n(.*?)^```", re.DOTALL | re.MULTILINE)
SNIPPETS = dict(NAMED.findall(SHOWN))
[UPLOAD] = re.findall(r"^```sh\n(KEY=\.\.\.\ncurl [^`]*)^```", README, re.MULTILINE)
RELAY = {"src": ".", "schema": "schema.graphql", "language": "javascript", "eagerEsModules": False}

# What the page around a snippet knows, and how the test learns what was found.
PAGE = """
import { openAsBlob } from "node:fs";
import { createRequire } from "node:module";
const require = createRequire(import.meta.url);
const { KEY: key, PICTURES } = process.env;
const files = [];
for (const path of PICTURES.split(":")) files.push(new File([await openAsBlob(path)], "a.png"));
"""
TELL = "\nconsole.log(JSON.stringify(found.data ?? found));\n"


@dataclass(frozen=True, slots=True)
class App:
    """An app in a folder of its own, with the packages, the schema and a picture."""

    server: Server
    folder: Path
    pictures: Sequence[Path]

    def snippet(self, code: str) -> str:
        """Return the code with the address of the server of the tests."""
        assert ADDRESS in code
        return code.replace(ADDRESS, self.server.url)

    def images(self) -> int:
        """Count the library."""
        count = self.server.ask("{ images(first: 1) { totalCount } }")["images"]["totalCount"]
        return int(count)

    def page(self, node: Node, code: str) -> str:
        """Run a module, in a page where two files were chosen, and return what it says."""
        (self.folder / "page.mjs").write_text(PAGE + code + TELL)
        files = ":".join(map(str, self.pictures[:2]))
        return node("page.mjs", cwd=self.folder, KEY=KEY, PICTURES=files)

    def run(self, *command: str) -> str:
        """Run a program to its end, and return what it says."""
        done = subprocess.run(
            command, cwd=self.folder, capture_output=True, text=True, check=False, timeout=SECONDS
        )
        assert 0 == done.returncode, done.stderr
        return done.stdout

    def assert_found(self, said: str) -> None:
        """A search has found twenty pictures, and they can be fetched."""
        [line] = [line for line in said.splitlines() if '"searchImages"' in line]
        answer = json.loads(line)
        nodes = answer.get("data", answer)["searchImages"]["nodes"]
        assert 20 == len({node["id"] for node in nodes})
        assert 200 == self.server.http.get(nodes[0]["url"]).status_code


@pytest.fixture
def app(server: Server, tmp_path: Path, pictures: list[Path]) -> App:
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "node_modules").symlink_to(HERE / "node_modules")
    shutil.copy(ROOT / "graph" / "schema.graphql", folder)
    shutil.copy(pictures[0], folder / "picture.jpg")
    return App(server, folder, pictures)


def test_every_client_has_its_snippet() -> None:
    assert ["Apollo", "urql", "Relay", "Python", "curl"] == list(SNIPPETS)


@pytest.mark.parametrize("name", ["Apollo", "urql"])
def test_a_client_searches_and_uploads(node: Node, app: App, name: str) -> None:
    before = app.images()
    app.assert_found(app.page(node, app.snippet(SNIPPETS[name])))
    assert before + 2 == app.images()


def test_relay_searches_and_uploads(node: Node, app: App) -> None:
    before = app.images()
    code = app.snippet(SNIPPETS["Relay"])
    (app.folder / "App.js").write_text(code)
    (app.folder / "relay.config.json").write_text(json.dumps(RELAY))
    node(HERE / "node_modules" / "relay-compiler" / "cli.js", cwd=app.folder)
    # As Relay's plugin for Babel does it.
    tag = r"graphql`\s*\w+ (\w+)[^`]*`"
    built, tags = re.subn(tag, r'require("./__generated__/\1.graphql")', code)
    assert 2 == tags
    app.assert_found(app.page(node, built))
    assert before + 1 == app.images()


def test_python_searches_and_uploads(app: App) -> None:
    before = app.images()
    script = f"key = {KEY!r}\n{app.snippet(SNIPPETS['Python'])}\n"
    told = app.run(sys.executable, "-c", f"{script}import json; print(json.dumps(found))")
    app.assert_found(told)
    assert before + 1 == app.images()


def test_curl_searches_and_uploads(app: App) -> None:
    before = app.images()
    bash = (shutil.which("bash") or "bash", "-euc")
    app.assert_found(app.run(*bash, app.snippet(SNIPPETS["curl"])))
    app.run(*bash, app.snippet(UPLOAD).replace("KEY=...", f"KEY={KEY}"))
    assert before + 1 == app.images()
