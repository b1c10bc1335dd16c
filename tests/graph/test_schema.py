"""The printed schema, beside the code and beside the target."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    build_schema,
)

from graph.schema import print_schema

ROOT = Path(__file__).parents[2]
PRINTED = ROOT / "graph" / "schema.graphql"
TARGET = ROOT.parent / "shared" / "schema.graphql"


def test_the_printed_schema_is_the_one_that_is_served() -> None:
    assert print_schema() + "\n" == PRINTED.read_text(), (
        "Run `pictograph export-schema graph/schema.graphql`."
    )


@pytest.mark.skipif(not TARGET.exists(), reason="the target, ../shared/schema.graphql, is not here")
def test_the_schema_contradicts_the_target_nowhere() -> None:
    target = build_schema(TARGET.read_text())
    served = build_schema(PRINTED.read_text())
    wrong: list[str] = []
    for name, type_ in served.type_map.items():
        if not name.startswith("__"):
            wrong += contradictions(name, type_, target.type_map.get(name))
    assert [] == wrong


def contradictions(name: str, type_: GraphQLNamedType, wanted: object) -> Iterator[str]:
    """Return where a type is otherwise than it is wanted."""
    match type_, wanted:
        case GraphQLEnumType(), GraphQLEnumType():
            yield from (f"{name}.{value}" for value in type_.values if value not in wanted.values)
        case GraphQLObjectType(), GraphQLObjectType():
            assert set(map(str, type_.interfaces)) <= set(map(str, wanted.interfaces))
            yield from differences(name, type_.fields, wanted.fields)
            for field in type_.fields.keys() & wanted.fields.keys():
                served, target = type_.fields[field].args, wanted.fields[field].args
                yield from differences(f"{name}.{field}", served, target)
        case GraphQLInterfaceType(), GraphQLInterfaceType():
            yield from differences(name, type_.fields, wanted.fields)
        case GraphQLInputObjectType(), GraphQLInputObjectType():
            yield from differences(name, type_.fields, wanted.fields)
        case _ if type(type_) is not type(wanted):
            yield f"{name} is {wanted!r} in the target"


def differences(where: str, served: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[Any]:
    """Return what is served otherwise than it is wanted: type, default or description."""
    for name, one in served.items():
        other = wanted.get(name)
        if other is None:
            yield f"{where}.{name} is not in the target"
        elif str(one.type) != str(other.type):
            yield f"{where}.{name}: {one.type} is {other.type} in the target"
        elif getattr(one, "default_value", None) != getattr(other, "default_value", None):
            yield f"{where}.{name}: the default differs"
        elif other.description not in (None, one.description):
            yield f"{where}.{name}: “{one.description}” is “{other.description}” in the target"
