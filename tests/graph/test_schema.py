"""The printed schema, compared with the served schema and with the target."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from graphql import (
    GraphQLArgument,
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
    not TARGET.exists(), reason="the target, ../shared/schema.graphql, is missing"
)


def test_the_printed_schema_equals_the_served_schema() -> None:
    assert print_schema() + "\n" == PRINTED.read_text(), (
        "Run `pictograph export-schema graph/schema.graphql`."
    )


def test_every_type_has_a_description() -> None:
    types = build_schema(PRINTED.read_text()).type_map
    assert [] == [name for name, type_ in types.items() if not type_.description]
    assert "The result of each file." == types["UploadImagesPayload"].description


def undescribed(schema: GraphQLSchema) -> Iterator[str]:
    """Yield the fields, arguments, inputs and enum values without a description."""
    for name, type_ in schema.type_map.items():
        if name.startswith("__"):
            continue
        if isinstance(type_, GraphQLEnumType):
            yield from (f"{name}.{key}" for key, v in type_.values.items() if not v.description)
        if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType):
            for key, field in type_.fields.items():
                arguments: Mapping[str, GraphQLArgument] = getattr(field, "args", {})
                if not field.description:
                    yield f"{name}.{key}"
                yield from (f"{name}.{key}({a})" for a, v in arguments.items() if not v.description)


def test_every_field_argument_input_and_enum_value_has_a_description() -> None:
    assert [] == list(undescribed(build_schema(PRINTED.read_text())))


def test_a_part_without_a_description_would_be_found() -> None:
    schema = build_schema("type Query { a(b: C): D } enum D { E } input C { f: Int }")
    assert {"Query.a", "Query.a(b)", "D.E", "C.f"} == set(undescribed(schema))


def test_descriptions_are_the_docstrings_of_resolvers_attributes_and_values() -> None:
    types = build_schema(PRINTED.read_text()).type_map
    mutation, exif, sort = types["Mutation"], types["Exif"], types["ImageSortField"]
    assert isinstance(mutation, GraphQLObjectType)
    assert isinstance(exif, GraphQLObjectType)
    assert isinstance(sort, GraphQLEnumType)
    assert (
        "Deletes images. `restoreImages` restores them for `Service.trashDays` days. Where that is "
        "0, they are deleted for good with their files and embeddings."
        == mutation.fields["deleteImages"].description
    )
    assert types["DeleteImagesInput"].description == (
        mutation.fields["deleteImages"].args["input"].description
    )
    assert "The exposure time in seconds." == exif.fields["exposureSeconds"].description
    assert "The file name, by code point." == sort.values["FILENAME"].description


ADDED = {
    f"{place} is not in the target"
    for place in (
        *("Image.rating", "ImageFilter.rating", "UpdateImageInput.rating"),
        *("Exif.takenAtLocal", "ImageFilter.takenAtLocal"),
        *("Image.deletedAt", "ImageFilter.deleted", "Service.trashDays", "Mutation.restoreImages"),
        *("Image.availableUrl", "Image.updatedAt", "ImageFacets.places"),
        *("ImageFilter.filename", "ImageFilter.within"),
        *("UploadedImage.addedTags", "UploadedImage.wasRestored"),
    )
} | {
    "ImageSortField.RATING",
    "LocalDateTime is None in the target",
    "LocalDateTimeRange is None in the target",
    "GeoBox is None in the target",
    "PlaceFacetValue is None in the target",
    "RestoreImagesInput is None in the target",
    "RestoreImagesPayload is None in the target",
}
"""What the API has beyond the target. Nothing else may differ."""


@needs_target
def test_the_schema_does_not_contradict_the_target() -> None:
    target = build_schema(TARGET.read_text())
    served = build_schema(PRINTED.read_text())
    wrong: list[str] = []
    for name, type_ in served.type_map.items():
        if not name.startswith("__"):
            wrong += contradictions(name, type_, target.type_map.get(name))
    assert sorted(ADDED) == sorted(wrong)


@needs_target
def test_the_schema_contains_the_whole_target() -> None:
    target = build_schema(TARGET.read_text())
    served = build_schema(PRINTED.read_text())
    missing = [
        part
        for name, type_ in target.type_map.items()
        for part in missing_parts(name, type_, served)
    ]
    assert [] == missing


def missing_parts(name: str, wanted: GraphQLNamedType, schema: GraphQLSchema) -> Iterator[str]:
    """Yield the parts of a type of the target that the schema lacks, or the type itself."""
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
            yield from _missing_fields(served, name=name, wanted=wanted)


def _missing_fields(
    served: GraphQLObjectType | GraphQLInterfaceType,
    *,
    name: str,
    wanted: GraphQLObjectType | GraphQLInterfaceType,
) -> Iterator[str]:
    interfaces = set(map(str, wanted.interfaces)) - set(map(str, served.interfaces))
    yield from (f"{name} implements {interface}" for interface in interfaces)
    for field, target in wanted.fields.items():
        if field not in served.fields:
            yield f"{name}.{field}"
        else:
            arguments = target.args.keys() - served.fields[field].args.keys()
            yield from (f"{name}.{field}({argument})" for argument in arguments)


SEARCH_TYPES = (
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
@pytest.mark.parametrize("name", SEARCH_TYPES)
def test_the_types_of_searches_equal_the_target(name: str) -> None:
    target = build_schema(TARGET.read_text())
    served = build_schema(PRINTED.read_text())
    wanted, type_ = target.type_map[name], served.type_map[name]
    assert [] == list(missing_parts(name, wanted, served))
    assert set() == set(contradictions(name, type_, wanted)) - ADDED


def contradictions(name: str, type_: GraphQLNamedType, wanted: object) -> Iterator[str]:
    """Yield the parts of a type that contradict the target."""
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
    """Yield the fields or arguments whose type or default differs from the target."""
    for name, one in served.items():
        other = wanted.get(name)
        if other is None:
            yield f"{where}.{name} is not in the target"
        elif str(one.type) != str(other.type):
            yield f"{where}.{name}: {one.type} is {other.type} in the target"
        elif getattr(one, "default_value", None) != getattr(other, "default_value", None):
            yield f"{where}.{name}: the default differs"
