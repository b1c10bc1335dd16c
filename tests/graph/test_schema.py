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
    GraphQLSchema,
    build_schema,
)

from graph.schema.schema import print_schema

ROOT = Path(__file__).parents[2]
PRINTED = ROOT / "graph" / "schema.graphql"
TARGET = ROOT.parent / "shared" / "schema.graphql"
needs_target = pytest.mark.skipif(
    not TARGET.exists(), reason="the target, ../shared/schema.graphql, is not here"
)


def test_the_printed_schema_is_the_one_that_is_served() -> None:
    assert print_schema() + "\n" == PRINTED.read_text(), (
        "Run `pictograph export-schema graph/schema.graphql`."
    )


def test_every_type_says_what_it_is() -> None:
    types = build_schema(PRINTED.read_text()).type_map
    assert [] == [name for name, type_ in types.items() if not type_.description]
    assert "What became of the files." == types["UploadImagesPayload"].description
    # What a description says counts, and not what the code says of the class.
    assert "gte <= t < lt" == types["DateTimeRange"].description


ADDED = {
    f"{place} is not in the target"
    for place in ("Image.rating", "ImageFilter.rating", "UpdateImageInput.rating")
} | {"ImageSortField.RATING"}
"""What the API has beyond the target. Nothing else may differ."""


@needs_target
def test_the_schema_contradicts_the_target_nowhere() -> None:
    target = build_schema(TARGET.read_text())
    served = build_schema(PRINTED.read_text())
    wrong: list[str] = []
    for name, type_ in served.type_map.items():
        if not name.startswith("__"):
            wrong += contradictions(name, type_, target.type_map.get(name))
    assert sorted(ADDED) == sorted(wrong)


@needs_target
def test_the_schema_has_everything_of_the_target() -> None:
    target = build_schema(TARGET.read_text())
    served = build_schema(PRINTED.read_text())
    missing = [
        lack for name, type_ in target.type_map.items() for lack in lacks(name, type_, served)
    ]
    assert [] == missing


def lacks(name: str, wanted: GraphQLNamedType, schema: GraphQLSchema) -> Iterator[str]:
    """Return what of a wanted type is not served: itself, or some of its parts."""
    served = schema.type_map.get(name)
    match wanted, served:
        case _, None:
            yield name
        case GraphQLEnumType(), GraphQLEnumType():
            yield from (f"{name}.{value}" for value in wanted.values.keys() - served.values.keys())
        case GraphQLInputObjectType(), GraphQLInputObjectType():
            yield from (f"{name}.{field}" for field in wanted.fields.keys() - served.fields.keys())
            if wanted.is_one_of != served.is_one_of:
                yield f"{name}: exactly one"
        case (
            (GraphQLObjectType() | GraphQLInterfaceType()),
            (GraphQLObjectType() | GraphQLInterfaceType()),
        ):
            yield from _fields_that(served, name=name, lack=wanted)


def _fields_that(
    served: GraphQLObjectType | GraphQLInterfaceType,
    *,
    name: str,
    lack: GraphQLObjectType | GraphQLInterfaceType,
) -> Iterator[str]:
    interfaces = set(map(str, lack.interfaces)) - set(map(str, served.interfaces))
    yield from (f"{name} implements {interface}" for interface in interfaces)
    for field, wanted in lack.fields.items():
        if field not in served.fields:
            yield f"{name}.{field}"
        else:
            arguments = wanted.args.keys() - served.fields[field].args.keys()
            yield from (f"{name}.{field}({argument})" for argument in arguments)


SEARCHING = (
    "Query",
    "Subscription",
    "ImageSearchConnection",
    "ImageSearchEdge",
    "RelevanceBand",
    "SearchExplanation",
    "Stage",
    "ImageSearchBy",
    "Blend",
    "BlendTerm",
    "Term",
    "Collapse",
    "ImageFacets",
    "FacetValue",
    "DuplicateGroup",
    "DuplicateGroupConnection",
    "DuplicateGroupEdge",
)


@needs_target
@pytest.mark.parametrize("name", SEARCHING)
def test_what_searches_are_made_of_is_served_to_the_letter(name: str) -> None:
    target = build_schema(TARGET.read_text())
    served = build_schema(PRINTED.read_text())
    wanted, type_ = target.type_map[name], served.type_map[name]
    assert [] == list(lacks(name, wanted, served))
    assert [] == list(contradictions(name, type_, wanted))
    assert wanted.description in (None, type_.description)


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
