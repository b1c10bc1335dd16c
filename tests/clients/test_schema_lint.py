"""The printed schema, by graphql-eslint's rules for schemas and for Relay."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.clients.conftest import HERE, Node
from tests.e2e.process import ROOT

if TYPE_CHECKING:
    from pathlib import Path

PRINTED = ROOT / "graph" / "schema.graphql"
ESLINT = HERE / "node_modules" / "eslint" / "bin" / "eslint.js"
CONFIG = HERE / "eslint.config.mjs"


def lint(node: Node, schema: Path) -> str:
    arguments = ("--config", CONFIG, "--max-warnings", "0", schema)
    return node(ESLINT, *arguments, cwd=schema.parent, SCHEMA=schema)


def test_the_schema_follows_the_rules(node: Node) -> None:
    assert "" == lint(node, PRINTED)


@pytest.mark.parametrize(
    ("right", "wrong", "rule"),
    [
        ("  STRONG\n", "  strong\n", "naming-convention"),
        ("  pageInfo: PageInfo!\n", "  page: PageInfo!\n", "relay-connection-types"),
        ("  hasNextPage: Boolean!\n", "  hasMore: Boolean!\n", "relay-page-info"),
        ('"""A picture of the library."""\n', "", "require-description"),
    ],
)
def test_a_schema_that_breaks_a_rule_is_reported(
    node: Node, tmp_path: Path, right: str, wrong: str, rule: str
) -> None:
    schema = tmp_path / "schema.graphql"
    schema.write_text(PRINTED.read_text().replace(right, wrong))
    with pytest.raises(AssertionError, match=f"@graphql-eslint/{rule}"):
        lint(node, schema)
