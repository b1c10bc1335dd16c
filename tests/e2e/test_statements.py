"""How many statements each example of GraphiQL takes."""

from __future__ import annotations

import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from graphql import OperationDefinitionNode, OperationType, parse, print_ast
from sqlalchemy import Engine, event

import graph
from domain.concurrency import may_use_reserve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.process import Server

PAGE = Path(graph.__file__).parent / "graphiql" / "page.js"
WELCOME = re.compile(r"const welcome = `(.*?)`;", re.DOTALL)

STATEMENTS = {
    # The ranking with its images; the embeddings for its relevance; the search that is kept; which
    # of the relevant hits still exist.
    "Words": 4,
    # The ranking with its images; the search that is kept; the embeddings for the relevance.
    "HarbourWithoutBoats": 3,
    # The newest image; its embedding; then the three of a search.
    "LooksLikeTheNewest": 5,
    # The page; the total; the three facets.
    "Library": 3,
    # The page; the labels of its images; the labels of the library.
    "Labels": 3,
}
"""What each query takes when it is sent again, with an estimate and a sample of the library
cached."""


def examples() -> dict[str, str]:
    """Return the queries of GraphiQL's first tab by name."""
    found = WELCOME.search(PAGE.read_text(encoding="utf-8"))
    assert found
    return {
        node.name.value: print_ast(node)
        for node in parse(found[1]).definitions
        if isinstance(node, OperationDefinitionNode)
        and node.operation is OperationType.QUERY
        and node.name
    }


@contextmanager
def recorded() -> Iterator[list[str]]:
    """Record the statements of requests without a key, in a server of this process."""
    statements: list[str] = []

    def record(_c: object, _u: object, statement: str, *_: object) -> None:
        # Background work and callers with a key may use the reserve.
        if not may_use_reserve.get():
            statements.append(statement)

    event.listen(Engine, "before_cursor_execute", record)
    try:
        yield statements
    finally:
        event.remove(Engine, "before_cursor_execute", record)


def test_every_example_has_its_number() -> None:
    assert set(STATEMENTS) == set(examples())


@pytest.mark.parametrize("name", STATEMENTS)
def test_an_example_takes_few_statements(postcards: Server, name: str) -> None:
    query = examples()[name]
    postcards.ask(query, key=None)
    with recorded() as statements:
        postcards.ask(query, key=None)
    assert STATEMENTS[name] == len(statements), "\n\n".join(each[:300] for each in statements)
