"""What the schema says of types: what their classes say, where they are given no other words."""

import inspect

from graphql import GraphQLSchema
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.base import StrawberryObjectDefinition
from strawberry.types.enum import StrawberryEnumDefinition


def describe_types(schema: GraphQLSchema) -> None:
    """Let each type that has no description say the first paragraph of its class's docstring."""
    for type_ in schema.type_map.values():
        definition = type_.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
        if type_.description is not None:
            continue
        if isinstance(definition, StrawberryObjectDefinition):
            type_.description = _first_paragraph(definition.origin)
        elif isinstance(definition, StrawberryEnumDefinition):
            type_.description = _first_paragraph(definition.wrapped_cls)


def _first_paragraph(cls: type) -> str | None:
    said = inspect.getdoc(cls)
    return " ".join(said.split("\n\n")[0].split()) if said else None
