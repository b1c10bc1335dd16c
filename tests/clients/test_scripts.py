"""Clients of JavaScript against the real server: a script each, under Node.js."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.clients.conftest import HERE, Node
from tests.e2e.process import KEY, Server

if TYPE_CHECKING:
    from pathlib import Path

SCRIPTS = sorted(path.name for path in HERE.glob("*.test.mjs"))


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_client_gets_on_with_the_server(
    node: Node, server: Server, pictures: list[Path], script: str
) -> None:
    said = node("--test", script, SERVER=server.url, KEY=KEY, PICTURES=pictures[0].parent)
    assert "# fail 0" in said
    assert "# pass 0" not in said
