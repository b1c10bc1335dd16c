"""The domain speaks its own language, and none of the interfaces around it."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from graphql import GraphQLInputObjectType, build_schema, is_object_type

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
DOMAIN = sorted((ROOT / "domain").rglob("*.py"))
SCHEMA = build_schema((ROOT / "graph" / "schema.graphql").read_text())

FORM_FIELDS = {"byteSize"}
"""A field of the forms that clients of direct uploads send back. No one types its name."""


def camel_case_names() -> set[str]:
    """Return the names of arguments and input fields that only the API spells like this."""
    names: set[str] = set()
    for type_ in SCHEMA.type_map.values():
        if isinstance(type_, GraphQLInputObjectType):
            names.update(type_.fields)
        elif is_object_type(type_):
            names.update(name for field in type_.fields.values() for name in field.args)
    return {name for name in names if not name.islower()} - FORM_FIELDS


FOREIGN = re.compile(
    rf"\b(?:{'|'.join(sorted(camel_case_names()))})\b"  # GraphQL arguments
    r"|\b(?:by|input|filter)\.[a-z]"  # paths of arguments
    r"|PICTOGRAPH_"  # environment variables
    r"|(?<![\w-])--[a-z]"  # options
    r"|\bpictograph [a-z]+"  # commands
    r"|\bSELECT\b|\bINSERT\b"  # SQL
)


def strings(source: str) -> Iterator[tuple[int, str]]:
    """Yield every string literal with its line, docstrings and parts of f-strings included."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


def foreign_words(source: str) -> list[str]:
    return [f"{line}: {text}" for line, text in strings(source) if FOREIGN.search(text)]


@pytest.mark.parametrize("file", DOMAIN, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_no_string_names_an_argument_an_option_a_variable_or_a_command(file: Path) -> None:
    assert [] == foreign_words(file.read_text())


@pytest.mark.parametrize(
    "text",
    [
        "minRelevance is 2",
        "by.blend.like",
        "set PICTOGRAPH_MODEL",
        "add --even-everything",
        "`pictograph models add`",
    ],
)
def test_a_foreign_word_would_be_found(text: str) -> None:
    assert [f"1: {text}"] == foreign_words(f"message = f{text!r}")


@pytest.mark.parametrize("file", DOMAIN, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_nothing_outside_the_standard_library_is_imported(file: Path) -> None:
    imported = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add((node.module or "").partition(".")[0])
    assert set() == imported - sys.stdlib_module_names - {"domain"}
